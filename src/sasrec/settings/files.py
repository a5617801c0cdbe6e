"""Reads settings from the command line and from YAML files, without executing anything."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sasrec.errors import SettingsError, nearest
from sasrec.settings.literals import literal
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import COMMAND_LINE, Origin
from sasrec.settings.repeatable import is_collected
from sasrec.settings.yaml_core import loader

MAX_BYTES = 2**18
"""Maximum size of a settings file."""
MAX_WRITTEN_VALUES = 5_000
"""Maximum number of values in a settings file; PyYAML needs one or two kilobytes for each."""
MAX_EXPANDED_VALUES = 100_000
"""Maximum number of values after expanding YAML aliases; a few nested aliases can make billions."""
YAML_VALUE_ERRORS = (ValueError, RecursionError, AttributeError, KeyError, TypeError)
"""Exceptions that PyYAML may raise for a value that does not match its tag."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one source; a later layer overrides an earlier one.

    Attributes:
        origin: The source.
        values: Key, as written, to value.
        lines: Key to its line number; empty if the source has no lines.
        mistakes: Error texts of what could not be read; reported with the wrong values.
        options: Options of the command that takes these settings, such as ``--quiet``, for hints.
        other_keys: Keys of other models that take these settings too, for hints.
    """

    origin: Origin
    values: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    other_keys: frozenset[str] = frozenset()

    def origin_of(self, key: str) -> Origin:
        """Return where a key was set.

        Args:
            key: The key, as written.

        Returns:
            The source, with the line of the key.
        """
        return replace(self.origin, line=self.lines.get(key))


def layer_from_options(words: Sequence[str]) -> Layer:
    """Return settings from ``--key=value`` (or ``--key value``) words; values are literals.

    Args:
        words: Command-line words that are not options of the command itself.

    Returns:
        The layer; ``-`` in keys becomes ``_``.

    Raises:
        SettingsError: A word is not a key, a key has no value, or a key has two different values.
    """  # raised in raise_mistakes
    layer = _layer_of_words(words, ())
    raise_mistakes([layer])
    return layer


def _layer_of_words(words: Sequence[str], options: Sequence[str]) -> Layer:
    """Return settings from words, and the mistakes in them."""
    values: dict[str, Any] = {}
    mistakes = Mistakes()
    rest = list(words)
    while rest:
        with mistakes.collected():
            key, value = _key_and_value(rest, options)
            if not is_collected(key, value, values) and values.setdefault(key, value) != value:
                mistakes.add(f"--{key} is given twice, as {values[key]!r} and {value!r}; keep one")
    return Layer(COMMAND_LINE, values, mistakes=mistakes.texts, options=tuple(options))


def _key_and_value(rest: list[str], options: Sequence[str]) -> tuple[str, Any]:
    """Remove the first key and its value from a list of words and return them.

    Args:
        rest: At least one word; the words used are removed.
        options: Options of the command, for hints.

    Returns:
        The key, with ``_`` instead of ``-``, and the value.

    Raises:
        SettingsError: The word is not a key, or has no value.
    """
    word = rest.pop(0)
    if not word.startswith("--"):
        meant = f"; did you mean --{word}?" if "=" in word else "; write --key=value"
        if Path(word).suffix and Path(word).is_file():  # the shell has replaced a pattern by files
            meant = "; for several files, quote the pattern, --data='parts/*.csv', or repeat --data"
        raise SettingsError(f"{word!r} is not an option{meant}")
    key, equals, text = word[2:].partition("=")
    if not equals:
        if not rest or rest[0].startswith("--"):
            option = nearest(word, options)
            hint = "write" if option is None else f"did you mean {option}? Otherwise write"
            raise SettingsError(f"{word!r} has no value; {hint} {word}=value")
        text = rest.pop(0)
    key = key.replace("-", "_")
    return key, literal(text, f"--{key}")


def read_layers(files: Iterable[str | Path], words: Sequence[str]) -> list[Layer]:
    """Return the settings of YAML files and of the command line, which overrides the files.

    Args:
        files: YAML files; a later one overrides an earlier one.
        words: ``--key=value`` words.

    Returns:
        One layer for each file, then one for the command line.

    Raises:
        SettingsError: A file or word cannot be read; the error lists all of them.
    """  # raised in raise_mistakes
    layers = layers_with_mistakes(files, words)
    raise_mistakes(layers)
    return layers


def layers_with_mistakes(
    files: Iterable[str | Path], words: Sequence[str], options: Sequence[str] = ()
) -> list[Layer]:
    """Return the same as ``read_layers``, but keep the mistakes in the layers.

    ``resolve_layers`` reports them together with the mistakes in the values.

    Args:
        files: YAML files; a later one overrides an earlier one.
        words: ``--key=value`` words.
        options: Options of the command, such as ``--quiet``, for hints.

    Returns:
        One layer for each file, then one for the command line.
    """
    layers: list[Layer] = []
    for path in files:
        mistakes = Mistakes()
        layer = Layer(Origin("file", str(path)), {})
        with mistakes.collected():
            layer = yaml_file(path)
        layers.append(replace(layer, mistakes=mistakes.texts, options=tuple(options)))
    return [*layers, _layer_of_words(words, options)]


def raise_mistakes(layers: Iterable[Layer]) -> None:
    """Raise one error with the mistakes found while layers were read, if there are any.

    Args:
        layers: The layers.
    """
    mistakes = Mistakes()
    for layer in layers:
        mistakes.add_all(layer.mistakes)
    mistakes.raise_all()


def settings_text(path: str | Path) -> str:
    """Return the text of a settings file.

    Args:
        path: The file.

    Returns:
        Its text, with line ends turned into LF.

    Raises:
        SettingsError: It is missing, not a regular file, not UTF-8, or too large.
    """
    try:
        file = Path(path).expanduser()
        if file.exists() and not file.is_file():
            raise SettingsError(f"{path} is not a regular file; give a settings file")
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SettingsError(
                f"{path} is larger than {MAX_BYTES:,} bytes, the limit for files of settings and "
                "of search spaces; give a smaller file"
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
        path: The file, with a mapping of keys to values.

    Returns:
        The layer, with the line of each key.

    Raises:
        SettingsError: The file is missing, is not valid YAML, is not a mapping, or contains a key
            twice.
    """
    import yaml

    text = settings_text(path)
    try:
        written = sum(1 for _ in itertools.islice(_yaml_values(text), MAX_WRITTEN_VALUES + 1))
        if written > MAX_WRITTEN_VALUES:
            raise SettingsError(
                f"{path} contains more than {MAX_WRITTEN_VALUES:,} values, the limit for a "
                "settings file"
            )
        node = yaml.compose(text, Loader=loader())
        if node is None or getattr(node, "value", node) == "":
            return Layer(Origin("file", str(path)), {})
        if not isinstance(node, yaml.MappingNode):
            raise SettingsError(f"{path} is not a mapping; write 'key: value' lines")
        lines = _lines(node, path)
        if _size(node, {}) > MAX_EXPANDED_VALUES:
            raise SettingsError(
                f"{path} expands to more than {MAX_EXPANDED_VALUES:,} values through nested "
                "aliases (*name); write the values out instead"
            )
        values = yaml.load(text, Loader=loader())  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(
            f"{path}{at}: invalid YAML ({error.problem or error.context})"
        ) from error
    except RecursionError as error:
        raise SettingsError(f"{path}: the YAML is nested too deeply for settings") from error
    except (yaml.YAMLError, *YAML_VALUE_ERRORS) as error:
        raise SettingsError(f"{path}: invalid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} is not a mapping; write 'key: value' lines")
    return Layer(Origin("file", str(path)), values, lines)


def _yaml_values(text: str) -> Iterator[object]:
    """Yield one event for each key and value of a YAML text, without building the document."""
    import yaml

    for event in yaml.parse(text, Loader=loader()):
        if isinstance(event, yaml.NodeEvent):
            yield event


def _size(node: Any, known: dict[int, int]) -> int:
    """Return the number of values in a YAML node; aliases count each time they are used."""
    if id(node) not in known:
        known[id(node)] = MAX_EXPANDED_VALUES  # a node inside itself is infinitely large
        parts = node.value if isinstance(node.value, list) else []
        inside = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
        known[id(node)] = 1 + sum(_size(each, known) for each in inside)
    return known[id(node)]


def _lines(node: Any, path: str | Path) -> dict[str, int]:
    """Return the line of each key.

    Args:
        node: A YAML mapping.
        path: Path of the file, for error texts.

    Returns:
        Key to line number, counted from 1.

    Raises:
        SettingsError: A key occurs twice.
    """  # raised in Mistakes.raise_all
    lines: dict[str, int] = {}
    mistakes = Mistakes()
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            mistakes.add(
                f"{path}, line {line}: {name!r} is already set in line {lines[name]}; keep one"
            )
        lines[name] = line
    mistakes.raise_all()
    return lines
