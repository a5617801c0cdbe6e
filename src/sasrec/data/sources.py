"""Sources: whatever a user may hand over as data, found and read.

A data frame; a path to a file or folder; the name of a folder under ``data_path``; a name of the
catalogue; or ``synthetic``, generated on the spot, ``synthetic:users=5000,items=800`` at will.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from sasrec.data.catalogue import ENTRIES, fetch
from sasrec.data.checks.remarks import tell
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.filters import apply_filters
from sasrec.data.formats.data_frames import read_data_frame
from sasrec.data.formats.readers import read_file
from sasrec.data.formats.user_item_files import read_groups, read_notes
from sasrec.data.interactions import Interactions
from sasrec.data.movielens import Progress
from sasrec.data.presplit.parts import read_parts
from sasrec.data.synthetic import hidden_markov
from sasrec.errors import DataError, did_you_mean
from sasrec.settings.data import DataSettings
from sasrec.system.writing import write_atomically

if TYPE_CHECKING:
    import pandas as pd

    Source: TypeAlias = str | Path | pl.DataFrame | pd.DataFrame

SYNTHETIC = "synthetic"
MOST_EVENTS = 300_000_000
"""Generated at a time, in memory: about 40 bytes each."""


def load_corpus(
    source: Source, settings: DataSettings, progress: Progress = lambda done, total: None
) -> Corpus:
    """Find, read and number a data set.

    Args:
        source: A name, a path, or a Polars or pandas data frame.
        settings: Columns, separator, and the folder names are looked up in.
        progress: Called while a data set of the catalogue is fetched.

    Returns:
        The histories with their vocabularies.

    Raises:
        DataError: There is no such data set, or it is broken.
    """
    if not isinstance(source, str | Path):
        name, lasting, where = "data frame", "", "the data frame"
        read = partial(read_data_frame, source, settings)
    elif str(source) == SYNTHETIC or str(source).startswith(SYNTHETIC + ":"):
        name = lasting = where = str(source)
        read = partial(generate, name)
    else:
        path = locate(str(source), settings, progress)
        name, lasting = path.stem, str(source) if source in ENTRIES else str(path.resolve())
        if settings.split_files is not None:
            found_by = path if path.exists() else path.parent  # NAME.inter itself need not exist
            corpus = read_parts(path, settings, str(found_by.resolve()))
            return _told(corpus, settings, str(path))
        where, read = str(path), partial(read_file, path, settings)
    # Not by a name of their own, so that events can go while they are lined up.
    corpus = build_corpus(
        apply_filters(read(), settings, where), name, lasting, times=settings.times_of(name)
    )
    if lasting.startswith(SYNTHETIC):  # generated events repeat items on purpose
        corpus = replace(corpus, remarks=())
    return _told(corpus, settings, where)


def _told(corpus: Corpus, settings: DataSettings, where: str) -> Corpus:
    """Return a data set in which tokens are looked up as they were read; and say its remarks."""
    tell(corpus.remarks, where)
    return replace(
        corpus,
        items=corpus.items.cleaning(settings.clean_tokens),
        users=corpus.users.cleaning(settings.clean_tokens),
    )


def locate(source: str, settings: DataSettings, progress: Progress) -> Path:
    """Return the file a name or path stands for, fetching it if the catalogue knows it.

    Args:
        source: A file, a folder holding ``NAME.inter``, or a name.
        settings: The folder names are looked up in.
        progress: Called while a data set is fetched.

    Returns:
        An existing file.

    Raises:
        DataError: There is none.
    """
    try:
        path = Path(source).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, no such user, a NUL
        raise DataError(f"{source[:200]!r} is no usable path ({error})") from error
    if path.is_file() or (exists and not path.is_dir()):
        return path
    for folder in (path, Path(settings.data_path) / source):
        if folder.is_dir():
            return _inter_file(folder, settings)
    if source in ENTRIES:
        return fetch(source, progress) / f"{source}.inter"
    if path.suffix or len(path.parts) > 1:
        raise DataError(f"{source}: no such file or folder")
    raise DataError(
        f"no data set {source!r}: not in {settings.data_path}/, not in the catalogue"
        f"{did_you_mean(source, [*ENTRIES, SYNTHETIC])} (catalogue: "
        f"{', '.join([*ENTRIES, SYNTHETIC])}; or give the path of a file or folder)"
    )


def user_notes(source: str, settings: DataSettings, users: Sequence[str]) -> dict[str, str]:
    """Return what the .user file beside a data set says of some users.

    Args:
        source: A name or path that ``load_corpus`` has found.
        settings: Columns, separator, and the folder names are looked up in.
        users: Tokens of the users.

    Returns:
        User token to text such as ``age 49, gender M``; empty if there is no such file.
    """
    if source.partition(":")[0] == SYNTHETIC:
        return {}
    path = locate(source, settings, lambda done, total: None)
    return read_notes(path.with_suffix(".user"), settings, users)


def item_groups(source: str, settings: DataSettings, items: pl.Series) -> dict[str, list[str]]:
    """Return the groups, such as genres, that the .item file beside a data set puts items into.

    Args:
        source: A name or path that ``load_corpus`` has found.
        settings: Columns, separators, and the folder names are looked up in.
        items: Tokens of the items asked about, String.

    Returns:
        Item token to groups; empty if there is no such file or column.
    """
    if source.partition(":")[0] == SYNTHETIC:
        return {}
    path = locate(source, settings, lambda done, total: None)
    return read_groups(path.with_suffix(".item"), settings, items)


def generate(text: str) -> Interactions:
    """Return generated data from its name, such as ``synthetic:users=5000,items=800``.

    Args:
        text: ``synthetic``, or that and ``:`` and ``key=value`` pairs with commas between them;
            the keys are the arguments of ``hidden_markov``.

    Returns:
        The events.

    Raises:
        DataError: A key is unknown or a value is no number in range.
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
            raise DataError(f"{text!r}: {key} is {value!r}; it needs a number") from None
        lowest, highest = (0, 1) if key == "predictability" else (int(key != "seed"), 2**31)
        if not lowest <= values[key] <= highest:
            raise DataError(f"{text!r}: {key} is {value}; it runs from {lowest} to {highest}")
    events = float(values.get("users", known["users"])) * values.get("length", known["length"])
    if events > MOST_EVENTS or values.get("items", 0) > MOST_EVENTS:
        raise DataError(f"{text!r}: at most {MOST_EVENTS:,} events or items are generated")
    return hidden_markov(**values)  # type: ignore[arg-type]  # each has its default's type


