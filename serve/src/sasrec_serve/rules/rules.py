"""Rules: what a shop wants of every list, as written by a person; nothing is looked up yet."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.parsing import OWN, Bounds
from sasrec_serve.rules.seen import SeenRule, moment, seen_rule
from sasrec_serve.rules.user_items import UserLists
from sasrec_serve.rules.wording import did_you_mean

if TYPE_CHECKING:
    from sasrec_serve.rules.tables import TableSource

Tokens = Sequence[str] | str | Path | None
"""A list of items, or the path of a file with one per line."""

WHERE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|(\bwhere\b)", re.IGNORECASE)
"""Quoted texts and names, and the word ``where`` outside of them."""
BOOST = re.compile(r"\s*(multiply|add)\s+(.+)", re.IGNORECASE | re.DOTALL)
PLAIN = (str, int, float, tuple, dict)
UNSET: tuple[object, ...] = ((), {}, 0, "none")
"""Values that mean that there is no such rule."""
HOW_TO_BOOST = "write such as \"multiply 1.2 where brand = 'own'\" or 'add 0.1 * margin'"


@dataclass(frozen=True, slots=True)
class Boost:
    """A change of the scores of some items.

    Attributes:
        kind: Whether scores are multiplied by the amount, or it is added to them.
        amount: A number or an expression over item columns.
        where: Condition over item columns; None changes all items.
    """

    kind: Literal["multiply", "add"]
    amount: str
    where: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Rules for lists; the manual page ``docs/rules.md`` states the order in which they apply.

    Attributes:
        candidates: Recommend only these items: tokens, or a file with one item per line.
        exclude: Never recommend these items; likewise.
        only_where: Conditions over item columns that every recommended item meets.
        exclude_where: Conditions that no recommended item meets.
        candidates_by_user: Table with a user and an item column: what each user may get.
        exclude_by_user: Table with a user and an item column: what a user must not get.
        seen: When items of the history are recommended: ``never``, ``always``, or such as
            ``older than 30d``; None leaves it to ``exclude_seen``.
        seen_types: Types of the events that count for ``seen`` and ``exclude_seen``, such as
            ``purchase``; events of other types do not block an item. Empty for all types.
        rebuy_where: Condition on items that are recommended although they were seen.
        now: The moment to which the age of events refers, in seconds since 1970, or as a date; None
            is the current time.
        boost: Changes of scores.
        max_per: Column to the largest number of items in a list with the same value there.
        diversity: Strength of diversity, from 0 (none) to 1 (score counts only for the first item).
        diversity_pool: Number of best items among which diversity chooses; None is five times the
            length of the list, at least 50.
        fill_up: Whether lists that are too short are filled up with popular items.
        bounds: How large expressions may be; no rule.
    """

    candidates: Tokens = None
    exclude: Tokens = None
    only_where: Sequence[str] | str = ()
    exclude_where: Sequence[str] | str = ()
    candidates_by_user: TableSource | UserLists | None = None
    exclude_by_user: TableSource | UserLists | None = None
    seen: str | None = None
    seen_types: Sequence[str] | str = ()
    rebuy_where: str | None = None
    now: float | str | None = None
    boost: Sequence[Boost | str | Mapping[str, Any]] | str | Mapping[str, Any] = ()
    max_per: Mapping[str, int] = field(default_factory=dict)
    diversity: float = 0.0
    diversity_pool: int | None = None
    fill_up: Literal["none", "popularity"] = "none"
    bounds: Bounds = OWN

    def __post_init__(self) -> None:
        """Check what can be checked without data.

        Raises:
            SettingsError: A value has the wrong type or is out of range.
        """  # raised by the parts
        for name in ("only_where", "exclude_where"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        object.__setattr__(self, "seen_types", _type_names(self.seen_types))
        if self.rebuy_where is not None and not isinstance(self.rebuy_where, str):
            raise SettingsError(
                f"rebuy_where is {self.rebuy_where!r}; write an expression such as 'stock > 0'"
            )
        for name in ("candidates", "exclude"):
            _check_tokens(name, getattr(self, name))
        for name in ("candidates_by_user", "exclude_by_user"):
            _check_table(name, getattr(self, name))
        given = [self.boost] if isinstance(self.boost, str | Mapping | Boost) else self.boost
        if not isinstance(given, Sequence):
            raise SettingsError(f"boost is {given!r}; {HOW_TO_BOOST}")
        object.__setattr__(self, "boost", tuple(_boost(each) for each in given))
        _check_limits(self.max_per)
        _check_diversity(self.diversity, self.diversity_pool)
        if self.fill_up not in ("none", "popularity"):
            meant = did_you_mean(str(self.fill_up), ["none", "popularity"])
            raise SettingsError(
                f"fill_up is {self.fill_up!r}{meant or '; write popularity or none'}"
            )
        seen_rule(self.seen)
        object.__setattr__(self, "now", moment(self.now))

    @property
    def seen_as(self) -> SeenRule | None:
        """When items of the history are recommended; None leaves it to ``exclude_seen``."""
        return seen_rule(self.seen)

    @property
    def boosts(self) -> tuple[Boost, ...]:
        """The changes of scores."""
        return tuple(each for each in self.boost if isinstance(each, Boost))

    @property
    def conditions(self) -> dict[str, tuple[str, ...]]:
        """``only_where`` and ``exclude_where`` to their expressions."""
        return {"only_where": tuple(self.only_where), "exclude_where": tuple(self.exclude_where)}

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the rules that are not at their default."""
        values = {name: getattr(self, name) for name in NAMES}
        return tuple(
            name
            for name, value in values.items()
            if name == "now" or not isinstance(value, PLAIN) or value not in UNSET
            if value is not None
        )

    @property
    def pool(self) -> int:
        """Smallest number of best items among which diversity chooses."""
        return 50 if self.diversity_pool is None else self.diversity_pool


NAMES = tuple(each.name for each in fields(Rules) if each.name != "bounds")
"""Names of the rules."""


def _texts(name: str, value: object) -> tuple[str, ...]:
    """Return one or several expressions as a tuple.

    Raises:
        SettingsError: The value is neither a text nor a list of texts.
    """
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
        raise SettingsError(f"{name} is {value!r}; write an expression such as 'stock > 0'")
    return tuple(texts)


def _type_names(value: object) -> tuple[str, ...]:
    """Return the names of event types as a tuple; a text may name several, with commas.

    Raises:
        SettingsError: The value is neither a text nor a list of texts.
    """
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise SettingsError(f"seen_types is {value!r}; write types of events, such as purchase")
    return tuple(value)


def _check_tokens(name: str, value: object) -> None:
    """Refuse what is neither a list nor a path.

    Raises:
        SettingsError: The value has another type.
    """
    is_list = isinstance(value, Sequence) and not isinstance(value, bytes | bytearray)
    if value is not None and not is_list and not isinstance(value, Path):
        raise SettingsError(f"{name} is {value!r}; give a list of items, or the path of a file")


def _check_table(name: str, value: object) -> None:
    """Refuse what is neither a path nor a data frame.

    Raises:
        SettingsError: The value has another type.
    """
    if isinstance(value, UserLists):
        return
    is_rows = isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value)
    is_table = isinstance(value, str | Path | Mapping) or hasattr(value, "columns") or is_rows
    if value is not None and not is_table:
        raise SettingsError(
            f"{name} is {value!r}; give a file or a table with a user and an item column"
        )


def _boost(given: object) -> Boost:
    """Return a boost from its text or mapping.

    Raises:
        SettingsError: It is neither, or its parts are wrong.
    """
    if isinstance(given, Boost):
        return given
    if isinstance(given, Mapping):
        return _boost_from_mapping(given)
    found = BOOST.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise SettingsError(f"boost is {given!r}; {HOW_TO_BOOST}")
    kind, rest = found[1].lower(), found[2]
    word = next((each for each in WHERE.finditer(rest) if each[1]), None)
    amount = rest if word is None else rest[: word.start()]
    where = None if word is None else rest[word.end() :].strip()
    if not amount.strip() or where == "":
        raise SettingsError(f"boost is {given!r}; {HOW_TO_BOOST}")
    return Boost("multiply" if kind == "multiply" else "add", amount.strip(), where)


def _boost_from_mapping(given: Mapping[str, Any]) -> Boost:
    for key in given:
        if key not in ("multiply", "add", "where"):
            meant = did_you_mean(str(key), ["multiply", "add", "where"])
            raise SettingsError(
                f"boost has an unknown key {key!r}{meant} (keys: multiply, add, where)"
            )
    amounts = [key for key in ("multiply", "add") if key in given]
    if len(amounts) != 1:
        raise SettingsError(f"boost is {dict(given)!r}; give either multiply or add")
    amount, where = given[amounts[0]], given.get("where")
    is_amount = isinstance(amount, str | int | float) and not isinstance(amount, bool)
    if not is_amount or not isinstance(where, str | None):
        raise SettingsError(
            f"boost is {dict(given)!r}; amounts and conditions are texts or numbers"
        )
    return Boost("multiply" if amounts[0] == "multiply" else "add", str(amount), where)


def _check_limits(limits: object) -> None:
    """Refuse limits that are not a mapping of columns to whole numbers.

    Raises:
        SettingsError: They are not.
    """
    if not isinstance(limits, Mapping):
        raise SettingsError(f"max_per is {limits!r}; write such as {{category: 2}}")
    for name, limit in limits.items():
        if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit < 2**31:
            raise SettingsError(
                f"max_per: the limit for {name!r} is {limit!r}; it must be a whole number from 1"
            )


def _check_diversity(strength: object, pool: object) -> None:
    """Refuse a strength outside 0..1 and a pool that is not a size.

    Raises:
        SettingsError: One of them is invalid.
    """
    is_number = isinstance(strength, int | float) and not isinstance(strength, bool)
    if not is_number or not 0 <= float(str(strength)) <= 1 or math.isnan(float(str(strength))):
        raise SettingsError(f"diversity is {strength!r}; it must be a number from 0 to 1")
    if pool is not None and (not isinstance(pool, int) or isinstance(pool, bool) or pool < 1):
        raise SettingsError(f"diversity_pool is {pool!r}; it must be a whole number from 1")
