"""Writes events as one of RecBole's atomic files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.corpus import Corpus
from sasrec.data.interactions import Interactions
from sasrec.errors import DataError
from sasrec.system.writing import write_atomically


def write_atomic(interactions: Interactions, path: Path) -> None:
    """Write events as one of RecBole's atomic files.

    Args:
        interactions: The events.
        path: The .inter file to write; its folder is created.

    Raises:
        DataError: The file cannot be written, or a token is empty or contains a tab or line end.
    """
    for column, entries in (("user", interactions.users), ("item", interactions.items)):
        tokens = entries.gather(interactions.frame[column].unique().sort() - 1)
        bad = tokens.filter((tokens == "") | tokens.str.contains(r"[\t\r\n]"))
        if bad.len():
            raise DataError(
                f"{path} cannot be written: {column} {bad[0]!r} is empty or contains a tab or "
                "line end; rename it"
            )
    names = {
        "user": "user_id:token",
        "item": "item_id:token",
        "time": "timestamp:float",
        "type": "type:token",
    }
    text = (
        interactions.with_tokens()
        .rename(names, strict=False)
        .write_csv(separator="\t", quote_style="never")
    )
    write_atomically(path, text)


def save_events(corpus: Corpus, folder: Path) -> Path:
    """Write the events of a data set, after filtering, to ``folder/NAME/NAME.inter``.

    Args:
        corpus: The data set.
        folder: The folder in which to create ``NAME``.

    Returns:
        The file.
    """
    sequences = corpus.sequences
    owners = np.repeat(np.arange(1, sequences.n_users + 1), sequences.lengths())
    columns = {"user": owners.astype(np.int32), "item": sequences.items}
    if sequences.times is not None:
        columns["time"] = sequences.times
    if sequences.types is not None:
        columns["type"] = sequences.types
    path = folder / corpus.name / f"{corpus.name}.inter"
    users, items = corpus.users.entries, corpus.items.entries
    frame = pl.DataFrame(columns)
    events = Interactions(frame, users, items, event_types=corpus.event_types)
    write_atomic(events, path)
    return path
