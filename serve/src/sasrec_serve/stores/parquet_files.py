"""Opens Parquet files of events, and checks and converts their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sasrec_serve.errors import DataError

FIRST_INEXACT = {16: 2**11, 32: 2**24, 64: 2**53}
"""By bits of a float type, the first whole number that the next one may be rounded to."""


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


def token_column(column: Any, name: str, path: Path) -> Any:
    """Return a column of tokens as texts or integers.

    Whole numbers that are stored as floats, as pandas does where some are missing, become
    integers, as in training: 17850.0 is the token ``17850``.

    Args:
        column: An Arrow array [N].
        name: Its name, for messages.
        path: The file, for messages.

    Returns:
        An Arrow array [N] of texts or integers; null where the token is missing.

    Raises:
        DataError: It holds neither texts nor whole numbers, or floats so large that one can stand
            for several whole numbers.
    """
    import pyarrow as pa

    kind = column.type
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_floating(kind):
        return _whole_numbers(column, name, path)
    if not (
        pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_integer(value)
    ):
        raise DataError(
            f"{path}: column {name!r} has type {kind}; users, items, types and ids must be texts "
            "or whole numbers"
        )
    return column


def _whole_numbers(column: Any, name: str, path: Path) -> Any:
    """Return floats as int64; null where they are null or NaN.

    Raises:
        DataError: One is not a whole number, or inexact.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    inexact = FIRST_INEXACT[column.type.bit_width]
    column = column.cast(pa.float64())
    column = pc.if_else(pc.is_nan(column), None, column)
    is_bad = pc.or_(
        pc.not_equal(pc.floor(column), column), pc.greater_equal(pc.abs(column), inexact)
    )
    bad = column.filter(is_bad)
    if len(bad):
        raise DataError(
            f"{path}: column {name!r} has the number {bad[0].as_py()!r}; users, items, types and "
            f"ids must be texts or whole numbers below {inexact:,}; write the column as text"
        )
    return column.cast(pa.int64())


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
