"""Groups of items, such as categories, and their codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch

from sasrec.data.expressions import ROW
from sasrec.errors import SettingsError, counted, did_you_mean, printable
from sasrec.recommender.rules.choosing import Groups
from sasrec.remarks import Remark


def groups_for(
    limits_by_column: Mapping[str, int], columns: pl.DataFrame, remarks: list[Remark]
) -> Groups | None:
    """Return the groups of items and their limits.

    Args:
        limits_by_column: Column to the largest number of items with the same value there.
        columns: Item columns, one row per item.
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
        known = [each for each in columns.columns if each != ROW]
        if name not in known:
            has = f"columns: {', '.join(known)}" if known else "give a table of items with --items"
            raise SettingsError(
                f"max_per: there is no item column {name!r}{did_you_mean(name, known)} ({has})"
            )
        codes = _codes(columns[name])
        remarks += _missing_groups(name, codes)
        parts.append(np.where(codes < 0, -1, codes + first))
        limits += [limit] * codes.shape[1]
        first += int(codes.max(initial=-1)) + 1
    table = np.concatenate(parts, axis=1)
    padded = np.concatenate([np.full((1, table.shape[1]), -1, dtype=np.int64), table])
    return Groups(torch.from_numpy(padded), torch.tensor(limits, dtype=torch.int64))


def _codes(column: pl.Series) -> np.ndarray:
    """Return the numbers of the groups of each item from 0, int64 [n_items, W]; -1 fills up."""
    rows = pl.DataFrame({"row": pl.int_range(len(column), eager=True), "value": column})
    if column.dtype == pl.List:
        rows = rows.with_columns(pl.col("value").list.unique(maintain_order=True)).explode("value")
    rows = rows.drop_nulls().with_columns(code=pl.col("value").rank("dense").cast(pl.Int64) - 1)
    rows = rows.with_columns(place=pl.int_range(pl.len()).over("row"))
    width = 1 + int(rows["place"].to_numpy().max(initial=0))
    codes = np.full((len(column), width), -1, dtype=np.int64)
    codes[rows["row"].to_numpy(), rows["place"].to_numpy()] = rows["code"].to_numpy()
    return codes


def _missing_groups(name: str, codes: np.ndarray) -> list[Remark]:
    count = int((codes < 0).all(axis=1).sum())
    if not count:
        return []
    text = f"max_per {name}: {counted(count, 'item has', 'items have')} no value and no limit"
    return [Remark("missing_item_values", count, printable(text))]
