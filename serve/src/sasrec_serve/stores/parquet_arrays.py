"""Reads a Parquet file of events into arrays that are sorted by user, time and position."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_serve.errors import DataError
from sasrec_serve.stores.log_columns import LogColumns
from sasrec_serve.stores.parquet_files import (
    opened,
    seconds_or_numbers,
    token_column,
    translating,
)
from sasrec_serve.stores.rows import UNTIMED
from sasrec_serve.stores.tokens import Tokens

LOG = logging.getLogger(__name__)
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class HistoryArrays:
    """All histories, one user after the other.

    Attributes:
        users: Sorted tokens, U.
        offsets: Where the events of each user begin, int64 [U + 1].
        item_tokens: Tokens of items.
        items: Position in ``item_tokens`` of each event, int32 [N].
        times: float64 [N], ``UNTIMED`` if unknown; None without a column of times.
        type_tokens: Tokens of types.
        types: Position in ``type_tokens`` of each event, int16 [N], -1 if unknown; None without a
            column of types.
    """

    users: Tokens
    offsets: NDArray[np.int64]
    item_tokens: Tokens
    items: Codes
    times: NDArray[np.float64] | None
    type_tokens: Tokens
    types: NDArray[np.int16] | None


def read_arrays(path: Path, columns: LogColumns) -> HistoryArrays:
    """Read a file, one column at a time to save memory.

    Args:
        path: The file.
        columns: Names of its columns.

    Returns:
        The histories; rows without user or item are left out, and counted in a warning.
    """
    with translating(path):
        with opened(path) as file:
            columns = columns.found_in(file.schema_arrow.names, str(path))
        texts = [name for name in (columns.user, columns.item, columns.type) if name is not None]
        with opened(path, texts) as file:
            return _read(file, columns, path)


def _read(file: Any, columns: LogColumns, path: Path) -> HistoryArrays:
    user_codes, user_tokens = _encoded(file, columns.user, path)
    items, item_tokens = _encoded(file, columns.item, path)
    times = None if columns.time is None else _times(file, columns.time, path)
    types, type_tokens = (
        (None, Tokens(b"", np.zeros(1, np.int64)))
        if columns.type is None
        else _types(file, columns.type, path)
    )
    users, ranks = _sorted(user_tokens)
    del user_tokens
    offsets, order = _order(user_codes, items, times, ranks=ranks, path=path)
    del user_codes
    items = items[order]  # one column after the other, to have few of them twice in memory
    times = None if times is None else times[order]
    types = None if types is None else types[order]
    return HistoryArrays(users, offsets, _tokens(item_tokens), items, times, type_tokens, types)


def _order(
    user_codes: Codes,
    items: Codes,
    times: NDArray[np.float64] | None,
    *,
    ranks: Codes,
    path: Path,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each user begins, and the rows in order of user, time and position."""
    rows = _rows_with_all(user_codes, items, path)
    if rows is not None:
        user_codes, times = user_codes[rows], None if times is None else times[rows]
    users = ranks[user_codes]
    offsets = np.zeros(len(ranks) + 1, np.int64)
    np.cumsum(np.bincount(users, minlength=len(ranks)), out=offsets[1:])
    if times is None or bool((times[1:] >= times[:-1]).all()):
        order = np.argsort(users, kind="stable")
    else:
        order = np.lexsort((times, users))
    return offsets, order if rows is None else rows[order]


def _encoded(file: Any, name: str, path: Path) -> tuple[Codes, Any]:
    """Return a column as positions in an Arrow array of its distinct values, -1 if missing."""
    import pyarrow as pa

    column = token_column(file.read(columns=[name]).column(0), name, path)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if not chunks:
        return np.zeros(0, np.int32), pa.array([], pa.large_string())
    codes = np.concatenate(
        [
            chunk.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
            for chunk in chunks
        ]
    )
    tokens = chunks[0].dictionary.cast(pa.large_string())
    del column, chunks
    pa.default_memory_pool().release_unused()
    return codes, tokens


def _types(file: Any, name: str, path: Path) -> tuple[NDArray[np.int16], Tokens]:
    codes, tokens = _encoded(file, name, path)
    if len(tokens) > np.iinfo(np.int16).max:
        raise DataError(
            f"{path}: column {name!r} has {len(tokens):,} different event types; name a column "
            "with few, or none"
        )
    return codes.astype(np.int16), _tokens(tokens)


def _times(file: Any, name: str, path: Path) -> NDArray[np.float64]:
    # UNTIMED where they are missing.
    import pyarrow as pa

    column = seconds_or_numbers(file.read(columns=[name]).column(0), name, path)
    times = np.array(column.to_numpy(), np.float64)
    if np.isinf(times).any():
        row = int(np.isinf(times).argmax()) + 1
        raise DataError(f"{path}, row {row:,}: the time is infinite; correct it or leave it empty")
    times[np.isnan(times)] = UNTIMED
    del column
    pa.default_memory_pool().release_unused()
    return times


def _sorted(tokens: Any) -> tuple[Tokens, Codes]:
    """Return tokens in sorted order, and the new position of each."""
    import pyarrow.compute as pc

    order = pc.sort_indices(tokens)
    ranks = np.empty(len(tokens), np.int32)
    ranks[order.to_numpy()] = np.arange(len(tokens), dtype=np.int32)
    return _tokens(tokens.take(order)), ranks


def _tokens(array: Any) -> Tokens:
    """Return an Arrow array of texts without missing values as tokens."""
    _, offsets, data = array.buffers()
    if not len(array):
        return Tokens(b"", np.zeros(1, np.int64))
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    first, last = int(ends[0]), int(ends[-1])
    return Tokens(data.to_pybytes()[first:last] if data is not None else b"", ends - first)


def _rows_with_all(users: Codes, items: Codes, path: Path) -> NDArray[np.int64] | None:
    """Return the rows that have a user and an item; None for all."""
    lacking = (users < 0) | (items < 0)
    n_lacking = int(lacking.sum())
    if not n_lacking:
        return None
    LOG.warning("%s: %s rows have no user or no item and are left out", path, f"{n_lacking:,}")
    return np.flatnonzero(~lacking)
