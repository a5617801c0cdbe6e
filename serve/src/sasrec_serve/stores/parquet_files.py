"""Opens Parquet files of events, and checks and converts their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sasrec_serve.errors import DataError


@contextmanager
def opened(path: Path, dictionaries: Sequence[str] = ()) -> Iterator[Any]:
    """Open a Parquet file.

    Args:
        path: The file.
        dictionaries: Columns whose texts are read as dictionaries, which takes less memory.

    Yields:
        A ``pyarrow.parquet.ParquetFile``.

    Raises:
        DataError: The package pyarrow is missing.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(
            f"{path} needs the package pyarrow; run pip install 'sasrec-serve[parquet]'"
        ) from error
    with pq.ParquetFile(path, read_dictionary=list(dictionaries), pre_buffer=False) as file:
        yield file


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turn errors of reading a file into a DataError.

    Args:
        path: The file.

    Yields:
        Nothing.

    Raises:
        DataError: The file is missing, unreadable or no Parquet file.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read: {reason}; check the path") from error
    except ValueError as error:  # pyarrow's own errors
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} is no readable Parquet file: {reason}") from error


def check_token_type(kind: Any, name: str, path: Path) -> None:
    """Check that a column holds tokens.

    Args:
        kind: Its type in Arrow.
        name: Its name.
        path: The file, for messages.

    Raises:
        DataError: It holds neither texts nor integers.
    """
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (
        pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_integer(value)
    ):
        raise DataError(
            f"{path}: column {name!r} has type {kind}; users, items, types and ids must be texts "
            "or integers"
        )


def seconds_or_numbers(column: Any, name: str, path: Path) -> Any:
    """Return a column of times as numbers: dates in seconds since 1970, as in training.

    Args:
        column: An Arrow array of numbers or dates.
        name: Its name, for messages.
        path: The file, for messages.

    Returns:
        An Arrow array of float64; NaN where the time is missing.

    Raises:
        DataError: It holds neither numbers nor dates.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
        column = pc.divide(micros.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise DataError(f"{path}: column {name!r} has type {kind}; times must be numbers or dates")
    return column.cast(pa.float64(), safe=False).fill_null(float("nan"))
