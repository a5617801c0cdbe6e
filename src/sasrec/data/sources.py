"""Sources: finds and reads whatever a user gives as data.

A source is a data frame; a path of a file or folder; a pattern such as ``months/*.csv``; a URL;
several of these; the name of a folder in ``data_path``; a name in the catalogue; or ``synthetic``
for generated data, optionally with parameters as in ``synthetic:users=5000,items=800``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from sasrec.data.chosen_rows import choose_rows
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.event_types import with_event_types
from sasrec.data.filters import apply_filters
from sasrec.data.formats.copies import Copies
from sasrec.data.formats.data_frames import read_data_frame
from sasrec.data.formats.readers import read_files
from sasrec.data.formats.user_item_files import read_groups, read_user_features
from sasrec.data.interactions import Interactions
from sasrec.data.item_sources import with_event_columns, with_item_table
from sasrec.data.movielens import Progress
from sasrec.data.places import SYNTHETIC, Place, companion, find, locate
from sasrec.data.presplit.parts import filter_remarks, read_parts
from sasrec.data.presplit.sources import Parts, corpus_from_parts
from sasrec.data.source_names import scheme_of, sources_in, text_of
from sasrec.data.synthetic import generate
from sasrec.remarks import log_remarks
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    import pandas as pd

    from sasrec.data.formats.item_files import ItemSource

    Source: TypeAlias = str | Path | Sequence[str | Path] | pl.DataFrame | pd.DataFrame | Parts


def load_corpus(
    source: Source,
    settings: DataSettings,
    progress: Progress = lambda done, total: None,
    *,
    items: ItemSource | None = None,
    told: Collection[str] = (),
) -> Corpus:
    """Find, read and number a data set.

    Args:
        source: A name, a path, a pattern, a URL, a list of these, a Polars or pandas data frame, or
            ``Parts``.
        settings: Columns, separator, and the folder in which names are looked up.
        progress: Called while a data set of the catalogue is downloaded.
        items: A table with a row for each item: a path or data frame; None reads ``items_file``.
        told: Texts of remarks that the user knows already; they are not logged again.

    Returns:
        The histories with their vocabularies, item columns and titles.

    Raises:
        DataError: There is no such data set, or it is invalid.
    """
    corpus, where = _read(source, settings, progress)
    text = text_of(source)
    path = None if text is None else companion(text, ".item", settings)
    corpus = with_item_table(corpus, settings, path, items)
    corpus = replace(
        corpus,
        items=corpus.items.cleaning(settings.clean_tokens),
        users=corpus.users.cleaning(settings.clean_tokens),
    )
    log_remarks([remark for remark in corpus.remarks if remark.text not in told], where)
    return corpus


def check_readable(source: Source, settings: DataSettings, progress: Progress) -> None:
    """Raise an error if a source cannot be read; remarks are not logged.

    Args:
        source: As for ``load_corpus``.
        settings: Likewise.
        progress: Likewise.

    Raises:
        DataError: As ``load_corpus``.
    """  # raised by _read
    _read(source, settings, progress)


def _read(source: Source, settings: DataSettings, progress: Progress) -> tuple[Corpus, str]:
    """Return a data set, and what to call its source in messages."""
    text = text_of(source)
    if isinstance(source, Parts):
        read_part = partial(_read_part, settings=settings, progress=progress)
        corpus = corpus_from_parts(source, settings, read_part)
        corpus = replace(corpus, remarks=(*corpus.remarks, *filter_remarks(settings)))
        return corpus, "the parts"
    if text is None:
        name, origin, where = "data frame", "", "the data frame"
        read = partial(read_data_frame, source, settings)
    elif text == SYNTHETIC or text.startswith(SYNTHETIC + ":"):
        name = origin = where = text
        read = partial(generate, name)
    elif settings.split_files is not None:
        path = locate(text, settings, progress)
        existing = path if path.exists() else path.parent  # NAME.inter itself need not exist
        return read_parts(path, settings, str(existing.resolve())), str(path)
    else:
        return _read_files(text, settings, progress)
    corpus = _built(read, settings, Place(name, origin, where, ()))
    if origin.startswith(SYNTHETIC):  # generated events repeat items on purpose
        corpus = replace(corpus, remarks=())
    return corpus, where


def _read_part(source: Any, settings: DataSettings, progress: Progress) -> Interactions:
    """Return the events of a part of a data set, not filtered."""
    text = text_of(source)
    if text is None:
        return read_data_frame(source, settings)
    with Copies() as copies, copies.named():
        place = find(text, settings, progress, copies)
        return read_files(place.parts, settings, place.where, copies)


def _read_files(source: str, settings: DataSettings, progress: Progress) -> tuple[Corpus, str]:
    """Return the data set in one or more files, and what to call it in messages."""
    with Copies() as copies, copies.named():
        place = find(source, settings, progress, copies)
        read = partial(read_files, place.parts, settings, place.where, copies)
        return _built(read, settings, place), place.where


def _built(read: Callable[[], Interactions], settings: DataSettings, place: Place) -> Corpus:
    """Return a data set after filtering.

    Args:
        read: Returns the events. They have no variable of their own here, so that they can be freed
            while they are sorted.
        settings: The filters.
        place: Name and origin.
    """
    where, texts_only = place.where, place.texts_only
    return build_corpus(
        apply_filters(
            with_event_columns(
                with_event_types(
                    choose_rows(read(), settings, where, texts_only=texts_only), settings, where
                ),
                settings,
                where,
                texts_only=texts_only,
            ),
            settings,
            where,
        ),
        place.name,
        place.origin,
        times=settings.time_rounding(place.name),
    )


def read_rows(
    source: Source, settings: DataSettings, progress: Progress = lambda done, total: None
) -> tuple[Interactions, bool] | None:
    """Read the rows of a data set that ``since``, ``until`` and ``where`` choose.

    Args:
        source: As for ``load_corpus``.
        settings: Columns; those in ``item_columns`` stay in the frame as ``value:NAME``.
        progress: Called while a data set of the catalogue is downloaded.

    Returns:
        The events before all other filters, and whether the source has no types; None if the
        data are generated, split already, or on the web, from where they are not fetched twice.
    """
    text = text_of(source)
    if text is None:
        events = read_data_frame(source, settings)
        return choose_rows(events, settings, "the data frame", texts_only=False), False
    if text.partition(":")[0] == SYNTHETIC or settings.split_files is not None:
        return None
    if any(scheme_of(each) for each in sources_in(text)):
        return None
    with Copies() as copies, copies.named():
        place = find(text, settings, progress, copies)
        events = read_files(place.parts, settings, place.where, copies)
        chosen = choose_rows(events, settings, place.where, texts_only=place.texts_only)
        return chosen, place.texts_only


def user_features(source: str, settings: DataSettings, users: Sequence[str]) -> dict[str, str]:
    """Return what the .user file of a data set says about some users.

    Args:
        source: A name or path that ``load_corpus`` has loaded.
        settings: Columns, separator, and the folder in which names are looked up.
        users: Tokens of the users.

    Returns:
        User token to text such as ``age 49, gender M``; empty if there is no such file.
    """
    path = companion(source, ".user", settings)
    return {} if path is None else read_user_features(path, settings, users)


def item_groups(source: str, settings: DataSettings, items: pl.Series) -> dict[str, list[str]]:
    """Return the groups, such as genres, that the .item file of a data set gives for some items.

    Args:
        source: A name or path that ``load_corpus`` has loaded.
        settings: Columns, separators, and the folder in which names are looked up.
        items: Tokens of the items, String.

    Returns:
        Item token to groups; empty if there is no such file or column.
    """
    path = companion(source, ".item", settings)
    return {} if path is None else read_groups(path, settings, items)
