"""Parses command-line values as Python literals, without executing anything."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from sasrec.errors import SettingsError
from sasrec.settings.written import with_spelling

MAX_LITERAL_CHARACTERS = 2**14
"""Maximum characters of a value; parsing needs about a hundred times as much memory."""

LEADING_ZEROS = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<![\w.])([-+]?0[0-9_]*[1-9][0-9_]*)(?![\w.])"""
)
"""A quoted text (group 1), or a number with leading zeros such as 010 (group 2), which Python
rejects."""
LITERAL_ERRORS = (ValueError, TypeError, RecursionError, MemoryError)
"""Exceptions, besides SyntaxError, that Python raises for text that is not a literal."""


def literal(text: str, where: str = "a value") -> Any:
    """Parse a text as a Python literal, or return the text itself; nothing is executed.

    Args:
        text: Such as ``0.5``, ``true``, ``[1,2]`` or ``gelu``.
        where: Where the value was given, for the error text.

    Returns:
        The value. Numbers with an unusual spelling remember it, and ``[010]`` is a list with the
        text ``010``.

    Raises:
        SettingsError: The text is too long.
    """
    if len(text) > MAX_LITERAL_CHARACTERS:
        raise SettingsError(
            f"{where}: the value that begins with {text[:20]!r} has {len(text):,} characters; at "
            f"most {MAX_LITERAL_CHARACTERS:,} are allowed"
        )
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return _literal(text)
    except SyntaxError:
        if text.lstrip()[:1] not in {"[", "(", "{"}:
            return text
    except LITERAL_ERRORS:
        return text
    try:
        return _literal(LEADING_ZEROS.sub(lambda found: found[1] or repr(found[2]), text))
    except (SyntaxError, *LITERAL_ERRORS):
        return text


def _literal(text: str) -> Any:
    """Return the value of a Python literal.

    Args:
        text: The literal.

    Returns:
        The value.

    Raises:
        SyntaxError: The text is not valid Python.
        ValueError: The text is not a literal.
    """  # raised in ast
    source = text.lstrip(" \t").replace("\r\n", "\n").replace("\r", "\n")
    with warnings.catch_warnings(action="ignore"):  # Python warns about text such as 1e-3or
        tree = ast.parse(source, mode="eval").body
    return _value(tree, source.encode().split(b"\n"))


def _value(node: ast.expr, lines: list[bytes]) -> Any:
    """Return the value of a literal, in which numbers remember their spelling.

    Args:
        node: The literal.
        lines: Lines of the source text, UTF-8.
    """
    if isinstance(node, ast.List):
        return [_value(each, lines) for each in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(each, lines) for each in node.elts)
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = (_value(each, lines) for each in node.keys if each is not None)
        return dict(zip(keys, (_value(each, lines) for each in node.values), strict=True))
    value = ast.literal_eval(node)
    if type(value) not in {int, float} or node.end_lineno != node.lineno:
        return value
    spelled = lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
    return with_spelling(value, spelled)
