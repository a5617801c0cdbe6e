"""Boosts: changes of the scores of some items.

All factors of an item are multiplied with each other, then all its amounts are added up. A score s
becomes ``s * factor + amount`` if s is positive, and ``s / factor + amount`` if it is negative, so
that a factor above 1 raises every score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.expressions import ItemTable, Written, amounts, condition
from sasrec_serve.rules.parsing import OWN, Bounds
from sasrec_serve.rules.remarks import Remark
from sasrec_serve.rules.rules import Boost
from sasrec_serve.rules.wording import counted, printable

ROUNDING = 2.0**-22
"""Rounding error of a boosted float32 score, relative to the largest number involved."""

LARGEST = 1e20
"""Largest factor or amount; with more, scores of float32 could become infinite."""


@dataclass(frozen=True, slots=True, eq=False)
class Boosts:
    """Factors and amounts by item.

    Attributes:
        factors: float64 [V], positive; None if no score is multiplied.
        amounts: float64 [V]; None if nothing is added.
        changed: int64, the items whose score changes.
        highest_factor: The highest factor, at least 1.
        highest_amount: The highest amount, at least 0.
        growth: The largest factor by which a difference of scores grows.
        largest_amount: The largest size of an amount.
    """

    factors: np.ndarray | None
    amounts: np.ndarray | None
    changed: np.ndarray
    highest_factor: float
    highest_amount: float
    growth: float
    largest_amount: float

    @classmethod
    def of(cls, factors: np.ndarray, amounts: np.ndarray) -> Boosts:
        """Return boosts from factors and amounts.

        Args:
            factors: float64 [V], positive.
            amounts: float64 [V].
        """
        return cls(
            factors=factors if (factors != 1).any() else None,
            amounts=amounts if amounts.any() else None,
            changed=np.flatnonzero((factors != 1) | (amounts != 0)),
            highest_factor=float(factors.max(initial=1.0)),
            highest_amount=float(amounts.max(initial=0.0)),
            growth=float(np.maximum(factors, 1 / factors).max(initial=1.0)),
            largest_amount=float(np.abs(amounts).max(initial=0.0)),
        )

    def of_items(self, scores: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the changed scores of some items.

        Args:
            scores: float64 [n].
            items: int64 [n], their numbers.

        Returns:
            float64 [n].
        """
        if self.factors is not None:
            factors = self.factors[items]
            scores = np.where(scores > 0, scores * factors, scores / factors)
        return scores if self.amounts is None else scores + self.amounts[items]

    def highest(self, score: float) -> float:
        """Return the highest score that boosts can give an item whose score is at most this.

        Args:
            score: The score.
        """
        factor = self.highest_factor
        return (score * factor if score > 0 else score / factor) + self.highest_amount

    def change_(self, scores: np.ndarray) -> None:
        """Change the scores of all items in place, with the rounding that ``margin`` allows for.

        Args:
            scores: float32 [V].
        """
        if self.factors is not None:
            factors = self.factors[self.changed].astype(np.float32)
            some = scores[self.changed]
            scores[self.changed] = np.where(some > 0, some * factors, some / factors)
        if self.amounts is not None:
            scores += self.amounts.astype(np.float32)

    def margin(self, margin: float, largest: float) -> float:
        """Return the largest rounding error of a difference of changed scores.

        Args:
            margin: That of the scores before the change.
            largest: Upper limit on the size of these scores.
        """
        return margin * self.growth + (largest * self.growth + self.largest_amount) * ROUNDING


def boosts_for(
    boosts: Sequence[Boost], table: ItemTable, remarks: list[Remark], bounds: Bounds = OWN
) -> Boosts | None:
    """Return factors and amounts by item.

    Args:
        boosts: The boosts as written.
        table: Item columns.
        remarks: List to which remarks on missing values are added.
        bounds: How large expressions may be.

    Returns:
        The boosts; None if there are none.

    Raises:
        SettingsError: An expression is wrong, a factor is not positive, or a number is too large.
    """
    if not boosts:
        return None
    neutral = {"multiply": 1.0, "add": 0.0}
    totals = {kind: np.full(table.n_items + 1, value) for kind, value in neutral.items()}
    for boost in boosts:
        values, missing = _values(boost, table, bounds)
        values = np.where(np.isnan(values), neutral[boost.kind], values)
        if missing:
            text = f"boost {boost.amount!r}: {counted(missing, 'item')} without a value not boosted"
            remarks.append(Remark("missing_item_values", missing, printable(text)))
        with np.errstate(all="ignore"):  # checked below
            if boost.kind == "multiply":
                totals["multiply"][1:] *= values
            else:
                totals["add"][1:] += values
    _check_totals(totals["multiply"], totals["add"])
    return Boosts.of(totals["multiply"], totals["add"])


def _check_totals(factors: np.ndarray, amounts: np.ndarray) -> None:
    """Refuse boosts with which scores would not fit into float32.

    Raises:
        SettingsError: The factors or the amounts of an item are too large.
    """
    with np.errstate(all="ignore"):
        largest = max(factors.max(), (1 / factors).max(), np.abs(amounts).max())
    if not largest <= LARGEST:  # NaN included
        raise SettingsError(
            f"boost: all factors of an item together must be from {1 / LARGEST:g} to {LARGEST:g}, "
            f"and all amounts from -{LARGEST:g} to {LARGEST:g}"
        )


def _values(boost: Boost, table: ItemTable, bounds: Bounds) -> tuple[np.ndarray, int]:
    """Return the amount for each item, NaN where it does not apply, and how many lack a value.

    Raises:
        SettingsError: An amount is infinite, or a factor is not positive.
    """
    what = f"boost {boost.kind}"
    values = amounts(Written(boost.amount, what, bounds), table)
    applies = np.ones(len(values), dtype=bool)
    if boost.where is not None:
        applies, _ = condition(Written(boost.where, what, bounds), table)
    bad = applies & (np.isinf(values) | ((values <= 0) if boost.kind == "multiply" else False))
    if bad.any():
        rule = "finite and above 0" if boost.kind == "multiply" else "finite"
        hint = "; use exclude_where to leave items out" if boost.kind == "multiply" else ""
        raise SettingsError(
            f"{what}: {boost.amount!r} is {values[bad][0]:g} for "
            f"{counted(int(bad.sum()), 'item')}; it must be {rule}{hint}"
        )
    missing = int((applies & np.isnan(values)).sum())
    return np.where(applies, values, np.nan), missing
