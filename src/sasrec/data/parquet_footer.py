"""Parquet's own sizes, checked before anything trusts them.

A Parquet file ends in a footer, and each page of values begins with a header; both say how much
there is. Polars makes room for what they say, so that a kilobyte can ask for gigabytes and end the
process. The numbers of fields are those of ``parquet.thrift`` in the Parquet format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sasrec.data.limits import MOST_SWOLLEN
from sasrec.data.thrift import Fields, walk_struct
from sasrec.errors import DataError

MAGIC = b"PAR1"
LARGEST_PAGE = 2**26
"""Bytes of a page unpacked that are always allowed; writers make pages of a megabyte."""
COLUMN = (4, 1, 3)
"""Fields that lead from ``FileMetaData`` by ``RowGroup`` and ``ColumnChunk`` to
``ColumnMetaData``."""
LONGEST_HEADER = 2**16
"""Bytes of a page's header, which may hold its lowest and highest value."""


def check_sizes(path: Path, columns: tuple[str, ...]) -> None:
    """Refuse a file that says it holds what cannot be.

    Args:
        path: The file.
        columns: Those whose pages will be read.

    Raises:
        DataError: It is no Parquet file; or its footer or a page says that there is more than the
            file has room for, more values than rows, or a page of more than ``LARGEST_PAGE`` bytes
            and ``MOST_SWOLLEN`` times the file.
    """
    counts = dict.fromkeys(columns, 0)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size

            def check(chunk: Fields) -> None:
                name = chunk[3][0].decode(errors="replace")
                if name in counts:
                    counts[name] += _checked_values(file, chunk, size)

            footer, _ = walk_struct(_footer(file, size), COLUMN, check)
            swollen = [name for name, count in counts.items() if count > footer[3]]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: its sizes are broken") from error
    if swollen:
        raise DataError(
            f"{path}: column {swollen[0]!r} has more values than rows; it must hold one in each, "
            "not lists"
        )


def _footer(file: BinaryIO, size: int) -> bytes:
    """Return a file's footer, ``FileMetaData``.

    Raises:
        ValueError: It has none.
    """
    tail = len(MAGIC) + 4
    if size < len(MAGIC) + tail:
        raise ValueError("too short")
    file.seek(size - tail)
    end = file.read(tail)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or length > size - tail - len(MAGIC):
        raise ValueError("no footer")
    file.seek(size - tail - length)
    return file.read(length)


def _checked_values(file: BinaryIO, chunk: Fields, size: int) -> int:
    """Return how many values the pages of a column hold in a group of rows.

    Args:
        file: The file.
        chunk: ``ColumnMetaData``.
        size: Bytes of the file.

    Raises:
        ValueError: They cannot be.
    """
    begin = min(chunk[9], chunk.get(11) or chunk[9])
    end = begin + chunk[7]
    if not 0 < begin <= end <= size:
        raise ValueError("pages outside the file")
    values = 0
    for header in _pages(file, begin, end):
        if not 0 <= header[2] <= max(LARGEST_PAGE, MOST_SWOLLEN * size):
            raise ValueError("too large a page")
        entries = header.get(7, {1: 0})[1]
        about = header.get(5) or header.get(8) or {1: 0}
        if entries > header[2] or about[1] < 0:
            raise ValueError("more entries than bytes")
        values += about[1]
    if values != chunk[5]:
        raise ValueError("other values than there should be")
    return values


def _pages(file: BinaryIO, begin: int, end: int) -> Iterator[Fields]:
    """Yield the ``PageHeader`` of each page between two places of a file.

    Raises:
        ValueError: One ends elsewhere.
    """
    while begin < end:
        file.seek(begin)
        header, length = walk_struct(file.read(min(LONGEST_HEADER, end - begin)))
        begin += length + header[3]
        if header[3] < 0 or begin > end:
            raise ValueError("a page beyond its column")
        yield header
