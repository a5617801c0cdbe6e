"""Files of vectors and neighbours, for other programs such as vector databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sasrec.errors import DataError, counted
from sasrec.evaluation.top_items import positions_in_row
from sasrec.experiment.data_reading import GIVEN
from sasrec.experiment.known_data import corpus_for
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.table_files import check_table_path, write_table
from sasrec.recommender.vectors import Search, neighbours, user_tables
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.keywords import given_layers

if TYPE_CHECKING:
    from sasrec.data.sources import Source

PARQUET = ".parquet"
SIMILAR_COLUMNS = {
    "item": pl.String(),
    "rank": pl.Int32(),
    "similar": pl.String(),
    "title": pl.String(),
    "score": pl.Float32(),
}
"""Columns of a table of similar items: the score is the cosine, the title that of ``similar``."""


@dataclass(frozen=True, slots=True)
class WrittenVectors:
    """What was written.

    Attributes:
        path: The file.
        n_rows: Number of vectors.
        width: Numbers in a vector.
        remarks: Items, users and events that were left out, with counts.
    """

    path: Path
    n_rows: int
    width: int
    remarks: tuple[Remark, ...]


def write_item_vectors(model: Recommender | str | Path, out: str | Path) -> WrittenVectors:
    """Write the vectors of all items with a training event to a Parquet file.

    Args:
        model: A recommender, or the folder of one.
        out: The file, with the columns ``item`` and ``vector`` (an array of float32).

    Returns:
        The file, and counts.

    Raises:
        SasrecError: The model has no item vectors, or the file cannot be written.
    """  # raised by the parts
    path = _checked(out)
    recommender = model if isinstance(model, Recommender) else load(model)
    found = recommender.item_vectors()
    table = found.to_polars()
    write_table(iter([table]), path, table.schema)
    remarks = []
    if left := len(recommender.items) - len(found.items):
        text = f"left out: {counted(left, 'item')} without a training event"
        remarks.append(Remark("untrained_items", left, text))
    log_remarks(remarks, str(path))
    return WrittenVectors(path, table.height, found.values.shape[1], tuple(remarks))


def write_user_vectors(
    model: Recommender | str | Path,
    out: str | Path,
    data: Source | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> WrittenVectors:
    """Write the vectors of all users of a data set to a Parquet file.

    Args:
        model: A recommender, or the folder of one.
        out: The file, with the columns ``user`` and ``vector`` (an array of float32).
        data: A name, a path or a data frame of events; None uses the data the model was trained on.
        settings: Settings of data that differ from those of the training, such as
            ``{"user_column": "customer"}``.

    Returns:
        The file, and counts.

    Raises:
        SasrecError: The model has no item vectors, the data cannot be read, or the file cannot be
            written.
    """  # raised by the parts
    path = _checked(out)
    recommender = model if isinstance(model, Recommender) else load(model)
    width = recommender.item_vectors().values.shape[1]
    corpus, unknown = corpus_for(recommender, data, given_layers(settings, {}, GIVEN))
    rows = 0

    def counting() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for table in user_tables(recommender.answerer(), corpus):
            rows += table.height
            yield table

    write_table(counting(), path, {"user": pl.String(), "vector": pl.Array(pl.Float32(), width)})
    remarks = list(unknown)
    if left := corpus.sequences.n_users - rows:
        what = "unknown to the model" if recommender.model.needs_users else "without a known item"
        remarks.append(Remark("no_vector", left, f"left out: {counted(left, 'user')} {what}"))
    log_remarks(remarks, corpus.name)
    return WrittenVectors(path, rows, width, tuple(remarks))


@dataclass(frozen=True, slots=True)
class WrittenNeighbours:
    """What was written.

    Attributes:
        path: The file.
        n_items: Number of items whose neighbours were searched.
        recall: Share of the true neighbours that were found, measured on a sample; 1 if exact.
    """

    path: Path
    n_items: int
    recall: float


def write_similar(
    model: Recommender | str | Path, out: str | Path, k: int = 10, *, search: Search = "exact"
) -> WrittenNeighbours:
    """Write the k most similar items of every item with a training event to a file.

    Args:
        model: A recommender, or the folder of one.
        out: The file: .parquet, .csv, .tsv or .jsonl, with the columns ``item``, ``rank``,
            ``similar``, ``title`` and ``score``.
        k: Number of similar items.
        search: ``exact``, or ``usearch`` for an approximate search among millions.

    Returns:
        The file, the number of items, and the recall.

    Raises:
        SasrecError: The model has no item vectors, USearch is not installed, or the file cannot be
            written.
    """  # raised by the parts
    path = Path(out).expanduser()
    check_table_path(path)
    recommender = model if isinstance(model, Recommender) else load(model)
    learned, queries, found = neighbours(recommender.answerer(), None, k, search)
    tokens, titles = recommender.items.entries, recommender.titles
    similar = tokens.gather(learned[found.rows] - 1)
    columns = {
        "item": tokens.gather(learned[queries][found.owners] - 1),
        "rank": (positions_in_row(found.owners) + 1).astype(np.int32),
        "similar": similar,
        "title": [titles.get(each) for each in similar] if titles else None,
        "score": found.cosines,
    }
    table = pl.DataFrame(columns, schema=SIMILAR_COLUMNS)
    write_table(iter([table]), path, SIMILAR_COLUMNS)
    return WrittenNeighbours(path, len(queries), found.recall)


def _checked(out: str | Path) -> Path:
    path = Path(out).expanduser()
    if path.suffix.lower() != PARQUET:
        raise DataError(
            f"{path}: vectors are written as Parquet; give a name that ends in {PARQUET}"
        )
    check_table_path(path)
    return path
