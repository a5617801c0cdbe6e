"""Sources: finds and reads whatever a user gives as data.

A source is a data frame; a path of a file or folder; a pattern such as ``months/*.csv``; a URL;
several of these; the name of a folder in ``data_path``; a name in the catalogue; or ``synthetic``
for generated data, optionally with parameters as in ``synthetic:users=5000,items=800``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from sasrec.data.chosen_rows import choose_rows
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.filters import apply_filters
from sasrec.data.formats.copies import Copies
from sasrec.data.formats.data_frames import read_data_frame
from sasrec.data.formats.readers import read_files
from sasrec.data.formats.user_item_files import read_groups, read_user_features
from sasrec.data.interactions import Interactions
from sasrec.data.item_sources import with_event_columns, with_item_table
from sasrec.data.movielens import Progress
from sasrec.data.places import SYNTHETIC, Place, companion, find, locate
from sasrec.data.presplit.parts import read_parts
from sasrec.data.source_names import scheme_of, sources_in, text_of
from sasrec.data.synthetic import hidden_markov
from sasrec.errors import DataError, did_you_mean
from sasrec.remarks import log_remarks
from sasrec.settings.data import DataSettings
from sasrec.system.writing import write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from sasrec.data.formats.item_files import ItemSource

    Source: TypeAlias = str | Path | Sequence[str | Path] | pl.DataFrame | pd.DataFrame

MAX_EVENTS = 300_000_000
"""Upper limit on generated events and items; an event takes about 40 bytes of memory."""


def load_corpus(
    source: Source,
    settings: DataSettings,
    progress: Progress = lambda done, total: None,
    *,
    items: ItemSource | None = None,
) -> Corpus:
    """Find, read and number a data set.

    Args:
        source: A name, a path, a pattern, a URL, a list of these, or a Polars or pandas data frame.
        settings: Columns, separator, and the folder in which names are looked up.
        progress: Called while a data set of the catalogue is downloaded.
        items: A table with a row for each item: a path or data frame; None reads ``items_file``.

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
    log_remarks(corpus.remarks, where)
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
                choose_rows(read(), settings, where, texts_only=texts_only),
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


def generate(text: str) -> Interactions:
    """Generate data from a name such as ``synthetic:users=5000,items=800``.

    Args:
        text: ``synthetic``, optionally followed by ``:`` and comma-separated ``key=value`` pairs;
            the keys are the arguments of ``hidden_markov``.

    Returns:
        The events.

    Raises:
        DataError: A key is unknown, or a value is not a number or out of range.
    """
    known = {
        name: rule.default for name, rule in inspect.signature(hidden_markov).parameters.items()
    }
    values: dict[str, int | float] = {}
    for pair in filter(None, text.partition(":")[2].split(",")):
        key, _, value = (part.strip() for part in pair.partition("="))
        if key not in known:
            raise DataError(
                f"{text!r}: unknown key {key!r}{did_you_mean(key, known)} "
                f"(keys: {', '.join(known)})"
            )
        try:
            values[key] = type(known[key])(value)
        except ValueError:
            raise DataError(f"{text!r}: {key} is {value!r}; it must be a number") from None
        lowest, highest = (0, 1) if key == "predictability" else (int(key != "seed"), 2**31)
        if not lowest <= values[key] <= highest:
            raise DataError(
                f"{text!r}: {key} is {value}; it must be between {lowest} and {highest}"
            )
    events = float(values.get("users", known["users"])) * values.get("length", known["length"])
    if events > MAX_EVENTS or values.get("items", 0) > MAX_EVENTS:
        raise DataError(
            f"{text!r}: at most {MAX_EVENTS:,} events and {MAX_EVENTS:,} items can be generated"
        )
    return hidden_markov(**values)  # type: ignore[arg-type]  # each has its default's type


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
    names = {"user": "user_id:token", "item": "item_id:token", "time": "timestamp:float"}
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
    path = folder / corpus.name / f"{corpus.name}.inter"
    events = Interactions(pl.DataFrame(columns), corpus.users.entries, corpus.items.entries)
    write_atomic(events, path)
    return path
