"""Groups of items, such as categories, and their codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.choosing import Groups
from sasrec_serve.rules.expressions import ItemTable
from sasrec_serve.rules.remarks import Remark
from sasrec_serve.rules.values import Values
from sasrec_serve.rules.wording import counted, did_you_mean, printable


def groups_for(
    limits_by_column: Mapping[str, int], table: ItemTable, remarks: list[Remark]
) -> Groups | None:
    """Return the groups of items and their limits.

    Args:
        limits_by_column: Column to the largest number of items with the same value there.
        table: Item columns.
        remarks: List to which remarks on missing values are added.

    Returns:
        The groups; None without limits.

    Raises:
        SettingsError: A column does not exist.
    """
    if not limits_by_column:
        return None
    parts, limits, first = [], [], 0
    for name, limit in limits_by_column.items():
        known = list(table.columns)
        if name not in known:
            has = f"columns: {', '.join(known)}" if known else "give a table of items"
            raise SettingsError(
                f"max_per: there is no item column {name!r}{did_you_mean(name, known)} ({has})"
            )
        codes = _codes(table.columns[name])
        remarks += _missing_groups(name, codes)
        parts.append(np.where(codes < 0, -1, codes + first))
        limits += [limit] * codes.shape[1]
        first += int(codes.max(initial=-1)) + 1
    whole = np.concatenate(parts, axis=1)
    padded = np.concatenate([np.full((1, whole.shape[1]), -1, dtype=np.int64), whole])
    return Groups(padded, np.array(limits, dtype=np.int64))


def _codes(column: Values) -> np.ndarray:
    """Return the numbers of the groups of each item from 0, int64 [n_items, W]; -1 fills up."""
    if column.offsets is None:
        codes = np.unique(column.data, return_inverse=True)[1].reshape(-1)
        found: np.ndarray = np.where(column.mask, codes, -1)[:, None]
        return found
    sizes = np.where(column.mask, np.diff(column.offsets), 0)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    pairs = np.unique(np.stack([rows, column.data.astype(np.int64)], axis=1), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=len(sizes))
    begins = np.cumsum(counts) - counts
    codes = np.full((len(sizes), max(1, int(counts.max(initial=0)))), -1, dtype=np.int64)
    codes[pairs[:, 0], np.arange(len(pairs)) - begins[pairs[:, 0]]] = pairs[:, 1]
    return codes


def _missing_groups(name: str, codes: np.ndarray) -> list[Remark]:
    count = int((codes < 0).all(axis=1).sum())
    if not count:
        return []
    text = f"max_per {name}: {counted(count, 'item has', 'items have')} no value and no limit"
    return [Remark("missing_item_values", count, printable(text))]
