"""Data that are split already: NAME.train.inter, NAME.valid.inter, NAME.test.inter.

A part holds single events, or rows with a ready history in a column such as ``item_id_list``. In
the first form a user's events run on from part to part; in the second each row is a history of its
own, and only its last item is a target.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.atomic import Layout, read_columns, read_header
from sasrec.data.interactions import Interactions, require_columns
from sasrec.data.readers import read_atomic, read_titles
from sasrec.data.sequences import Corpus, Sequences, build_corpus
from sasrec.data.vocabulary import Vocabulary, encode_column
from sasrec.errors import DataError
from sasrec.settings import DataSettings


def read_parts(path: Path, settings: DataSettings, source: str) -> Corpus:
    """Read the three parts of a data set; nothing is filtered, as in RecBole.

    Args:
        path: What NAME.inter would be; the parts stand beside it.
        settings: Names of the parts and of the columns.
        source: What the data can be found by again.

    Returns:
        The histories, with the number of targets of each kind.

    Raises:
        DataError: A part is missing or broken, or some parts hold ready histories and some do not.
    """
    files = [path.with_suffix(f".{part}.inter") for part in settings.split_files or ()]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file}: no such file; benchmark_filename names it")
    lists = settings.item_column + settings.list_suffix
    ready = [lists in read_header(file, settings.separator) for file in files]
    if any(ready) and not all(ready):
        raise DataError(
            f"{files[ready.index(False)]} has no column {lists!r}, which the other parts have"
        )
    if all(ready):
        return _from_lists(files, path, settings, source)
    return _from_events(files, path, settings, source)


def _from_events(files: list[Path], path: Path, settings: DataSettings, source: str) -> Corpus:
    parts = [read_atomic(file, settings) for file in files]
    frames = [
        part.frame.select("user", "item", *(["time"] if part.has_times else [])).with_columns(
            part=pl.lit(number, pl.Int8)
        )
        for number, part in enumerate(parts)
    ]
    frame = pl.concat(frames, how="diagonal")
    order = ["part", "time"] if "time" in frame.columns else ["part"]
    frame = frame.sort(order, maintain_order=True)  # build_corpus keeps it within a user
    titles = read_titles(path.with_suffix(".item"), settings)
    events = Interactions(frame.select("user", "item"), titles)
    corpus = build_corpus(events, path.stem, source)
    owners = corpus.users.numbers(frame["user"]).astype(np.int64) - 1
    counts = np.zeros((len(corpus.users), 3), dtype=np.int64)
    np.add.at(counts, (owners, frame["part"].to_numpy()), 1)
    first_part = (counts > 0).argmax(1)
    counts[np.arange(len(counts)), first_part] -= 1  # a first event is nobody's target
    sequences = corpus.sequences
    if "time" in frame.columns and not frame["time"].null_count():
        times = frame["time"].cast(pl.Float64).to_numpy()
        sequences = replace(sequences, times=times[np.argsort(owners, kind="stable")])
    return replace(corpus, sequences=sequences, target_counts=counts)


def _from_lists(files: list[Path], path: Path, settings: DataSettings, source: str) -> Corpus:
    lists = settings.item_column + settings.list_suffix
    wanted = (settings.user_column, settings.item_column, lists)
    rows = []
    for number, file in enumerate(files):
        header = read_header(file, settings.separator)
        require_columns(list(header), wanted, f"{file}, line 1")
        table = read_columns(Layout(file, settings.separator, list(header), wanted))
        rows.append(table.with_columns(part=pl.lit(number, pl.Int8)))
    table = pl.concat(rows)
    history = table[lists].str.strip_chars().str.split(settings.sequence_separator)
    events = pl.select(pl.concat_list(history, table[settings.item_column]))
    lengths = events.to_series().list.len().to_numpy().astype(np.int64)
    items, numbers = encode_column(events.to_series().explode())
    counts = np.zeros((len(table), 3), dtype=np.int64)
    counts[np.arange(len(table)), table["part"].to_numpy()] = 1
    owner = table[settings.user_column]
    names = [f"{user}, row {row}" for row, user in enumerate(owner.to_list(), start=1)]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return Corpus(
        name=path.stem,
        sequences=Sequences(numbers, None, offsets),
        users=Vocabulary(names),
        items=items,
        titles=read_titles(path.with_suffix(".item"), settings),
        source=source,
        target_counts=counts,
    )
