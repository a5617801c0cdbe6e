"""Ready vectors of items, such as embeddings of their texts or pictures, from files and frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.content.vector_arrays import arrays_in, items_of_rows
from sasrec.data.formats.atomic import read_header, read_pieces
from sasrec.data.formats.layout import Layout
from sasrec.data.item_columns import is_vector_type
from sasrec.data.values.cleaning import clean_by_settings
from sasrec.data.values.tokens import column_tokens
from sasrec.errors import DataError, counted, did_you_mean, printable
from sasrec.settings.data import DataSettings

TABLES = (".parquet", ".jsonl", ".ndjson")
SUFFIXES = (*TABLES, ".safetensors", ".npy")
FILE = "item_vectors"
"""Name of the vectors in a file; a model has at most one such file."""


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """A vector for each of some items.

    Attributes:
        name: Name of the column, or ``item_vectors`` for those of a file.
        where: The file or column, for messages.
        items: Tokens, String [n], distinct.
        values: float32 [n, m], finite.
    """

    name: str
    where: str
    items: pl.Series
    values: np.ndarray


def read_item_vectors(path: str, settings: DataSettings, rows: pl.Series | None) -> ItemVectors:
    """Read the vectors in a file.

    Args:
        path: A .parquet, .jsonl, .safetensors or .npy file, or one of RecBole's atomic files with
            an item and a ``float_seq``.
        settings: The item column, and how to clean tokens.
        rows: Items of the rows of a file that names no items; None if there is no items file.

    Returns:
        The vectors.

    Raises:
        DataError: The file cannot be read, has no vectors, or has no items and the number of its
            rows is another than that of the items file; vectors differ in length or contain NaN or
            infinity; or an item occurs twice.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"{path}: no such file; item_vectors needs a file of vectors")
    suffix = file.suffix.lower()
    if suffix in TABLES:
        return replace(_from_frame(_read_frame(file), settings, str(file)), name=FILE)
    if suffix in {".npy", ".safetensors"}:
        array, tokens = arrays_in(file, settings)
        return _checked(FILE, str(file), items_of_rows(file, array, tokens, rows), array)
    names = _atomic_names(file, settings)
    if names is None:
        raise DataError(
            f"{path}: unknown file suffix {file.suffix!r} for item_vectors; use "
            f"{', '.join(SUFFIXES)}, or RecBole's form with a header such as "
            "'item_id:token<tab>vector:float_seq'"
        )
    return replace(_from_atomic(file, names, settings), name=FILE)


def vectors_in_frame(
    frame: pl.DataFrame, name: str, settings: DataSettings, where: str
) -> ItemVectors:
    """Return the vectors in a column of a table of items; items without one are left out.

    Args:
        frame: One row for each item.
        name: The column, of lists or arrays of numbers.
        settings: The item column, and how to clean tokens.
        where: Name of the table, for error messages.

    Returns:
        The vectors.

    Raises:
        DataError: Vectors differ in length or contain NaN or infinity, or an item occurs twice.
    """  # raised by _checked
    key = settings.item_column if settings.item_column in frame.columns else "item"
    tokens = clean_by_settings(column_tokens(frame[key], where), settings)
    column = frame[name]
    whole = frame.select(tokens.alias("item"), column.alias("vector")).drop_nulls("vector")
    return _checked(name, f"{where}: {name}", whole["item"], _matrix(whole, f"{where}: {name}"))


def atomic_vectors(path: Path, name: str, settings: DataSettings) -> ItemVectors | None:
    """Return the vectors in a ``float_seq`` column of one of RecBole's atomic files.

    Args:
        path: The file, which need not exist.
        name: The column.
        settings: The item column and the separators.

    Returns:
        The vectors; None without such a column.
    """
    if not path.is_file() or read_header(path, settings.separator).get(name) != "float_seq":
        return None
    return _from_atomic(path, (settings.item_column, name), settings)


