"""Vectors of items in files of arrays: .npy and .safetensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from sasrec.data.values.tokens import column_tokens
from sasrec.errors import DataError, counted
from sasrec.settings.data import DataSettings


def arrays_in(path: Path, settings: DataSettings) -> tuple[np.ndarray, pl.Series | None]:
    """Return the matrix in a .npy or .safetensors file, and its items if the file has them.

    Args:
        path: The file.
        settings: The item column.

    Returns:
        float32 [n, m]; and the item of each row, String, or None.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    tensors, array = {}, None
    try:
        if path.suffix.lower() == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            from safetensors.torch import load_file

            tensors = load_file(path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {_first_line(error)}") from error
    except Exception as error:  # safetensors has an error class of its own
        raise DataError(f"{path} cannot be read as safetensors: {_first_line(error)}") from error
    if array is not None:
        return _as_matrix(array, path), None
    matrices = [tensor for tensor in tensors.values() if tensor.dim() == 2]
    if len(matrices) != 1:
        raise DataError(
            f"{path} must hold one matrix of vectors, but has {len(matrices)} among: "
            f"{', '.join(tensors)}"
        )
    names = {settings.item_column, "item", "items"}
    ids = [t for name, t in tensors.items() if name in names and t.dim() == 1]
    tokens = column_tokens(pl.Series("item", ids[0].numpy()), str(path)) if ids else None
    return _as_matrix(matrices[0].float().numpy(), path), tokens


def _as_matrix(array: np.ndarray, path: Path) -> np.ndarray:
    """Return a matrix of numbers as float32.

    Raises:
        DataError: It is something else.
    """
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.shape[1]:
        raise DataError(
            f"{path} holds {array.dtype} of shape {list(array.shape)}; vectors must be a matrix of "
            "numbers with a row for each item"
        )
    with np.errstate(over="ignore"):  # infinity is refused later
        return np.asarray(array, dtype=np.float32)


def items_of_rows(
    path: Path, array: np.ndarray, tokens: pl.Series | None, rows: pl.Series | None
) -> pl.Series:
    """Return the item of each row of a matrix.

    Args:
        path: Its file.
        array: The matrix.
        tokens: Items that the file names; None if it names none.
        rows: Items of the rows of the items file; None without one.

    Returns:
        String [n].

    Raises:
        DataError: The file names no items, and there is no items file with as many rows.
    """
    found = rows if tokens is None else tokens
    if found is None:
        raise DataError(
            f"{path} does not say which item each row belongs to; give the items file whose rows "
            "it follows (--items FILE), or use a .parquet file with the columns "
            "'item' and 'vector'"
        )
    if len(found) != len(array):
        what = "the items file" if tokens is None else "its list of items"
        raise DataError(
            f"{path} has {counted(len(array), 'row')}, but {what} has {len(found):,}; it needs one "
            "row for each item, in the same order"
        )
    return found.alias("item")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
