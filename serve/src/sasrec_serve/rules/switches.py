"""Rules that an operator gives a server: some that always apply, and named ones for requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.parsing import Bounds
from sasrec_serve.rules.rules import NAMES, Rules
from sasrec_serve.rules.user_items import listed_tokens
from sasrec_serve.rules.wording import did_you_mean
from sasrec_serve.rules.written import rules_from_values
from sasrec_serve.rules.yaml_files import yaml_mapping

KEYS = ("always", "sets", "default")
"""Keys of a file with several sets of rules."""
PLAIN = (str, int, float, tuple, list)
"""Types of values that can be compared."""
ADDED = ("only_where", "exclude_where", "exclude", "boost", "max_per")
"""Rules that may come from several sets; of limits for a column, the smallest counts."""

LOOSENING = {
    "now": ("seen",),
    "rebuy_where": ("seen", "seen_types"),
    "seen_types": ("seen",),
    "fill_up": ("candidates", "candidates_by_user"),
}
"""Rules that let more items through, each with those that it weakens."""


@dataclass(frozen=True, slots=True)
class RuleSwitches:
    """Sets of rules.

    Attributes:
        always: Rules of every list.
        sets: Name to rules that a request may choose.
        default: Names of the sets for requests that choose none.
    """

    always: Rules = field(default_factory=Rules)
    sets: Mapping[str, Rules] = field(default_factory=dict)
    default: tuple[str, ...] = ()

    @classmethod
    def from_file(cls, path: str | Path) -> RuleSwitches:
        """Read sets of rules from a YAML file.

        The file has either rules, which always apply, or the keys ``always`` (rules), ``sets``
        (name to rules) and ``default`` (a name or a list of names).

        Args:
            path: The file; paths in it are relative to its folder.

        Returns:
            The sets.

        Raises:
            SettingsError: The file cannot be read, or a rule or name in it is invalid.
        """
        found = yaml_mapping(path)
        folder = Path(path).expanduser().parent
        lines = {name: f"{path}, line {line}" for name, line in found.lines.items()}
        if not any(name in KEYS for name in found.values):
            return cls(rules_from_values(found.values, str(path), folder=folder, lines=lines))
        for name in found.values:
            if name not in KEYS:
                raise SettingsError(
                    f"{lines[name]}: unknown key {name!r}{did_you_mean(name, KEYS)} (keys: "
                    f"{', '.join(KEYS)}); write rules under 'always' or under a name in 'sets'"
                )
        named = _mapping(found.values.get("sets"), f"{path}: sets")
        sets = {
            str(name): _rules(values, f"{path}: {name!r}", folder) for name, values in named.items()
        }
        switches = cls(
            always=_rules(found.values.get("always"), f"{path}: always", folder),
            sets=sets,
            default=_names(found.values.get("default"), f"{path}: default"),
        )
        switches.rules_for(None)
        return switches

    def rules_for(self, names: Sequence[str] | None, own: Rules | None = None) -> Rules:
        """Return the rules for a request.

        Args:
            names: Names of the sets that it chooses; None for the default ones.
            own: Rules of its own; None for none.

        Returns:
            All rules together: conditions, boosts, limits and excluded items add up.

        Raises:
            SettingsError: There is no such set, or two of them give another rule different values.
        """
        chosen = self.default if names is None else names
        parts = [("the server's rules", self.always)]
        for name in dict.fromkeys(chosen):
            if name not in self.sets:
                known = ", ".join(self.sets) or "none"
                raise SettingsError(
                    f"there is no set of rules {str(name)[:60]!r}"
                    f"{did_you_mean(str(name)[:60], list(self.sets))} (sets: {known})"
                )
            parts.append((repr(name), self.sets[name]))
        if own is not None:
            _check_loosening([rules for _, rules in parts], own)
            parts.append(("the request", own))
        return combined(parts)


def _check_loosening(servers: Sequence[Rules], own: Rules) -> None:
    """Refuse rules of a request that would let through what the server's rules leave out.

    Raises:
        SettingsError: There is one.
    """
    given = {name for rules in servers for name in rules.given}
    for name, limits in LOOSENING.items():
        limit = next((each for each in limits if each in given), None)
        if name in own.given and limit is not None and not _has(servers, name, own):
            raise SettingsError(
                f"the request must not set {name}, which would loosen {limit} of the server's "
                "rules; remove it"
            )


def _has(servers: Sequence[Rules], name: str, own: Rules) -> bool:
    """Return whether one of the server's rules has the value that a request has."""
    return any(getattr(rules, name) == getattr(own, name) for rules in servers)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return a mapping; an empty one for None.

    Raises:
        SettingsError: It is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} is {value!r}; write 'name: value' lines")
    return value


def _rules(values: Any, where: str, folder: Path) -> Rules:
    return rules_from_values(_mapping(values, where), where, folder=folder)


def _names(value: Any, where: str) -> tuple[str, ...]:
    """Return names as a tuple.

    Raises:
        SettingsError: They are neither a text nor a list of texts.
    """
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f"{where} is {value!r}; write a name, or a list of names")
    return tuple(names)


def combined(parts: Sequence[tuple[str, Rules]]) -> Rules:
    """Return several rules as one.

    Args:
        parts: What each is called in messages, and its rules; at least one.

    Returns:
        All of them; a list obeys them if it obeys each.

    Raises:
        SettingsError: Two of them give a rule different values that do not add up.
    """
    if len(parts) == 1:
        return parts[0][1]
    every = [rules for _, rules in parts]
    values: dict[str, Any] = {
        name: [text for rules in every for text in rules.conditions[name]]
        for name in ("only_where", "exclude_where")
    }
    values["boost"] = [boost for rules in every for boost in rules.boosts]
    values["max_per"] = _smallest([rules.max_per for rules in every])
    values["bounds"] = _bounds([rules.bounds for rules in every])
    excluded = [listed_tokens(rules.exclude, "exclude") for rules in every if rules.exclude]
    values["exclude"] = [token for tokens in excluded for token in tokens] or None
    for name in NAMES:
        if name not in ADDED:
            values |= _one_value(name, parts)
    return Rules(**values)


def _one_value(name: str, parts: Sequence[tuple[str, Rules]]) -> dict[str, Any]:
    """Return the value of a rule that only one of several rules may set.

    Raises:
        SettingsError: Two of them do, and differ.
    """
    given = [(where, getattr(rules, name)) for where, rules in parts if name in rules.given]
    for where, value in given[1:]:
        is_same = value is given[0][1] or (isinstance(value, PLAIN) and value == given[0][1])
        if not is_same:
            raise SettingsError(f"{given[0][0]} and {where} both set {name}; remove one")
    return {name: given[0][1]} if given else {}


def _smallest(limits: Sequence[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in limits:
        for column, limit in each.items():
            found[column] = min(limit, found.get(column, limit))
    return found


def _bounds(bounds: Sequence[Bounds]) -> Bounds:
    """Return bounds that let all expressions through, which were checked one by one."""
    return Bounds(
        characters=max(each.characters for each in bounds),
        words=max(each.words for each in bounds),
        known_texts=min(each.known_texts for each in bounds),
        absent_texts=min(each.absent_texts for each in bounds),
        is_foreign=any(each.is_foreign for each in bounds),
    )