def _read_frame(path: Path) -> pl.DataFrame:
    """Return a table.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False)
        return pl.read_ndjson(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {reason}") from error


def _from_frame(frame: pl.DataFrame, settings: DataSettings, where: str) -> ItemVectors:
    """Return the vectors of a table that has one column of them.

    Raises:
        DataError: It has no items, no column of vectors, or several.
    """
    if settings.item_column not in frame.columns and "item" not in frame.columns:
        hint = did_you_mean(settings.item_column, frame.columns)
        raise DataError(
            f"{where}: there is no column {settings.item_column!r} of items{hint} (columns: "
            f"{', '.join(frame.columns)})"
        )
    names = [name for name, dtype in frame.schema.items() if is_vector_type(dtype)]
    if len(names) > 1:
        names = [name for name in names if name == "vector"]
    if len(names) != 1:
        raise DataError(
            f"{where}: exactly one column must hold vectors (lists or arrays of floats); keep one, "
            "or name it 'vector'"
        )
    return vectors_in_frame(frame, names[0], settings, where)


def _atomic_names(path: Path, settings: DataSettings) -> tuple[str, str] | None:
    """Return the columns of the item and of the vectors of an atomic file; None if it is none."""
    try:
        header = read_header(path, settings.separator)
    except DataError:
        return None
    tokens = [name for name, kind in header.items() if kind == "token"]
    vectors = [name for name, kind in header.items() if kind == "float_seq"]
    return (tokens[0], vectors[0]) if tokens and vectors else None


def _from_atomic(path: Path, names: tuple[str, str], settings: DataSettings) -> ItemVectors:
    """Return the vectors in an atomic file.

    Raises:
        DataError: A value is not a number, or as for ``_checked``.
    """
    key, name = names
    header = list(read_header(path, settings.separator))
    frame = pl.concat(read_pieces(Layout(path, settings.separator, header, (), optional=names)))
    tokens = clean_by_settings(frame[key], settings)
    parts = frame[name].str.strip_chars().str.split(settings.sequence_separator)
    texts = parts.list.filter(pl.element() != "")
    vectors = texts.list.eval(pl.element().cast(pl.Float32, strict=False))
    whole = pl.DataFrame({"item": tokens, "vector": vectors, "texts": texts})
    whole = whole.drop_nulls("item").filter(pl.col("texts").list.len() > 0)
    bad = whole.filter(pl.col("vector").list.eval(pl.element().is_null()).list.any())
    if bad.height:
        raise DataError(
            f"{path}: {name} of item {bad['item'][0]!r} is not a list of numbers: "
            f"{printable(' '.join(bad['texts'][0])[:60])!r}"
        )
    return _checked(name, f"{path}: {name}", whole["item"], _matrix(whole, f"{path}: {name}"))


def _matrix(whole: pl.DataFrame, where: str) -> np.ndarray:
    """Return lists of numbers as a matrix.

    Raises:
        DataError: They differ in length, or there are none.
    """
    column = whole["vector"]
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not len(column):
        raise DataError(f"{where} has no vector at all")
    lengths = column.list.len()
    usual = int(lengths.mode().sort()[0])
    other = (lengths != usual).arg_true()
    if len(other) or not usual:
        row = int(other[0]) if len(other) else 0
        raise DataError(
            f"{where}: the vector of item {whole['item'][row]!r} has {lengths[row]} numbers, but "
            f"{int((lengths == usual).sum()):,} others have {usual}; all must have the same number"
        )
    flat = column.explode().cast(pl.Float32, strict=False).fill_null(float("nan"))
    found: np.ndarray = flat.to_numpy().reshape(len(column), usual)
    return found


def _checked(name: str, where: str, items: pl.Series, values: np.ndarray) -> ItemVectors:
    """Return vectors after checking them.

    Raises:
        DataError: A vector contains NaN or infinity, or an item is missing or occurs twice.
    """
    finite = np.isfinite(values).all(1)
    if not finite.all():
        row = int(finite.argmin())
        count = int((~finite).sum())
        raise DataError(
            f"{where}: the vector of item {items[row]!r} contains NaN or infinity "
            f"({counted(count, 'such vector')}); correct it, or delete its row"
        )
    if items.null_count():
        raise DataError(f"{where}: a row has no item; fill it in or delete the row")
    if items.n_unique() < len(items):
        token = items.filter(items.is_duplicated())[0]
        first, second = (items == token).arg_true()[:2] + 1
        raise DataError(
            f"{where}: item {token!r} has two vectors, in rows {first} and {second}; keep one"
        )
    return ItemVectors(name, where, items, values)
