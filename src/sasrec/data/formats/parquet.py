"""Parquet files, read some rows at a time, so that no column is ever in memory as text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.formats.changes import check_unchanged, seen
from sasrec.data.formats.limits import check_rows
from sasrec.data.formats.parquet_footer import BROKEN, check_sizes
from sasrec.data.formats.tables import from_table, gathered, needed_of
from sasrec.data.interactions import Interactions, require_columns
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering
from sasrec.data.values.times import as_times
from sasrec.data.values.timestamps import Zones, numbers_or_moments
from sasrec.data.values.tokens import spelled
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.system.children import python_command

SHARE, SMALLEST, LARGEST = 16, 2**14, 2**19
"""A slice is a sixteenth of the rows, within these numbers of them."""
MOST_CHARACTERS, FEW_CHARACTERS = 100, 2**26
"""Bytes of tokens: so many times the file, and so many in any. Parquet tells a text once."""
TRIAL = """
import sys, polars
for name in sys.argv[2:]:
    polars.read_parquet(sys.argv[1], columns=[name], glob=False)
"""


def read_parquet(path: Path, columns: DataSettings) -> Interactions:
    """Read a Parquet file.

    Args:
        path: The file.
        columns: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The file is broken, lacks a column, or holds rows without end.
    """
    before = seen(path)
    tokens = (columns.user_column, columns.item_column)
    needs_trial = check_sizes(path, tuple(needed_of(columns)))
    with _named(path):
        table = pl.scan_parquet(path, glob=False)
        kinds = table.collect_schema()
        height = table.select(pl.len()).collect().item()
    names = loaded_columns(list(kinds), "inter", columns)
    require_columns(names, tokens, str(path))
    values = [name for name in needed_of(columns) if name in names and name not in tokens]
    check_rows(path, height)
    if needs_trial:
        _try_elsewhere(path, [*tokens, *values])
    # Times that are text may be numbers in some slices and dates in others.
    times = [n for n in values if n == columns.time_column and kinds[n] != pl.String]
    texts = [n for n in values if n == columns.time_column and n not in times]
    zones = Zones()
    as_moments = partial(numbers_or_moments, missing=columns.missing_values, zones=zones)
    numberings = {name: numbering_for(columns) for name in tokens}
    frame, entries = gathered(
        partial(_slices, path, height, times),
        values,
        numberings,
        numbers=times,
        read_as=dict.fromkeys(texts, as_moments),
        most=height,
    )
    check_unchanged(path, before)
    remarks = zones.remarks(columns.time_column)
    return from_table(frame, names, path, columns, tokens=entries, remarks=remarks)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say in one line what Polars says of a broken file.

    Raises:
        DataError: The file is broken.
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read as Parquet: {said}") from error
    except pl.exceptions.PanicException as error:
        raise DataError(BROKEN.format(path, "values")) from error


def _try_elsewhere(path: Path, names: list[str]) -> None:
    """Read some columns in a process of its own, which a size that cannot be may end.

    Raises:
        DataError: It did.
    """
    if getattr(sys, "frozen", False):  # where the executable is not Python
        return
    command = python_command("-c", TRIAL, str(path), *names)
    if subprocess.run(command, capture_output=True).returncode:
        raise DataError(BROKEN.format(path, "values"))


def _slices(
    path: Path,
    height: int,
    times: list[str],
    names: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a file slice by slice.

    Args:
        path: The file.
        height: Its rows.
        times: Columns among ``names`` to yield as times.
        names: Columns to yield, the others as they are.
        numberings: Columns of tokens, yielded as numbers; are added to.

    Yields:
        Rows.

    Raises:
        DataError: A token or a time is none, or tokens have no end.
    """
    table = pl.scan_parquet(path, glob=False).select([*numberings, *names])
    size = min(max(height // SHARE, SMALLEST), LARGEST)
    characters = 0
    for first in range(0, height, size):
        with _named(path):
            piece = table.slice(first, size).collect()
        for name in numberings:
            if piece[name].dtype == pl.String:
                characters += int(piece[name].str.len_bytes().sum())
        if characters > MOST_CHARACTERS * path.stat().st_size + FEW_CHARACTERS:
            raise DataError(
                f"{path} tells the same long texts over and over; use shorter names of users and "
                "items"
            )
        tokens = [
            each.add(spelled(piece[name], str(path), first)) for name, each in numberings.items()
        ]
        moments = [as_times(piece[name], str(path), first) for name in times if name in names]
        yield piece.with_columns(*tokens, *moments)
