"""What people write settings in: words of a command line and YAML files. Nothing is executed."""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sasrec.errors import SettingsError
from sasrec.settings.written import written
from sasrec.settings.yaml_core import loader

MOST_BYTES = 2**18
"""Of a file of settings."""
MOST_WRITTEN = 5_000
"""Values written in a settings file; each takes a kilobyte or two while YAML is read."""
MOST_VALUES = 100_000
"""Values a settings file stands for; a few lines of references to references can mean billions."""
LONGEST_LITERAL = 2**14
"""Characters of a value; its parts take some hundred times as much memory while it is read."""

ZERO_LED = re.compile(
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<![\w.])([-+]?0[0-9_]*[1-9][0-9_]*)(?![\w.])"""
)
"""A text between quotation marks, or a whole number such as 010, which Python does not read."""

MISREAD = (ValueError, RecursionError, AttributeError, KeyError, TypeError)
"""What YAML's own reader of values may raise on a value that is not what its tag says."""
MISFIT = (ValueError, TypeError, RecursionError, MemoryError)
"""What Python's reader of literals raises on what is none, beside SyntaxError."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place; a later layer is laid over an earlier one.

    Attributes:
        where: What to call the place, such as ``my.yaml`` or ``command line``.
        values: Key, as written, to value.
        lines: Key to the line it stands in, where the place has lines.
    """

    where: str
    values: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)

    def place_of(self, key: str) -> str:
        """Return where a key stands, such as ``my.yaml, line 4``.

        Args:
            key: As written.

        Returns:
            The place in words.
        """
        return f"{self.where}, line {self.lines[key]}" if key in self.lines else self.where


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


def key_words(words: Sequence[str]) -> Layer:
    """Return settings from ``--key=value`` (or ``--key value``) words; values are literals.

    Args:
        words: What the command line did not understand itself.

    Returns:
        The layer; ``-`` within keys is read as ``_``.

    Raises:
        SettingsError: A word is no key, a key has no value, or comes twice with two values.
    """
    values: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            meant = f"; did you mean --{word}?" if "=" in word else "; write --key=value"
            raise SettingsError(f"{word!r} is not an option{meant}")
        key, equals, text = word[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise SettingsError(f"{word!r} has no value; write {word}=value")
            text = rest.pop(0)
        key = key.replace("-", "_")
        value = literal(text, f"--{key}")
        if key in values and values[key] != value:
            raise SettingsError(
                f"--{key} is given twice, as {values[key]!r} and {value!r}; keep one"
            )
        values[key] = value
    return Layer("command line", values)


def settings_text(path: str | Path) -> str:
    """Return what stands in a file of settings.

    Args:
        path: The file.

    Returns:
        Its text.

    Raises:
        SettingsError: It is missing, no file, not UTF-8, or longer than any settings.
    """
    try:
        file = Path(path).expanduser()
        if file.exists() and not file.is_file():
            raise SettingsError(f"{path} is no ordinary file; give a file of settings")
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SettingsError(
                f"{path} has more than {MOST_BYTES:,} bytes; no file of settings, or of a space "
                "to search, is read beyond that"
            )
        text = content.decode("utf-8")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def yaml_file(path: str | Path) -> Layer:
    """Read settings from a YAML file, by the core schema of YAML 1.2.

    Args:
        path: The file; a mapping of keys to values.

    Returns:
        The layer, with the line of each key.

    Raises:
        SettingsError: The file is missing, is no YAML, holds no mapping, or a key twice.
    """
    import yaml

    text = settings_text(path)
    try:
        written = sum(1 for _ in itertools.islice(_yaml_values(text), MOST_WRITTEN + 1))
        if written > MOST_WRITTEN:
            raise SettingsError(f"{path} holds more than {MOST_WRITTEN:,} values; no settings do")
        node = yaml.compose(text, Loader=loader())
        if node is None or getattr(node, "value", node) == "":
            return Layer(str(path), {})
        if not isinstance(node, yaml.MappingNode):
            raise SettingsError(f"{path} holds no mapping; write 'key: value' lines")
        lines = _lines(node, path)
        if _size(node, {}) > MOST_VALUES:
            raise SettingsError(
                f"{path} stands for more than {MOST_VALUES:,} values, by references (*name) to "
                "references; write it out"
            )
        values = yaml.load(text, Loader=loader())  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"{path}{at}: no YAML ({error.problem or error.context})") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: no YAML of settings (nested too deeply)") from error
    except (yaml.YAMLError, *MISREAD) as error:
        raise SettingsError(f"{path}: no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds no mapping; write 'key: value' lines")
    return Layer(str(path), values, lines)


def _yaml_values(text: str) -> Iterator[object]:
    """Yield something for each key and value of a YAML text, none of which is kept."""
    import yaml

    for event in yaml.parse(text, Loader=loader()):
        if isinstance(event, yaml.NodeEvent):
            yield event


def _size(node: Any, known: dict[int, int]) -> int:
    """Return how many values a YAML node stands for, its references counted each time."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES  # if it is met again inside itself, there is no end of them
        parts = node.value if isinstance(node.value, list) else []
        inside = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
        known[id(node)] = 1 + sum(_size(each, known) for each in inside)
    return known[id(node)]


def _lines(node: Any, path: str | Path) -> dict[str, int]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            raise SettingsError(
                f"{path}, line {line}: {name!r} stands in line {lines[name]} too; keep one"
            )
        lines[name] = line
    return lines
