"""Incomplete rows, which lack a user, an item or a time: they are an error, or are dropped."""

from __future__ import annotations

import polars as pl

from sasrec.data.values.tokens import first_location
from sasrec.errors import DataError, SettingNeeded
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings


def complete_rows(
    frame: pl.DataFrame, lacking: dict[str, pl.Series], settings: DataSettings, where: str
) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """Return the rows in which no required value is missing.

    Args:
        frame: One row per event.
        lacking: For each required column, by name: whether each row lacks its value, Boolean.
        settings: Its ``incomplete`` says whether to drop incomplete rows or raise an error.
        where: Name of the data source, for error messages.

    Returns:
        The complete rows, and a remark if rows were dropped.

    Raises:
        SettingNeeded: Rows are incomplete and may not be dropped.
        DataError: No row is complete.
    """
    counts = {name: int(each.sum() or 0) for name, each in lacking.items() if each.any()}
    if not counts:
        return frame, ()
    name = next(iter(counts))
    is_incomplete = pl.select(pl.any_horizontal([lacking[each] for each in counts])).to_series()
    count, height = int(is_incomplete.sum() or 0), frame.height
    by_column = ", ".join(f"{each!r} in {many:,}" for each, many in counts.items())
    if settings.incomplete == "refuse":
        raise SettingNeeded(
            first_location(lacking[name], name, where)
            + f" is empty; fill it in or delete the row ({_rows(count, height)} incomplete: "
            f"{by_column}; incomplete=drop drops such rows)",
            ({"incomplete": "drop"},) if count < height else (),
        )
    if count == height:
        columns = ", ".join(map(repr, lacking))
        raise DataError(f"{where}: no row has a value in all of the columns {columns}")
    were = "was" if count == 1 else "were"
    text = f"{count:,} of {height:,} rows {were} dropped (incomplete=drop): missing {by_column}"
    return frame.filter(~is_incomplete), (Remark("incomplete_rows", count, text),)


def _rows(count: int, height: int) -> str:
    return f"{count:,} of {height:,} rows {'is' if count == 1 else 'are'}"
