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
from sasrec.data.filters import apply_filters, needed_columns
from sasrec.data.formats.readers import read_file, read_groups, read_notes
from sasrec.data.interactions import Interactions, from_frame, require_columns
from sasrec.data.movielens import Progress
from sasrec.data.presplit import read_parts
from sasrec.data.synthetic import hidden_markov
from sasrec.data.values.times import time_column
from sasrec.data.values.tokens import spelled
from sasrec.errors import DataError, did_you_mean
from sasrec.settings.data import DataSettings
from sasrec.system.writing import write_whole

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
        read = partial(_from_data_frame, source, settings)
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
        apply_filters(read(), settings, where), name, lasting, times=settings.time_rounding(name)
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
    write_whole(path, text)


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


def _from_data_frame(source: pl.DataFrame | pd.DataFrame, settings: DataSettings) -> Interactions:
    values = needed_columns(settings)
    frame = source
    if not isinstance(source, pl.DataFrame):
        own = (settings.user_column, settings.item_column, settings.time_column)
        frame = _from_pandas(source, own, values)
    return from_frame(
        frame,
        user=settings.user_column,
        item=settings.item_column,
        time=time_column([str(name) for name in source.columns], settings, "the data frame"),
        values=values,
        settings=settings,
    )


def _from_pandas(
    source: pd.DataFrame, own: tuple[str, str, str], values: list[str]
) -> pl.DataFrame:
    if not hasattr(source, "columns") or not hasattr(source, "to_dict") or isinstance(source, type):
        raise DataError(
            f"data is a {type(source).__name__}; give a name, a path, or a Polars or pandas frame"
        )
    names = {str(name): name for name in source.columns}
    require_columns(list(names), own[:2], "the data frame")
    return pl.DataFrame(
        {
            text: _pandas_column(source[name], holds_tokens=text in own[:2])
            for text, name in names.items()
            if text in own or text in values
        }
    )


def _pandas_column(column: pd.Series, *, holds_tokens: bool) -> pl.Series:
    """Return a column of pandas in Polars, null where it has no value.

    Args:
        column: Of any type.
        holds_tokens: Whether objects are tokens, each by itself, or values of one type.

    Raises:
        DataError: It holds what Polars has no type for.
    """
    if not hasattr(column, "to_numpy") or getattr(column, "ndim", 1) != 1:
        raise DataError("the data frame has two columns of the same name; rename one")
    if column.dtype == "category":
        return _pandas_categories(column, holds_tokens=holds_tokens)
    kind = getattr(column.dtype, "numpy_dtype", None)
    is_missing = column.isna().to_numpy(dtype=bool)
    if kind is not None and kind.kind in "iuf":
        # By itself pandas makes floats of whole numbers among which one is missing.
        whole = pl.Series(column.to_numpy(dtype=kind, na_value=0, copy=True), nan_to_null=True)
        return whole.set(pl.Series(is_missing), None) if is_missing.any() else whole
    values = column.to_numpy(copy=True)
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
    try:
        if values.dtype == object:  # pandas writes a missing value as None, NaN or NA
            values[is_missing] = None
            # Objects of one type become that type; tokens are spelled each by its own.
            kind = pl.Object if holds_tokens else None
            return pl.Series(str(column.name), values.tolist(), dtype=kind, strict=False)
        return pl.Series(values, nan_to_null=True)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"column {column.name!r} of the data frame holds values of a kind that cannot be "
            f"used ({error}); bring text, numbers or dates"
        ) from error


def _pandas_categories(column: pd.Series, *, holds_tokens: bool) -> pl.Series:
    """Return the category of each row: by its number, since pandas may make floats of them."""
    categories = _pandas_column(column.cat.categories.to_series(), holds_tokens=holds_tokens)
    if categories.dtype == pl.Object:
        categories = spelled(categories.alias(str(column.name)), "the data frame")
    places = pl.Series(column.cat.codes.to_numpy().astype(np.int64))
    return categories.gather(places.set(places < 0, None))
