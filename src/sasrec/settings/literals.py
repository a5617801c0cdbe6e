"""Values of a command line: a text is read as the Python literal it spells. Nothing is executed."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from sasrec.errors import SettingsError
from sasrec.settings.written import written

LONGEST_LITERAL = 2**14
"""Characters of a value; its parts take some hundred times as much memory while it is read."""

ZERO_LED = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<![\w.])([-+]?0[0-9_]*[1-9][0-9_]*)(?![\w.])"""
)
"""A text between quotation marks, or a whole number such as 010, which Python does not read."""
MISFIT = (ValueError, TypeError, RecursionError, MemoryError)
"""What Python's reader of literals raises on what is none, beside SyntaxError."""


def literal(text: str, where: str = "a value") -> Any:
    """Return the Python literal a text spells, or the text itself; nothing is executed.

    Args:
        text: Such as ``0.5``, ``true``, ``[1,2]`` or ``gelu``.
        where: What to call the place in an error text.

    Returns:
        The value; numbers keep their spelling where it is an unusual one, and ``[010]`` is a list
        of the text ``010``.

    Raises:
        SettingsError: It is longer than any value of a setting.
    """
    if len(text) > LONGEST_LITERAL:
        raise SettingsError(
            f"{where}: {text[:20]!r} goes on for {len(text):,} characters; at most "
            f"{LONGEST_LITERAL:,} are read"
        )
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return _literal(text)
    except SyntaxError:
        if text.lstrip()[:1] not in {"[", "(", "{"}:
            return text
    except MISFIT:
        return text
    try:
        return _literal(ZERO_LED.sub(lambda found: found[1] or repr(found[2]), text))
    except (SyntaxError, *MISFIT):
        return text


def _literal(text: str) -> Any:
    """Return the literal a text spells.

    Args:
        text: Python.

    Returns:
        The value.

    Raises:
        SyntaxError: It is no Python.
        ValueError: It is no literal.
    """  # by ast
    source = text.lstrip(" \t").replace("\r\n", "\n").replace("\r", "\n")
    with warnings.catch_warnings(action="ignore"):  # 1e-3or is no syntax to warn about
        tree = ast.parse(source, mode="eval").body
    return _value(tree, source.encode().split(b"\n"))


def _value(node: ast.expr, lines: list[bytes]) -> Any:
    """Return the value of a literal; numbers with their spelling.

    Args:
        node: The literal.
        lines: Of the text it stands in.
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
    return written(value, spelled)
