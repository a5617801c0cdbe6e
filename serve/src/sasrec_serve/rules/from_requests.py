"""Rules in a request: only what cannot harm a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.expressions import Written, checked
from sasrec_serve.rules.parsing import FOREIGN
from sasrec_serve.rules.rules import NAMES, Rules
from sasrec_serve.rules.user_items import UserLists
from sasrec_serve.rules.wording import did_you_mean
from sasrec_serve.rules.written import rules_from_values

MOST_ITEMS = 100_000
"""Items that all lists of a request may name together."""
MOST_EXPRESSIONS = 20
"""Conditions and boosts of a request."""
MOST_GROUPS = 8
"""Columns in ``max_per`` of a request."""
LARGEST_POOL = 1_000
"""Largest ``diversity_pool`` of a request."""


def rules_from_request(values: Mapping[str, Any]) -> Rules:
    """Return the rules of a request.

    All rules are allowed, within these limits. ``candidates`` and ``exclude`` are lists of items,
    and ``candidates_by_user`` and ``exclude_by_user`` map users to lists of items, never paths.
    There may be 20 conditions and boosts, each of at most 1,000 characters and 200 words and signs,
    which see the values of one item and nothing else; 8 columns in ``max_per``; a
    ``diversity_pool`` of 1,000; and 100,000 items.

    Args:
        values: Name of each rule to its value, as read from JSON.

    Returns:
        The rules; their expressions are within the limits, but not yet looked up.

    Raises:
        SettingsError: A rule is unknown, invalid or beyond a limit.
    """
    if not isinstance(values, Mapping):
        raise SettingsError("rules must be an object, such as {'only_where': 'stock > 0'}")
    for name in values:
        if name not in NAMES:
            raise SettingsError(
                f"rules: unknown rule {str(name)[:60]!r}{did_you_mean(str(name)[:60], NAMES)} "
                f"(rules: {', '.join(NAMES)})"
            )
    given = {
        name: CONVERTED.get(name, _plain)(value, name)
        for name, value in values.items()
        if value is not None
    }
    rules = replace(rules_from_values(given, "rules"), bounds=FOREIGN)
    _check_expressions(rules)
    if len(rules.max_per) > MOST_GROUPS:
        raise SettingsError(f"rules: max_per names more than {MOST_GROUPS} columns")
    if rules.diversity_pool is not None and rules.diversity_pool > LARGEST_POOL:
        raise SettingsError(f"rules: diversity_pool is more than {LARGEST_POOL:,}")
    return rules


def _plain(value: Any, name: str) -> Any:
    """Return a value that no path or object of Python can be."""
    return value


def _items(value: Any, name: str) -> list[str]:
    """Return a list of items.

    Raises:
        SettingsError: It is a path or something else, or too long.
    """
    if not isinstance(value, list):
        raise SettingsError(f"rules: {name} must be a list of items; a request cannot name files")
    if len(value) > MOST_ITEMS:
        raise SettingsError(f"rules: {name} has more than {MOST_ITEMS:,} items")
    for each in value:
        if not isinstance(each, str | int) or isinstance(each, bool):
            raise SettingsError(f"rules: {name} has {str(each)[:60]!r}, which is no item")
    return [str(each) for each in value]


def _items_by_user(value: Any, name: str) -> UserLists:
    """Return lists of items by user.

    Raises:
        SettingsError: It is a path or something else, or too large.
    """
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"rules: {name} must map users to lists of items, such as {{'u1': ['A-1']}}; a request "
            "cannot name files"
        )
    lists = {str(user): _items(items, name) for user, items in value.items()}
    if sum(map(len, lists.values())) > MOST_ITEMS:
        raise SettingsError(f"rules: {name} has more than {MOST_ITEMS:,} items")
    return UserLists(lists)


CONVERTED: dict[str, Callable[[Any, str], Any]] = {
    "candidates": _items,
    "exclude": _items,
    "candidates_by_user": _items_by_user,
    "exclude_by_user": _items_by_user,
}
"""Rules that could be paths, to the functions that read them."""


def _check_expressions(rules: Rules) -> None:
    """Refuse expressions that are too many or too large.

    Raises:
        SettingsError: They are.
    """
    texts = [(name, text) for name, own in rules.conditions.items() for text in own]
    texts += [] if rules.rebuy_where is None else [("rebuy_where", rules.rebuy_where)]
    for boost in rules.boosts:
        texts += [(f"boost {boost.kind}", each) for each in (boost.amount, boost.where) if each]
    if len(texts) > MOST_EXPRESSIONS:
        raise SettingsError(f"rules: there are more than {MOST_EXPRESSIONS} conditions and boosts")
    for name, text in texts:
        checked(Written(text, name, FOREIGN))
