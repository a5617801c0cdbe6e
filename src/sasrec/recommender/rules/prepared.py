"""Rules with everything looked up: which items are allowed, boosts, groups, tables by user."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec.errors import DataError, SettingsError, counted, did_you_mean, printable
from sasrec.recommender.rules.boosts import Boosts, boosts_for
from sasrec.recommender.rules.choosing import Groups
from sasrec.recommender.rules.expressions import condition
from sasrec.recommender.rules.groups import groups_for
from sasrec.recommender.rules.origins import told_with_lines
from sasrec.recommender.rules.rules import Rules
from sasrec.recommender.rules.shop import Shop
from sasrec.recommender.rules.user_items import UserItems, known_items, listed_tokens, user_items
from sasrec.remarks import Remark, log_remarks

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedRules:
    """Rules with everything looked up for one model; may be used for any number of lists.

    Attributes:
        rules: The rules as written.
        candidates: bool [V], the candidates; None if all items with a training event are.
        allowed: bool [V], items that no rule for all users excludes; candidates not considered.
        rebuy: bool [V], items that are recommended although they were seen; None for none.
        boosts: Changes of scores; None for none.
        groups: Limits for groups; None for none.
        candidates_by_user: What each user may get; None for no limit.
        excluded_by_user: What a user must not get; None for nothing.
        fill_order: int64, numbers of the items to fill up with, the most popular first; None if
            lists are not filled up.
        remarks: What the user should know about the rules.
    """

    rules: Rules
    candidates: np.ndarray | None
    allowed: np.ndarray
    rebuy: np.ndarray | None
    boosts: Boosts | None
    groups: Groups | None
    candidates_by_user: UserItems | None
    excluded_by_user: UserItems | None
    fill_order: np.ndarray | None
    remarks: tuple[Remark, ...]

    def excluded(self, excluded: np.ndarray, *, all_trained: bool) -> np.ndarray:
        """Return the items that no list contains.

        Args:
            excluded: bool [V], items excluded without these rules; always includes padding.
            all_trained: Whether these are just the items without a training event, which may be
                recommended if they are candidates of the rules.

        Returns:
            bool [V].

        Raises:
            DataError: No item is left.
        """
        if self.candidates is not None:
            excluded = ~self.candidates if all_trained else excluded | ~self.candidates
        excluded = excluded | ~self.allowed
        if excluded.all() and self.fill_order is None:
            raise DataError("no candidate is left under the rules; loosen one")
        return excluded

    def check_seen(self, *, exclude_seen: bool) -> None:
        """Refuse ``exclude_seen=False`` if the rules exclude seen items.

        Args:
            exclude_seen: The option.

        Raises:
            SettingsError: They contradict each other.
        """
        rule = self.rules.seen_as
        if not exclude_seen and rule is not None and rule.after_seconds:
            raise SettingsError(
                f"--no-exclude-seen (in Python: exclude_seen=False) contradicts the rule seen: "
                f"{self.rules.seen}; remove one"
            )


def prepare_rules(rules: Rules, shop: Shop) -> PreparedRules:
    """Look everything up that rules name.

    Args:
        rules: The rules.
        shop: The model's items and what is known about them.

    Returns:
        The rules for this model; its remarks are logged.

    Raises:
        DataError: A file cannot be read, or no item is left.
        SettingsError: An expression or a column is wrong.
    """  # raised by the parts
    with told_with_lines(rules, lambda one: _looked_up(one, shop)):
        prepared = _looked_up(rules, shop)
    log_remarks((r for r in prepared.remarks if r.kind != "items_left"), "rules")
    return prepared


def _looked_up(rules: Rules, shop: Shop) -> PreparedRules:
    """Return rules for a model, without logging their remarks.

    Raises:
        DataError: No item is left.
    """
    remarks: list[Remark] = []
    candidates = None
    if rules.candidates is not None:
        candidates = _listed(rules.candidates, "candidates", shop, remarks)
    allowed = _allowed(rules, shop, remarks)
    possible = allowed & (shop.trained if candidates is None else candidates)
    fill_order = _fill_order(allowed, shop) if rules.fill_up == "popularity" else None
    if not possible.any() and (fill_order is None or not len(fill_order)):
        known = None if candidates is None else int(candidates.sum())
        raise DataError(
            f"the rules leave no item to recommend ({_left(remarks, known)}); loosen one"
        )
    _check_types(rules.seen_types, shop.event_types)
    rebuy = None
    if rules.rebuy_where is not None:
        met, missing = condition(rules.rebuy_where, shop.columns, "rebuy_where")
        rebuy = _with_padding(met)
        remarks += _missing("rebuy_where", rules.rebuy_where, missing)
    tables = {}
    for name in ("candidates_by_user", "exclude_by_user"):
        source = getattr(rules, name)
        if source is not None:
            tables[name], found = user_items(source, shop.items, shop.settings, name)
            remarks += found
    boosts = boosts_for(rules.boosts, shop.columns, remarks)
    groups = groups_for(rules.max_per, shop.columns, remarks)
    return PreparedRules(
        rules=rules,
        candidates=candidates,
        allowed=allowed,
        rebuy=rebuy,
        boosts=boosts,
        groups=groups,
        candidates_by_user=tables.get("candidates_by_user"),
        excluded_by_user=tables.get("exclude_by_user"),
        fill_order=fill_order,
        remarks=tuple(remarks),
    )


def _check_types(names: Sequence[str], known: tuple[str, ...]) -> None:
    """Refuse types of seen events that the model does not know.

    Args:
        names: The types.
        known: The types that the model knows; without any, those of histories are not known yet.

    Raises:
        SettingsError: A type is unknown.
    """
    for name in names if known else ():
        if name not in known:
            raise SettingsError(
                f"seen_types has {name!r}, a type that the model does not know"
                f"{did_you_mean(name, list(known))} (types: {', '.join(known)})"
            )


def _listed(source: object, rule: str, shop: Shop, remarks: list[Remark]) -> np.ndarray:
    """Return which items a list or file names, bool [V]."""
    tokens = listed_tokens(source, rule)  # type: ignore[arg-type]  # checked by Rules
    numbers, found = known_items(tokens, shop.items, rule)
    remarks += found
    chosen = np.zeros(len(shop.items) + 1, dtype=bool)
    chosen[numbers] = True
    return chosen


def _allowed(rules: Rules, shop: Shop, remarks: list[Remark]) -> np.ndarray:
    """Return the items that no rule for all users excludes, bool [V]."""
    allowed = np.ones(len(shop.items) + 1, dtype=bool)
    allowed[0] = False
    if rules.exclude is not None:
        allowed &= ~_listed(rules.exclude, "exclude", shop, remarks)
    for name, texts in rules.conditions.items():
        for text in texts:
            met, missing = condition(text, shop.columns, name)
            met = _with_padding(met)
            allowed &= met if name == "only_where" else ~met
            left = f"{name} {text!r} leaves {counted(int(allowed.sum()), 'item')}"
            remarks.append(Remark("items_left", int(allowed.sum()), left))
            remarks += _missing(name, text, missing)
    return allowed


def _with_padding(values: np.ndarray) -> np.ndarray:
    return np.append(False, values)


def _missing(rule: str, text: str, count: int) -> list[Remark]:
    """Return a remark on items for which a condition is unknown."""
    if not count:
        return []
    consequence = "is not recommended" if rule == "only_where" else "is treated as not meeting it"
    if count > 1:
        consequence = consequence.replace("is ", "are ", 1)
    sentence = f"{rule} {text!r}: {counted(count, 'item')} without a value {consequence}"
    return [Remark("missing_item_values", count, printable(sentence))]


def _left(remarks: list[Remark], candidates: int | None) -> str:
    """Return how many items each condition leaves, and that no candidate is among them."""
    texts = [each.text for each in remarks if each.kind == "items_left"]
    if candidates is not None:
        texts.append(f"none of the {counted(candidates, 'candidate')} is left")
    return "; ".join(texts) if texts else "exclude names all items"


def _fill_order(allowed: np.ndarray, shop: Shop) -> np.ndarray:
    """Return the items to fill up with, the most popular first, ties by number."""
    numbers = np.flatnonzero(allowed & shop.trained)
    return numbers[np.argsort(-shop.popularity[numbers], kind="stable")]