def write_atomic(interactions: Interactions, path: Path) -> None:
    """Write events as one of RecBole's atomic files.

    Args:
        interactions: The events.
        path: The .inter file to write; its folder is made.

    Raises:
        DataError: The file cannot be written, or cannot hold a token: an empty one, or one with
            a tab or line end in it.
    """
    for column, entries in (("user", interactions.users), ("item", interactions.items)):
        tokens = entries.gather(interactions.frame[column].unique().sort() - 1)
        odd = tokens.filter((tokens == "") | tokens.str.contains(r"[\t\r\n]"))
        if odd.len():
            raise DataError(
                f"{path} cannot be written: {column} {odd[0]!r} is empty or holds a tab or "
                "line end; rename it"
            )
    names = {"user": "user_id:token", "item": "item_id:token", "time": "timestamp:float"}
    text = (
        interactions.spelled()
        .rename(names, strict=False)
        .write_csv(separator="\t", quote_style="never")
    )
    write_atomically(path, text)


def save_events(corpus: Corpus, folder: Path) -> Path:
    """Write a data set as it is after filtering, as ``folder/NAME/NAME.inter``.

    Args:
        corpus: The data set.
        folder: Where its folder goes.

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


def _inter_file(folder: Path, settings: DataSettings) -> Path:
    named = folder / f"{folder.resolve().name}.inter"
    if named.is_file() or settings.split_files is not None:
        return named
    others = sorted(folder.glob("*.inter"))
    if len(others) == 1:
        return others[0]
    raise DataError(
        f"the folder {folder} holds no {named.name}; an atomic data set is NAME/NAME.inter"
    )
