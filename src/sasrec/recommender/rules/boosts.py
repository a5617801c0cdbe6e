"""Boosts: changes of the scores of some items.

All factors of an item are multiplied with each other, then all its amounts are added up. A score s
becomes ``s * factor + amount`` if s is positive, and ``s / factor + amount`` if it is negative, so
that a factor above 1 raises every score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from sasrec.errors import SettingsError, counted, printable
from sasrec.recommender.rules.expressions import amounts, condition
from sasrec.recommender.rules.rules import Boost
from sasrec.remarks import Remark

ROUNDING = 2.0**-22
"""Rounding error of a boosted float32 score, relative to the largest number involved."""
LARGEST = 1e20
"""Largest factor or amount; with more, scores of float32 could become infinite."""


@dataclass(frozen=True, slots=True)
class Boosts:
    """Factors and amounts by item.

    Attributes:
        factors: float64 [V], positive; None if no score is multiplied.
        amounts: float64 [V]; None if nothing is added.
        changed: int64, the items with a factor other than 1.
    """

    factors: Tensor | None
    amounts: Tensor | None
    changed: Tensor

    def multiply_(self, scores: Tensor) -> None:
        """Apply the factors to scores in place.

        Args:
            scores: float [b, V].
        """
        if self.factors is not None and len(self.changed):
            columns = self.changed.to(scores.device)
            factors = self.factors.to(scores.device, scores.dtype)[columns]
            some = scores[:, columns]
            scores[:, columns] = torch.where(some > 0, some * factors, some / factors)

    def of_items(self, scores: Tensor, items: Tensor) -> Tensor:
        """Return the changed scores of some items.

        Args:
            scores: float64 [n].
            items: int64 [n], their numbers.

        Returns:
            float64 [n].
        """
        if self.factors is not None:
            factors = self.factors.to(scores.device)[items]
            scores = torch.where(scores > 0, scores * factors, scores / factors)
        return scores if self.amounts is None else scores + self.amounts.to(scores.device)[items]

    def margin(self, margin: Tensor, largest: Tensor) -> Tensor:
        """Return the largest rounding error of a difference of changed scores.

        Args:
            margin: float [b], that of the scores before the change.
            largest: float [b], upper limit on the size of these scores.

        Returns:
            float [b].
        """
        factor = 1.0
        if self.factors is not None:
            factor = float(torch.maximum(self.factors, 1 / self.factors).max())
        amount = 0.0 if self.amounts is None else float(self.amounts.abs().max())
        return margin * factor + (largest * factor + amount) * ROUNDING


def boosts_for(
    boosts: Sequence[Boost], columns: pl.DataFrame, remarks: list[Remark]
) -> Boosts | None:
    """Return factors and amounts by item.

    Args:
        boosts: The boosts as written.
        columns: Item columns, one row per item.
        remarks: List to which remarks on missing values are added.

    Returns:
        The boosts; None if there are none.

    Raises:
        SettingsError: An expression is wrong, a factor is not positive, or a number is too large.
    """
    if not boosts:
        return None
    neutral = {"multiply": 1.0, "add": 0.0}
    totals = {kind: np.full(columns.height + 1, value) for kind, value in neutral.items()}
    for boost in boosts:
        values, missing = _values(boost, columns)
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
    factors, added = (torch.from_numpy(totals[kind]) for kind in ("multiply", "add"))
    changed = (factors != 1).nonzero()[:, 0]
    return Boosts(
        factors=factors if len(changed) else None,
        amounts=added if added.any() else None,
        changed=changed,
    )


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


def _values(boost: Boost, columns: pl.DataFrame) -> tuple[np.ndarray, int]:
    """Return the amount for each item, NaN where it does not apply, and how many lack a value.

    Raises:
        SettingsError: An amount is infinite, or a factor is not positive.
    """
    what = f"boost {boost.kind}"
    values = amounts(boost.amount, columns, what)
    applies = np.ones(len(values), dtype=bool)
    if boost.where is not None:
        applies, _ = condition(boost.where, columns, what)
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
