"""YAML files of rules, by the core schema of YAML 1.2, in which ``NO`` and dates are texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sasrec_serve.errors import SettingsError

MAX_BYTES = 2**18
"""Maximum size of a file."""
NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})$")
FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
ITEM_LISTS = ("candidates", "exclude")
"""Keys under which numbers are items, which keep their spelling."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The contents of a YAML file.

    Attributes:
        values: Key to value.
        lines: Key to its line, from 1.
    """

    values: Mapping[str, Any]
    lines: Mapping[str, int]


def yaml_mapping(path: str | Path) -> Mapped:
    """Return the mapping in a YAML file.

    Args:
        path: The file.

    Returns:
        Its keys and values.

    Raises:
        SettingsError: It cannot be read, is no mapping, or has a key twice.
    """
    import yaml

    loader = _loader()(_text(path))
    try:
        node = loader.get_single_node()
        if node is None:
            return Mapped({}, {})
        if not isinstance(node, yaml.MappingNode):
            raise SettingsError(f"{path} is not a mapping; write 'key: value' lines")
        lines = _lines(node, path)
        _keep_spelling(node)
        values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(
            f"{path}{at}: invalid YAML ({error.problem or error.context})"
        ) from error
    except RecursionError as error:
        raise SettingsError(f"{path}: the YAML is nested too deeply") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise SettingsError(f"{path}: invalid YAML ({' '.join(str(error).split())})") from error
    finally:
        loader.dispose()
    return Mapped(values, lines)


def _text(path: str | Path) -> str:
    """Return the text of a file.

    Raises:
        SettingsError: It is missing, too large, or not UTF-8.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SettingsError(f"{path} is larger than {MAX_BYTES:,} bytes; give a smaller file")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text; save it as UTF-8") from error


@cache
def _loader() -> Any:
    """Return a YAML loader class for safe types only, without aliases, for the core schema."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Loads safe types only, by the core schema; an alias is an error."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Return the next value; aliases are refused, as a few can make billions of values.

            Args:
                parent: What the value is in.
                index: Where it is in there.

            Returns:
                The value.

            Raises:
                MarkedYAMLError: It is an alias.
            """
            if self.check_event(yaml.AliasEvent):
                event: Any = self.peek_event()  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(
                    problem="aliases (*name) are not allowed; write the values out",
                    problem_mark=event.start_mark,
                )
            return super().compose_node(parent, index)

    Loader.yaml_implicit_resolvers = {}  # do not inherit the rules of YAML 1.1
    tag = "tag:yaml.org,2002:"
    Loader.add_implicit_resolver(tag + "null", NULL, ["~", "n", "N", ""])
    Loader.add_implicit_resolver(tag + "bool", BOOLEAN, list("tTfF"))
    Loader.add_implicit_resolver(tag + "int", INTEGER, list("-+0123456789"))
    Loader.add_implicit_resolver(tag + "float", FLOAT, list("-+.0123456789"))
    Loader.add_constructor(tag + "float", _float)
    return Loader


def _float(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node))


def _lines(node: Any, path: str | Path) -> dict[str, int]:
    """Return the line of each key.

    Raises:
        SettingsError: A key occurs twice.
    """
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            raise SettingsError(
                f"{path}, line {line}: {name!r} is already set in line {lines[name]}; keep one"
            )
        lines[name] = line
    return lines


def _keep_spelling(node: Any) -> None:
    """Turn the numbers in lists of items, such as 1.10, into texts."""
    for key, value in node.value:
        if key.value in ITEM_LISTS and isinstance(value.value, list):
            for each in value.value:
                if isinstance(getattr(each, "value", None), str):
                    each.tag = "tag:yaml.org,2002:str"
