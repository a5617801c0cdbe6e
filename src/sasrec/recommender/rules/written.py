"""Rules from a YAML file, a mapping, or the options of a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import SettingsError, did_you_mean
from sasrec.recommender.rules.rules import NAMES, Rules
from sasrec.settings.files import yaml_file
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
        return _from_values(source, "rules")
    if not isinstance(source, str | Path):
        raise SettingsError(
            f"rules is a {type(source).__name__}; give Rules, a mapping, or the path of a YAML file"
        )
    return _from_values(values_in(source), str(source))


def values_in(path: str | Path) -> dict[str, Any]:
    """Return what a YAML file of rules says.

    Args:
        path: The file; paths in it are relative to its folder.

    Returns:
        Name of each rule to its value.

    Raises:
        SettingsError: The file cannot be read, or a name is unknown.
    """
    layer = yaml_file(path)
    folder = Path(path).expanduser().parent
    values: dict[str, Any] = {}
    for name, value in layer.values.items():
        if name not in NAMES:
            raise SettingsError(_unknown(name, f"{path}, line {layer.lines[name]}"))
        if value is None:
            continue
        is_path = name in PATHS and isinstance(value, str)
        values[name] = folder / Path(value).expanduser() if is_path else value
    return values


def _from_values(values: Mapping[str, Any], where: str) -> Rules:
    """Return rules from their values.

    Raises:
        SettingsError: A name is unknown, or a value is invalid.
    """
    for name in values:
        if name not in NAMES:
            raise SettingsError(_unknown(str(name), where))
    cleaned = {name: _value(name, value) for name, value in values.items()}
    try:
        return Rules(**cleaned)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


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
