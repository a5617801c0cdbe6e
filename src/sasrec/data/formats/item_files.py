"""Files and frames with one row for each item, for titles and item columns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from sasrec.data.filters import loaded_columns
from sasrec.data.formats.atomic import read_header, read_pieces
from sasrec.data.formats.copies import Copies, readable
from sasrec.data.formats.csv_files import SEPARATORS
from sasrec.data.formats.data_frames import as_polars
from sasrec.data.formats.first_lines import first_lines
from sasrec.data.formats.headings import excel_mark, separator_of
from sasrec.data.formats.layout import Layout
from sasrec.data.item_columns import (
    ItemColumns,
    item_columns_from,
    vector_names,
)
from sasrec.data.titles import Titles, title_column
from sasrec.data.values.cleaning import clean_by_settings
from sasrec.data.values.columns import require_columns
from sasrec.data.values.parsed_texts import parsed_columns
from sasrec.data.values.tokens import column_tokens
from sasrec.errors import DataError, printable
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from typing import TypeAlias

    import pandas as pd

    ItemSource: TypeAlias = str | Path | pl.DataFrame | pd.DataFrame

logger = logging.getLogger(__name__)

LONG_TEXTS = 200
"""Mean number of characters from which a column is left out unless it is asked for by name."""
MAX_UNREQUESTED_BYTES = 2**22
"""Largest .item file whose columns are kept although the settings name none."""
SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".item")


def item_table(source: ItemSource, settings: DataSettings) -> tuple[ItemColumns, Mapping[str, str]]:
    """Read a table with one row for each item.

    Args:
        source: A .csv, .tsv, .parquet, .jsonl or .item file, or a Polars or pandas data frame.
        settings: The item column, the columns to keep, the title column, and how to clean tokens.

    Returns:
        The columns, and item token to title; empty without a column of titles.

    Raises:
        DataError: The source cannot be read, has no item column, or rows of an item contradict
            each other.
    """
    key = settings.item_column
    with Copies() as copies, copies.named():
        plain = _plain(source, settings, copies)
        frame, where, remarks = read_table(plain, settings, tokens=(key,), what="items")
        where = copies.originals.get(Path(where), where)
    require_columns(frame.columns, (key,), where, settings)
    items = clean_by_settings(column_tokens(frame[key], where), settings).alias("item")
    others = frame.drop(key, *vector_names(frame, settings.content_types))
    title = title_column(others.columns, settings)
    columns = item_columns_from(items, others, settings.kept_columns, where)
    if settings.item_columns is None:
        columns = _without_long_texts(columns, settings)
    columns = replace(columns, remarks=(*remarks, *columns.remarks))
    if title is None:
        return columns, {}
    titles = pl.DataFrame({"item": items, "title": others[title].cast(pl.String)})
    return columns, Titles(titles.drop_nulls())


def _plain(source: ItemSource, settings: DataSettings, copies: Copies) -> ItemSource:
    """Return a file in UTF-8 that is not compressed, perhaps as a copy; a frame as it is."""
    if not isinstance(source, str | Path) or not Path(source).expanduser().is_file():
        return source
    return readable(Path(source).expanduser(), settings.encoding, copies)


def item_file_beside(path: Path, settings: DataSettings) -> ItemColumns | None:
    """Return the columns of the atomic .item file beside a file of events.

    Nobody asked for these columns, so a value that does not fit only makes its column text.

    Args:
        path: The .item file, which need not exist.
        settings: The item column, the columns to keep, and the separators.

    Returns:
        The columns; None without such a file, if ``load_col`` leaves it out, or if the file is
        large and no column was requested, as reading it whole takes many times its size.

    Raises:
        DataError: The file exists, and its header or a line is invalid.
    """
    key = settings.item_column
    is_left_out = settings.load_columns is not None and "item" not in settings.load_columns
    if is_left_out or not path.is_file():
        return None
    with Copies() as copies, copies.named():
        plain = readable(path, settings.encoding, copies)
        if key not in read_header(plain, settings.separator):
            return None
        wanted = settings.kept_columns
        if wanted is None and plain.stat().st_size > MAX_UNREQUESTED_BYTES:
            wanted = tuple(settings.content_types) or None
        if wanted is None and plain.stat().st_size > MAX_UNREQUESTED_BYTES:
            logger.warning(
                "%s is larger than %d MiB, so its columns are not kept for rules; name those that "
                "are needed in item_columns",
                printable(str(path)),
                MAX_UNREQUESTED_BYTES >> 20,
            )
            return None
        frame, remarks = _atomic_frame(plain, settings)
    frame = frame.with_columns(clean_by_settings(frame[key], settings))
    frame = frame.drop_nulls(key).filter(pl.col(key) != "")
    last = frame.unique(key, keep="last", maintain_order=True)
    columns = item_columns_from(last[key].alias("item"), last.drop(key), wanted, str(path))
    columns = replace(columns, remarks=(*remarks, *columns.remarks))
    return columns if wanted is not None else _without_long_texts(columns, settings)


def read_table(
    source: ItemSource, settings: DataSettings, *, tokens: tuple[str, ...], what: str
) -> tuple[pl.DataFrame, str, tuple[Remark, ...]]:
    """Read a file or data frame with all its columns.

    Args:
        source: A .csv, .tsv, .parquet, .jsonl or .item file, or a Polars or pandas data frame.
        settings: Separators of .item files, the title column, and types of content columns.
        tokens: Columns of tokens, which stay text in files without types.
        what: What the source was given as, for error messages.

    Returns:
        The rows, what to call the source in messages, and remarks on decimal commas.

    Raises:
        DataError: It is not a table, or cannot be read.
    """
    if not isinstance(source, str | Path):
        return as_polars(source, tokens, what), f"the data frame of {what}", ()
    path = Path(source).expanduser()
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path}: no such file; {what} needs a table")
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path}: unknown file suffix {path.suffix!r} for {what}; use {', '.join(SUFFIXES)}"
        )
    try:
        if suffix == ".item":
            frame, remarks = _atomic_frame(path, settings)
            return frame, str(path), remarks
        if suffix == ".parquet":
            return pl.read_parquet(path, glob=False), str(path), ()
        if suffix in {".jsonl", ".ndjson"}:
            return pl.read_ndjson(path, infer_schema_length=None), str(path), ()
        texts = _separated(path, settings)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read as {suffix[1:]}: {reason}") from error
    title = title_column(texts.columns, settings)
    lists = settings.content_texts if title is None else (*settings.content_texts, title)
    kept = settings.kept_columns
    unused = [] if kept is None else [name for name in texts.columns if name not in kept]
    columns, remarks = parsed_columns(texts, texts=(*tokens, *unused), lists=lists)
    return pl.DataFrame(columns), str(path), remarks


def _separated(path: Path, settings: DataSettings) -> pl.DataFrame:
    """Return the columns of a .csv or .tsv file as texts, with the separator of its first line."""
    lines = first_lines(path)
    mark = excel_mark(lines[0]) if lines else ""
    before = 1 if mark else 0
    head = lines[before] if len(lines) > before else ""
    given = (
        settings.separator if len(settings.separator) == 1 and settings.separator in head else ""
    )
    separator = mark or separator_of(head, given or "\t", SEPARATORS[path.suffix.lower()])
    return pl.read_csv(path, separator=separator, skip_lines=before, infer_schema=False, glob=False)


def _atomic_frame(path: Path, settings: DataSettings) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """Return the loaded columns of an atomic file in the types of its header, floats as numbers."""
    header = read_header(path, settings.separator)
    names = loaded_columns(list(header), "item", settings)
    names = [name for name in names if header[name] != "float_seq"]
    layout = Layout(path, settings.separator, list(header), (), optional=tuple(names))
    frame = pl.concat(read_pieces(layout))
    columns: list[pl.Series] = []
    remarks: tuple[Remark, ...] = ()
    for name in names:
        column = frame[name]
        if name != settings.item_column and header[name] == "float":
            [column], commas = parsed_columns([column])
            remarks += commas
        elif header[name] == "token_seq" and name != title_column(names, settings):
            parts = column.str.strip_chars().str.split(settings.sequence_separator)
            column = parts.list.filter(pl.element() != "")
        columns.append(column.alias(name))
    return pl.DataFrame(columns), remarks


def _without_long_texts(columns: ItemColumns, settings: DataSettings) -> ItemColumns:
    """Return the columns without those of long texts, such as descriptions; titles may stay."""
    content = settings.content_types
    texts = [e for e in columns.values if e.dtype == pl.String and e.name not in content]
    long = [each.name for each in texts if _mean_length(each) > LONG_TEXTS]
    if not long:
        return columns
    text = (
        f"item columns of long texts are not kept with the model ({', '.join(long)}); name them in "
        "item_columns to keep them"
    )
    remark = Remark("long_item_columns", len(long), text)
    return ItemColumns(columns.items, columns.values.drop(long), (*columns.remarks, remark))


def _mean_length(texts: pl.Series) -> float:
    lengths = texts.str.len_chars().drop_nulls().to_numpy()
    return float(lengths.mean()) if len(lengths) else 0.0
