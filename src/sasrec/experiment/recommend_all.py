"""recommend_all: a file with a list of recommended items for every user of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from sasrec.errors import counted
from sasrec.experiment.data_reading import GIVEN
from sasrec.experiment.known_data import corpus_for
from sasrec.recommender.everybody import tables_in_pieces
from sasrec.recommender.list_tables import LIST_COLUMNS, TableNames
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.table_files import check_table_path, write_table
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.keywords import given_layers

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource
    from sasrec.data.sources import Source
    from sasrec.recommender.recommender import AnyRules


@dataclass(frozen=True, slots=True)
class WrittenLists:
    """What ``recommend_all`` wrote.

    Attributes:
        path: The file.
        n_users: Number of users with a list.
        n_rows: Number of recommended items in all lists.
        remarks: Events and users that the model could not use, with counts.
    """

    path: Path
    n_users: int
    n_rows: int
    remarks: tuple[Remark, ...]


def recommend_all(
    model: Recommender | str | Path,
    data: Source | None = None,
    *,
    out: str | Path,
    k: int = 10,
    exclude_seen: bool = True,
    candidates: Sequence[str] | None = None,
    rules: AnyRules | None = None,
    items: ItemSource | None = None,
    next_type: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> WrittenLists:
    """Recommend items to every user of a data set, and write the lists to a file.

    A list is the one that ``recommend`` returns for the user's history. Memory does not grow with
    the lists: only the events are loaded.

    >>> recommend_all("saved/films", out="lists.parquet", k=5).n_users  # doctest: +SKIP
    943

    Args:
        model: A recommender, or the folder of one.
        data: A name, a path or a data frame of events; None uses the data the model was trained
            on. Other data are read with the model's settings, but users and items with few events
            are kept.
        out: The file: ``.parquet``, ``.csv`` or ``.tsv`` with the columns user, rank, item, title,
            score and by_popularity, or ``.jsonl`` with a line per user.
        k: Number of items in a list.
        exclude_seen: Leave out the items of the history.
        candidates: Recommend only these item tokens; None allows all items with a training event.
        rules: Rules for the lists, as for ``recommend``.
        items: A table with a row for each item, for the rules, as for ``recommend``.
        next_type: The type of event to predict, as for ``recommend``.
        settings: Settings of data that differ from those of the training, such as
            ``{"user_column": "customer"}``.

    Returns:
        The file, and counts of what is in it.

    Raises:
        SasrecError: Model, data or options cannot be used, or the file cannot be written.
    """  # raised by the parts
    path = Path(out).expanduser()
    check_table_path(path)
    recommender = model if isinstance(model, Recommender) else load(model)
    answerer = recommender.answerer(next_type)
    prepared = recommender.prepared_rules(rules, items)
    options = answerer.options(k, candidates, exclude_seen=exclude_seen, rules=prepared)
    corpus, unknown = corpus_for(recommender, data, given_layers(settings, {}, GIVEN))
    names = TableNames.of(recommender.items, recommender.titles)
    tables = tables_in_pieces(answerer, corpus, options, names)
    counts = _Counts(corpus.sequences.n_users, recommender.model.needs_users)
    is_lines = path.suffix.lower() in {".jsonl", ".ndjson"}
    counted_tables = counts.seen(tables)
    write_table(map(_nested, counted_tables) if is_lines else counted_tables, path, LIST_COLUMNS)
    remarks = (*unknown, *counts.remarks())
    log_remarks(remarks, corpus.name)
    return WrittenLists(path, counts.lists, counts.rows, remarks)


class _Counts:
    """Counts rows and users while tables pass by."""

    def __init__(self, n_users: int, needs_users: bool) -> None:
        self._n_users, self._needs_users = n_users, needs_users
        self.rows = self.lists = self.popular = 0

    def seen(self, tables: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for table in tables:
            self.rows += table.height
            first = table["rank"] == 1
            self.lists += int(first.sum())
            self.popular += int((table["by_popularity"] & first).sum())
            yield table

    def remarks(self) -> Iterator[Remark]:
        if self.popular:
            who = "unknown to the model" if self._needs_users else "without an item the model knows"
            text = (
                f"{counted(self.popular, 'user')} {who} got the most popular items (by_popularity)"
            )
            yield Remark("by_popularity", self.popular, text)
        if empty := self._n_users - self.lists:
            text = (
                f"{counted(empty, 'user')} got no list, because no item is left; items of the "
                "history are allowed with exclude_seen=False (--no-exclude-seen)"
            )
            yield Remark("empty_lists", empty, text)


def _nested(table: pl.DataFrame) -> pl.DataFrame:
    """Return a row per user, with lists of items, titles and scores."""
    return (
        table.lazy()
        .group_by("user", maintain_order=True)
        .agg(
            items=pl.col("item"),
            titles=pl.col("title"),
            scores=pl.col("score"),
            by_popularity=pl.col("by_popularity").first(),
        )
        .collect()
    )
