"""Rules from a YAML file, a mapping, or a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.rules import NAMES, Rules
from sasrec_serve.rules.wording import did_you_mean
from sasrec_serve.rules.yaml_files import yaml_mapping

RulesSource = Rules | Mapping[str, Any] | str | Path
"""Rules, a mapping of their names to values, or the path of a YAML file."""
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
        return rules_from_values(source, "rules")
    if not isinstance(source, str | Path):
        raise SettingsError(
            f"rules is a {type(source).__name__}; give Rules, a mapping, or the path of a YAML file"
        )
    found = yaml_mapping(source)
    folder = Path(source).expanduser().parent
    lines = {name: f"{source}, line {line}" for name, line in found.lines.items()}
    return rules_from_values(found.values, str(source), folder=folder, lines=lines)


def rules_from_values(
    values: Mapping[str, Any],
    where: str,
    *,
    folder: Path | None = None,
    lines: Mapping[str, str] | None = None,
) -> Rules:
    """Return rules from their values.

    Args:
        values: Name of each rule to its value.
        where: What they come from, for error messages.
        folder: Paths are relative to this folder; None leaves them as they are.
        lines: Name of each rule to where it is, for error messages; None for the same place.

    Returns:
        The rules.

    Raises:
        SettingsError: A name is unknown, or a value is invalid.
    """
    lines = lines or {}
    for name in values:
        if name not in NAMES:
            raise SettingsError(
                f"{lines.get(str(name), where)}: unknown rule {name!r}"
                f"{did_you_mean(str(name), NAMES)} (rules: {', '.join(NAMES)})"
            )
    given = {
        name: _value(name, value, folder) for name, value in values.items() if value is not None
    }
    try:
        return Rules(**given)
    except SettingsError as error:
        raise SettingsError(f"{_place(given, where, lines)}: {error}") from error


def _place(values: Mapping[str, Any], where: str, lines: Mapping[str, str]) -> str:
    """Return where the first rule is that is wrong by itself."""
    for name, value in values.items():
        try:
            Rules(**{name: value})
        except SettingsError:
            return lines.get(name, where)
    return where


def _value(name: str, value: Any, folder: Path | None) -> Any:
    """Return a value with paths relative to a folder, items as texts, and conditions as texts."""
    if name in PATHS and folder is not None and isinstance(value, str):
        return folder / Path(value).expanduser()
    if name in ("candidates", "exclude") and isinstance(value, list):
        return [each if isinstance(each, str) else str(each) for each in value]
    if name in ("only_where", "exclude_where") and isinstance(value, bool):
        return str(value).lower()
    return value
