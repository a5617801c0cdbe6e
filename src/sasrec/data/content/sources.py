"""Content that a data set has: its columns and vectors, and the items known by content only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from sasrec.data.content.source import ContentSource
from sasrec.data.content.vectors import (
    ItemVectors,
    atomic_vectors,
    read_item_vectors,
    vectors_in_frame,
)
from sasrec.data.formats.item_files import read_table
from sasrec.data.item_columns import ItemColumns, vector_names
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, did_you_mean
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.data.formats.item_files import ItemSource


def with_content(
    corpus: Corpus,
    settings: DataSettings,
    *,
    beside: Path | None,
    source: ItemSource | None,
    tables: tuple[ItemColumns, ...],
) -> Corpus:
    """Return a data set with the content of its items, and with the items that have no events.

    Args:
        corpus: The data set, with its item columns.
        settings: The content columns and the file of vectors.
        beside: Where the .item file would be; None without one.
        source: The items file or frame; None without one.
        tables: Columns of the .item file and of the items file, those that exist.

    Returns:
        The same data set if the settings name no content. Otherwise the items of its items file
        follow those of its events; without an items file, those of the file of vectors.

    Raises:
        DataError: A content column does not exist, or vectors cannot be used.
    """  # raised by content_source
    if not settings.has_content:
        return corpus
    known = [] if corpus.item_columns is None else corpus.item_columns.values.columns
    where = Tables(corpus.name, tuple(known), beside, source, tables)
    content = content_source(settings, where)
    _check_vectors(corpus, content.vectors)
    new = content.named.filter(~content.named.is_in(corpus.items.entries.implode()))
    items = corpus.items if not len(new) else longer(corpus.items, new)
    return replace(corpus, items=items, content=content)


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of items that content may come from.

    Attributes:
        name: Name of the data, for messages.
        known: Names of the item columns that were read.
        beside: Where the .item file would be; None without one.
        source: The items file or frame; None without one.
        read: Columns of the .item file and of the items file, those that exist.
    """

    name: str
    known: tuple[str, ...]
    beside: Path | None
    source: ItemSource | None
    read: tuple[ItemColumns, ...]


def content_source(settings: DataSettings, tables: Tables) -> ContentSource:
    """Find the content columns and read the vectors.

    Args:
        settings: The content columns and the file of vectors.
        tables: Tables of items.

    Returns:
        What is known about items.

    Raises:
        DataError: A content column does not exist, or vectors cannot be used.
    """
    vectors, known = [], tables.known
    for name, kind in settings.content_types.items():
        found = None
        if name not in known or kind == "float_seq":
            found = _vector_column(name, settings, tables)
        if found is not None:
            vectors.append(found)
        elif name not in known or kind == "float_seq":
            raise DataError(_unknown(name, tables))
    if settings.item_vectors is not None:
        rows = tables.read[-1].items if tables.read else None
        vectors.append(read_item_vectors(settings.item_vectors, settings, rows))
    named = [table.items for table in tables.read] or [each.items for each in vectors]
    tokens = pl.concat([pl.Series([], dtype=pl.String), *named]).unique(maintain_order=True)
    types = {n: k for n, k in settings.content_types.items() if k != "float_seq" and n in known}
    return ContentSource(types, tuple(vectors), tokens)


def _unknown(name: str, tables: Tables) -> str:
    """Return the message about a content column that cannot be used."""
    if name in tables.known:
        return (
            f"{tables.name}: content column {name!r} is given as float_seq, but does not hold "
            "lists of numbers; leave the type out"
        )
    has = f"; there are: {', '.join(tables.known)}" if tables.known else ""
    return (
        f"{tables.name}: content_columns names a column {name!r} that neither the events nor an "
        f"items file has{did_you_mean(name, tables.known)}{has}"
    )


def fingerprint(corpus: Corpus) -> str:
    """Return a hash of the histories of a data set and of the content of its items.

    Args:
        corpus: The data set; without content, the hash is that of its histories.
    """
    events, content = corpus.sequences.fingerprint(), corpus.content
    if content is None:
        return events
    digest = hashlib.sha256(events.encode())
    if corpus.item_columns is not None:
        values = corpus.item_columns.aligned(corpus.items)
        columns = [corpus.items.entries.alias("#"), *(values[name] for name in content.types)]
        digest.update(pl.DataFrame(columns).write_json().encode())
    for vectors in content.vectors:
        digest.update("\n".join(vectors.items.to_list()).encode())
        digest.update(vectors.values.tobytes())
    return digest.hexdigest()


def longer(items: Vocabulary, new: pl.Series) -> Vocabulary:
    """Return a vocabulary with further items at its end.

    Args:
        items: The vocabulary.
        new: Tokens that it does not have, String, distinct.
    """
    return Vocabulary.of_distinct(pl.concat([items.entries, new.alias(items.entries.name)]))


def _vector_column(name: str, settings: DataSettings, tables: Tables) -> ItemVectors | None:
    """Return a column of vectors of the items file, frame or .item file; None without one."""
    beside, source = tables.beside, tables.source
    if source is not None:
        is_item_file = isinstance(source, str | Path) and Path(source).suffix.lower() == ".item"
        if is_item_file:
            return atomic_vectors(Path(str(source)).expanduser(), name, settings)
        frame, where, _ = read_table(source, settings, tokens=(settings.item_column,), what="items")
        if name in vector_names(frame, settings.content_types):
            return vectors_in_frame(frame, name, settings, where)
    return None if beside is None else atomic_vectors(beside, name, settings)


def _check_vectors(corpus: Corpus, vectors: tuple[ItemVectors, ...]) -> None:
    """Refuse vectors of other items than those of the events.

    Raises:
        DataError: No item of the events has one of the vectors.
    """
    for each in vectors:
        if not each.items.is_in(corpus.items.entries.implode()).any():
            raise DataError(
                f"{each.where} has none of the items of {corpus.name}: it has "
                f"{each.items[0]!r}, the events have {corpus.items.tokens([1])[0]!r}; check the "
                "item column"
            )
