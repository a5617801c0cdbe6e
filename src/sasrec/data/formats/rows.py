"""Rows: a table that comes piece by piece, whose numbers never stand in memory twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from sasrec.errors import DataError


class Rows:
    """Pieces of a table, put one after the other.

    Columns of numbers are filled in place: joining pieces at the end would take their memory
    again, and Polars does not give back at once what the pieces had.

    >>> rows = Rows(3, {"n": np.int32})
    >>> rows.append(pl.DataFrame({"n": [4, 5], "text": ["a", None]}))
    >>> rows.append(pl.DataFrame({"n": [6], "text": ["b"]}))
    >>> rows.frame().rows()
    [(4, 'a'), (5, None), (6, 'b')]
    """

    def __init__(self, most: int, kinds: Mapping[str, npt.DTypeLike]) -> None:
        """Make room.

        Args:
            most: How many rows may come; what they do not fill takes address space alone.
            kinds: Columns of numbers that have no nulls, and their types.
        """
        self._numbers = {name: np.empty(most, dtype=kind) for name, kind in kinds.items()}
        self._others: list[pl.DataFrame] = []
        self._height = 0

    def append(self, piece: pl.DataFrame) -> None:
        """Put a piece after the others.

        Args:
            piece: Of the same columns as the others.

        Raises:
            DataError: More rows come than there were when they were counted.
        """
        rows = slice(self._height, self._height + piece.height)
        if any(rows.stop > len(column) for column in self._numbers.values()):
            raise DataError("a file changed while it was read; read it again")
        for name, column in self._numbers.items():
            column[rows] = piece[name].to_numpy()
        self._others.append(piece.drop(self._numbers))
        self._height = rows.stop

    def take(self, name: str) -> np.ndarray:
        """Return a column of numbers and let go of it.

        Args:
            name: The column.
        """
        return self._numbers.pop(name)[: self._height]

    def frame(self) -> pl.DataFrame:
        """Return all rows and let go of them, columns of numbers first."""
        # Polars copies a column of NumPy's, so one at a time is there twice.
        numbers = [pl.Series(name, self.take(name)) for name in list(self._numbers)]
        return pl.DataFrame([*numbers, *pl.concat(self._others).get_columns()])
