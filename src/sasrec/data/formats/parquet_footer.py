"""Parquet's own sizes, checked before anything trusts them.

A Parquet file ends in a footer, and each page of values begins with a header; both say how much
there is. Polars makes room for what they say, so that a kilobyte can ask for gigabytes and end the
process. The numbers of fields are those of ``parquet.thrift`` in the Parquet format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sasrec.data.formats.limits import MAX_COLUMNS, MAX_EXPANSION
from sasrec.data.formats.thrift import Fields, walk_struct
from sasrec.errors import DataError

BROKEN = "{} cannot be read as Parquet: its {} are broken; fetch or write it anew"
OTHER = "{} is no Parquet file, which begins with the letters PAR1; name it after what it holds"
CUT_OFF = "{} is cut off: a Parquet file ends with the letters PAR1; fetch or write it anew"
MAGIC = b"PAR1"
LARGEST_PAGE = 2**26
"""Bytes of a page unpacked, and of all pages of a column, that are always allowed."""
MOST_UNPACKED = 250
"""How many times the file all pages of a column may be unpacked; what hardly says anything is
packed into a hundredth."""
COLUMN, ELEMENT = (4, 1, 3), (2,)
"""Fields that lead from ``FileMetaData`` by ``RowGroup`` and ``ColumnChunk`` to ``ColumnMetaData``,
and to ``SchemaElement``."""
LONGEST_HEADER = 2**16
"""Bytes of a page's header, which may hold its lowest and highest value."""
DEEPEST = 64
"""Columns in columns."""
DELTA_TEXTS = {6, 7}
"""Encodings in which lengths of texts stand among the values, so that they are not seen here."""


def check_sizes(path: Path, columns: tuple[str, ...]) -> bool:
    """Refuse a file that says it holds what cannot be.

    Args:
        path: The file.
        columns: Those whose pages will be read.

    Returns:
        Whether there may be more such sizes, which are not seen here.

    Raises:
        DataError: It is no Parquet file; or its footer or a page says that there is more than the
            file has room for, more values than rows, a page of more than ``LARGEST_PAGE`` bytes
            and ``MAX_EXPANSION`` times the file, or pages ``MOST_UNPACKED`` times the file.
    """
    try:
        with path.open("rb") as file:
            sizes = _Sizes(file, path.stat().st_size, columns)
            if file.read(len(MAGIC)) != MAGIC:
                raise DataError(OTHER.format(path))
            file.seek(max(0, sizes.size - len(MAGIC)))
            if file.read() != MAGIC:
                raise DataError(CUT_OFF.format(path))
            sought = {ELEMENT: sizes.element, COLUMN: sizes.chunk}
            footer, _ = walk_struct(_footer(file, sizes.size), sought)
            swollen = [name for name, count in sizes.values.items() if count > footer[3]]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(BROKEN.format(path, "sizes")) from error
    if swollen:
        raise DataError(
            f"{path}: column {swollen[0]!r} has more values than rows; it must hold one text or "
            "number in each"
        )
    return sizes.has_delta_texts


class _Sizes:
    """What a file says of its columns, added up; methods raise ValueError where that cannot be."""

    def __init__(self, file: BinaryIO, size: int, columns: tuple[str, ...]) -> None:
        self.file, self.size = file, size
        self.values = dict.fromkeys(columns, 0)
        self.unpacked = dict.fromkeys(columns, 0)
        self.packed = 0
        self.has_delta_texts = False
        self.leaves: list[str] = []  # the outermost name of each column that holds values
        self.open: list[int] = []  # of columns in columns, how many are to come at each depth
        self.name = ""
        self.chunks = 0

    def element(self, element: Fields) -> None:
        # ``SchemaElement``s are told one after the other, each before those in it.
        if len(self.open) > DEEPEST or len(self.leaves) >= MAX_COLUMNS:
            raise ValueError("too many columns")
        if len(self.open) == 1:
            self.name = element[4].decode(errors="replace")
        children = element.get(5) or 0
        if children > 0:
            self.open.append(children)
            return
        self.leaves.append(self.name)
        while self.open:
            self.open[-1] -= 1
            if self.open[-1]:
                return
            self.open.pop()

    def chunk(self, chunk: Fields) -> None:
        # ``ColumnMetaData``, of a column in a group of rows.
        if not self.leaves:
            raise ValueError("no columns")
        name = self.leaves[self.chunks % len(self.leaves)]
        self.chunks += 1
        if chunk[3][0].decode(errors="replace") != name:  # readers go by place, not by name
            raise ValueError("columns in another order than their names")
        if name not in self.values or not chunk[5]:
            return
        self.values[name] += chunk[5]
        begin = min(chunk[9], chunk.get(11) or chunk[9])
        end = begin + chunk[7]
        self.packed += chunk[7]
        if not 0 < begin <= end <= self.size or self.packed > self.size:
            raise ValueError("pages outside the file, or told of twice")
        if chunk[5] != sum(self.page(name, header) for header in _pages(self.file, begin, end)):
            raise ValueError("other values than there should be")
        if self.unpacked[name] > MOST_UNPACKED * self.size + LARGEST_PAGE:
            raise ValueError("too much in too little")

    def page(self, name: str, header: Fields) -> int:
        # Of a ``PageHeader``; returns how many values the page holds.
        if not 0 <= header[2] <= max(LARGEST_PAGE, MAX_EXPANSION * self.size):
            raise ValueError("too large a page")
        self.unpacked[name] += header[2]
        first, second = header.get(5), header.get(8)
        about = first or second or {1: 0}
        if header.get(7, {1: 0})[1] > header[2] or about[1] < 0:
            raise ValueError("more entries than bytes")
        encoding = about[2] if first else about[4] if second else None
        self.has_delta_texts |= encoding in DELTA_TEXTS
        values: int = about[1]
        return values


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
    if length > size - tail - len(MAGIC):
        raise ValueError("no footer")
    file.seek(size - tail - length)
    return file.read(length)


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
