"""Incomplete rows: those without a user, an item or a time, refused or left out, and counted."""

from __future__ import annotations

import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.values.tokens import place_of
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings


def complete_rows(
    frame: pl.DataFrame, lacking: dict[str, pl.Series], settings: DataSettings, where: str
) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """Return the rows that have all they need.

    Args:
        frame: One row an event.
        lacking: Name of a column to whether each row lacks its value, Boolean, for each column
            that must be there.
        settings: ``incomplete``.
        where: What to call the source in an error text.

    Returns:
        The frame, or fewer rows of it, and what to say of those that are left out.

    Raises:
        DataError: Rows are incomplete and may not be left out, or none is complete.
    """
    counts = {name: int(each.sum() or 0) for name, each in lacking.items() if each.any()}
    if not counts:
        return frame, ()
    name = next(iter(counts))
    is_incomplete = pl.select(pl.any_horizontal([lacking[each] for each in counts])).to_series()
    count, height = int(is_incomplete.sum() or 0), frame.height
    by_column = ", ".join(f"{each!r} in {many:,}" for each, many in counts.items())
    if settings.incomplete == "refuse":
        raise DataError(
            place_of(lacking[name], name, where)
            + f" is empty; fill or drop it ({_rows(count, height)} incomplete: {by_column}; "
            "incomplete=drop leaves such rows out)"
        )
    if count == height:
        raise DataError(f"{where} holds no complete row, with a user, an item and a time if asked")
    were = "was" if count == 1 else "were"
    text = f"{count:,} of {height:,} rows {were} dropped (incomplete=drop): missing {by_column}"
    return frame.filter(~is_incomplete), (Remark("incomplete_rows", count, text),)


def _rows(count: int, height: int) -> str:
    return f"{count:,} of {height:,} rows {'is' if count == 1 else 'are'}"
