"""Rules from a YAML file, a mapping, or the options of a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import SettingsError, did_you_mean
from sasrec.recommender.rules.rules import NAMES, Rules
from sasrec.settings.files import yaml_file
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.written import plain, spelling

if TYPE_CHECKING:
    from typing import TypeAlias

    RulesSource: TypeAlias = Rules | Mapping[str, Any] | str | Path

PATHS = ("candidates", "exclude", "candidates_by_user", "exclude_by_user")
"""Rules whose text is the path of a file."""


def rules_from(source: RulesSource) -> Rules:
    """Return rules from wherever they are written.

    Args:
        source: Rules, a mapping of their names to values, or the path of a YAML file.

    Returns:
        The rules.

    Raises:
        SettingsError: The file cannot be read, a name is unknown, or a value is invalid.
    """
    if isinstance(source, Rules):
        return source
    if isinstance(source, Mapping):
        return rules_of(source)
    if not isinstance(source, str | Path):
        raise SettingsError(
            f"rules is a {type(source).__name__}; give Rules, a mapping, or the path of a YAML file"
        )
    return rules_of(*values_in(source))


def values_in(path: str | Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a YAML file of rules says.

    Args:
        path: The file; paths in it are relative to its folder.

    Returns:
        Name of each rule to its value, and to its file and line.

    Raises:
        SettingsError: The file cannot be read, or a name is unknown.
    """  # raised in Mistakes.raise_all
    layer = yaml_file(path)
    folder = Path(path).expanduser().parent
    origins = {name: f"{path}, line {line}" for name, line in layer.lines.items()}
    mistakes = Mistakes()
    mistakes.add_all(
        _unknown(str(name), origins.get(str(name), str(path)))
        for name in layer.values
        if name not in NAMES
    )
    mistakes.raise_all()
    values: dict[str, Any] = {}
    for name, value in layer.values.items():
        if value is None:
            continue
        is_path = name in PATHS and isinstance(value, str)
        values[name] = folder / Path(value).expanduser() if is_path else value
    return values, {name: where for name, where in origins.items() if name in values}


def rules_of(values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> Rules:
    """Return rules from their values.

    Args:
        values: Name of each rule to its value.
        origins: Name of each rule to where it is written; None if no rule is in a file.

    Returns:
        The rules.

    Raises:
        SettingsError: A name is unknown, or a value is invalid; the error lists all of them.
    """  # raised in Mistakes.raise_all
    where = dict(origins or {})
    mistakes = Mistakes()
    mistakes.add_all(_unknown(str(name), "rules") for name in values if name not in NAMES)
    mistakes.raise_all()
    cleaned = {name: _value(name, value) for name, value in values.items()}
    for name, value in cleaned.items():
        try:
            Rules(**{name: value})
        except SettingsError as error:
            mistakes.add(f"{where.get(name, 'rules')}: {error}")
    mistakes.raise_all()
    return Rules(**cleaned, origins=where)


def _value(name: str, value: Any) -> Any:
    """Return a value without the spelling of numbers, which item tokens keep."""
    if name in ("candidates", "exclude") and isinstance(value, list):
        return [spelling(each) for each in value]
    if name in ("only_where", "exclude_where") and isinstance(value, bool):
        return str(value).lower()
    is_source = not isinstance(value, list | tuple | dict | int | float)
    return value if is_source else plain(value)


def _unknown(name: str, where: str) -> str:
    meant = did_you_mean(name, NAMES)
    return f"{where}: unknown rule {name!r}{meant} (rules: {', '.join(NAMES)})"
