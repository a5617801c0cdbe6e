"""The result of ``recommend``: a list of recommendations that can become a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sasrec.recommender.recommendation import Recommendation

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Recommendations(list[Recommendation]):
    """Recommendations in the order of the histories; a list with two more methods."""

    def __init__(
        self,
        found: Iterable[Recommendation] = (),
        titles: Mapping[str, str] | None = None,
        users: Sequence[str | None] | None = None,
    ) -> None:
        """Keep recommendations and what their tables show.

        Args:
            found: One recommendation per history.
            titles: Item token to title.
            users: User token of each history; None if no users were given.
        """
        super().__init__(found)
        self._titles = titles or {}
        self._users = None if users is None else list(users)

    def to_polars(self) -> pl.DataFrame:
        """Return a Polars table with a row per recommended item.

        Returns:
            Columns ``history`` (index of the history, from 0), ``user`` (only if users were given),
            ``rank`` (from 1), ``item``, ``title`` (null if unknown), ``score`` and
            ``by_popularity``.
        """
        import polars as pl

        types = {"history": pl.Int64, "user": pl.String, "rank": pl.Int32, "item": pl.String}
        types |= {"title": pl.String, "score": pl.Float32, "by_popularity": pl.Boolean}
        columns = self._columns()
        return pl.DataFrame(columns, schema={name: types[name] for name in columns})

    def to_pandas(self) -> pd.DataFrame:
        """Return the table of ``to_polars`` as a pandas data frame.

        Returns:
            The same columns; unknown titles and users are None.
        """
        import numpy as np
        import pandas as pd

        types = {"history": np.int64, "rank": np.int32, "score": np.float32, "by_popularity": bool}
        return pd.DataFrame(
            {
                name: np.array(values, dtype=types.get(name, object))
                for name, values in self._columns().items()
            }
        )

    def _columns(self) -> dict[str, list[object]]:
        counts = [len(each.items) for each in self]
        items = [item for each in self for item in each.items]
        columns: dict[str, list[object]] = {"history": _repeated(range(len(self)), counts)}
        if self._users is not None:
            columns["user"] = _repeated(self._users, counts)
        return columns | {
            "rank": [rank for count in counts for rank in range(1, count + 1)],
            "item": list(items),
            "title": [self._titles.get(item) for item in items],
            "score": [score for each in self for score in each.scores],
            "by_popularity": _repeated([each.by_popularity for each in self], counts),
        }


def _repeated(values: Iterable[object], counts: Sequence[int]) -> list[object]:
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]
