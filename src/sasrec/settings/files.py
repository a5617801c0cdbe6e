"""What people write settings in: words of a command line and YAML files. Nothing is executed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sasrec.errors import SettingsError
from sasrec.settings.literals import literal
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import COMMAND_LINE, Origin
from sasrec.settings.yaml_core import loader

MOST_BYTES = 2**18
"""Of a file of settings."""
MOST_WRITTEN = 5_000
"""Values written in a settings file; each takes a kilobyte or two while YAML is read."""
MOST_VALUES = 100_000
"""Values a settings file stands for; a few lines of references to references can mean billions."""
MISREAD = (ValueError, RecursionError, AttributeError, KeyError, TypeError)
"""What YAML's own reader of values may raise on a value that is not what its tag says."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place; a later layer is laid over an earlier one.

    Attributes:
        origin: The place.
        values: Key, as written, to value.
        lines: Key to the line it stands in, where the place has lines.
    """

    origin: Origin
    values: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)

    def origin_of(self, key: str) -> Origin:
        """Return where a key stands.

        Args:
            key: As written.

        Returns:
            The place, with its line.
        """
        return replace(self.origin, line=self.lines.get(key))


def key_words(words: Sequence[str]) -> Layer:
    """Return settings from ``--key=value`` (or ``--key value``) words; values are literals.

    Args:
        words: What the command line did not understand itself.

    Returns:
        The layer; ``-`` within keys is read as ``_``.

    Raises:
        SettingsError: A word is no key, a key has no value, or comes twice with two values.
    """  # by Mistakes.tell
    values: dict[str, Any] = {}
    mistakes = Mistakes()
    rest = list(words)
    while rest:
        with mistakes.collected():
            key, value = _key_and_value(rest)
            if key in values and values[key] != value:
                raise SettingsError(
                    f"--{key} is given twice, as {values[key]!r} and {value!r}; keep one"
                )
            values[key] = value
    mistakes.tell()
    return Layer(COMMAND_LINE, values)


def _key_and_value(rest: list[str]) -> tuple[str, Any]:
    """Take a key and its value from the beginning of some words.

    Args:
        rest: One word or more; those used are removed.

    Returns:
        The key, with ``_``, and the value.

    Raises:
        SettingsError: The word is no key, or has no value.
    """
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
    return key, literal(text, f"--{key}")


def given_layers(files: Iterable[str | Path], words: Sequence[str]) -> list[Layer]:
    """Return the settings of YAML files and of the command line, which is the strongest.

    Args:
        files: A later one wins.
        words: ``--key=value`` words.

    Returns:
        A layer for each file, and one for the words.

    Raises:
        SettingsError: Something cannot be read; all of it is told together.
    """  # by Mistakes.tell
    layers: list[Layer] = []
    mistakes = Mistakes()
    for path in files:
        with mistakes.collected():
            layers.append(yaml_file(path))
    with mistakes.collected():
        layers.append(key_words(words))
    mistakes.tell()
    return layers


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
            return Layer(Origin("file", str(path)), {})
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
    return Layer(Origin("file", str(path)), values, lines)


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
    """Return the line of each key.

    Args:
        node: A YAML mapping.
        path: Of the file.

    Returns:
        Key to line, from 1.

    Raises:
        SettingsError: A key stands there twice.
    """  # by Mistakes.tell
    lines: dict[str, int] = {}
    mistakes = Mistakes()
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            mistakes.add(
                f"{path}, line {line}: {name!r} stands in line {lines[name]} too; keep one"
            )
        lines[name] = line
    mistakes.tell()
    return lines
