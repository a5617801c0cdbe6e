"""Expressions over item columns, such as ``stock > 0 and category != 'gift cards'``."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from sasrec.data.expressions import Subject, evaluated
from sasrec.data.expressions import condition as condition_over
from sasrec.data.item_columns import kind_of
from sasrec.errors import SettingsError

ITEMS = Subject(
    "item",
    "item column",
    "give a table of items with --items (in Python: items=), or train with it",
)
condition = partial(condition_over, about=ITEMS)
"""Return which items meet a condition; see ``sasrec.data.expressions``."""


def amounts(text: str, frame: pl.DataFrame, what: str) -> np.ndarray:
    """Return a number for each item.

    Args:
        text: A number, or an expression that gives one.
        frame: Item columns, one row per item.
        what: Name of the rule, for error messages.

    Returns:
        float64 [n_items]; NaN where a value is missing.

    Raises:
        SettingsError: The text gives no numbers.
    """
    found = evaluated(text, frame, what, about=ITEMS)
    if not found.dtype.is_numeric():
        raise SettingsError(f"{what}: {text!r} gives {kind_of(found.dtype)}, not numbers")
    return found.cast(pl.Float64).fill_null(float("nan")).to_numpy()
