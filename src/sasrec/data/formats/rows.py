"""Rows: collects a table that comes in pieces, without holding its numbers in memory twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from sasrec.errors import DataError


class Rows:
    """A table that is appended to piece by piece.

    Number columns are written into arrays allocated up front. Concatenating pieces at the end would
    need their memory twice, and Polars does not free the pieces at once.

    >>> rows = Rows(3, {"n": np.int32})
    >>> rows.append(pl.DataFrame({"n": [4, 5], "text": ["a", None]}))
    >>> rows.append(pl.DataFrame({"n": [6], "text": ["b"]}))
    >>> rows.frame().rows()
    [(4, 'a'), (5, None), (6, 'b')]
    """

    def __init__(self, max_rows: int, dtypes: Mapping[str, npt.DTypeLike]) -> None:
        """Allocate the number columns.

        Args:
            max_rows: Upper limit on the number of rows; the unused rest takes address space, but no
                memory.
            dtypes: Number columns, which have no nulls, and their dtypes.
        """
        self._numbers = {name: np.empty(max_rows, dtype=dtype) for name, dtype in dtypes.items()}
        self._others: list[pl.DataFrame] = []
        self._height = 0

    def append(self, piece: pl.DataFrame) -> None:
        """Append a piece.

        Args:
            piece: Rows with the same columns as the earlier pieces.

        Raises:
            DataError: There are more rows than were counted before reading.
        """
        rows = slice(self._height, self._height + piece.height)
        if any(rows.stop > len(column) for column in self._numbers.values()):
            raise DataError("a file changed while it was read; read it again")
        for name, column in self._numbers.items():
            column[rows] = piece[name].to_numpy()
        self._others.append(piece.drop(self._numbers))
        self._height = rows.stop

    def take(self, name: str) -> np.ndarray:
        """Return a number column and remove it from the table, so that its memory can be freed.

        Args:
            name: The column.
        """
        return self._numbers.pop(name)[: self._height]

    def frame(self) -> pl.DataFrame:
        """Return all rows, number columns first, and empty the table."""
        # Polars copies NumPy arrays; taking one at a time keeps only one of them in memory twice.
        numbers = [pl.Series(name, self.take(name)) for name in list(self._numbers)]
        return pl.DataFrame([*numbers, *pl.concat(self._others).get_columns()])
