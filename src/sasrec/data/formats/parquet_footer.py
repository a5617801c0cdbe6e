"""Checks the sizes that a Parquet file states about itself, before Polars relies on them.

A Parquet file ends with a footer, and each page of values begins with a header; both state sizes.
Polars allocates what they state, so a damaged file of one kilobyte could request gigabytes and
crash the process. Field numbers are those of ``parquet.thrift`` in the Parquet format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sasrec.data.formats.limits import MAX_COLUMNS, MAX_EXPANSION
from sasrec.data.formats.thrift import Fields, walk_struct
from sasrec.errors import DataError

DAMAGED = "{} cannot be read as Parquet: its {} are damaged; download or write the file again"
NOT_PARQUET = (
    "{} is not a Parquet file (these begin with the bytes PAR1); give it the suffix of its format"
)
TRUNCATED = (
    "{} is truncated (a Parquet file ends with the bytes PAR1); download or write the file again"
)
MAGIC = b"PAR1"
LARGEST_PAGE = 2**26
"""Unpacked bytes that a page, and all pages of a column together, may always have."""
MAX_COLUMN_EXPANSION = 250
"""Upper limit on the ratio of a column's unpacked pages to the file size; highly repetitive data
are compressed to about a hundredth."""
COLUMN, ELEMENT = (4, 1, 3), (2,)
"""Field numbers that lead from ``FileMetaData`` via ``RowGroup`` and ``ColumnChunk`` to
``ColumnMetaData``; and from ``FileMetaData`` to ``SchemaElement``."""
LONGEST_HEADER = 2**16
"""Bytes of a page header, which may contain the lowest and highest value of the page."""
MAX_DEPTH = 64
"""Levels of nested columns."""
DELTA_TEXTS = {6, 7}
"""Encodings that store the lengths of texts among the values, where they are not checked here."""


def check_sizes(path: Path, columns: tuple[str, ...]) -> bool:
    """Raise an error if a file states sizes that are impossible or far too large.

    Args:
        path: The file.
        columns: Columns whose pages will be read.

    Returns:
        Whether the file uses encodings with further sizes, which are not checked here.

    Raises:
        DataError: It is not a Parquet file; or its footer or a page header states more data than
            the file has room for, more values than rows, a page that is larger than both
            ``LARGEST_PAGE`` and ``MAX_EXPANSION`` times the file, or a column whose pages are
            larger than ``MAX_COLUMN_EXPANSION`` times the file plus ``LARGEST_PAGE``.
    """
    try:
        with path.open("rb") as file:
            sizes = _Sizes(file, path.stat().st_size, columns)
            if file.read(len(MAGIC)) != MAGIC:
                raise DataError(NOT_PARQUET.format(path))
            file.seek(max(0, sizes.size - len(MAGIC)))
            if file.read() != MAGIC:
                raise DataError(TRUNCATED.format(path))
            sought = {ELEMENT: sizes.element, COLUMN: sizes.chunk}
            footer, _ = walk_struct(_footer(file, sizes.size), sought)
            nested = [name for name, count in sizes.values.items() if count > footer[3]]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(DAMAGED.format(path, "sizes")) from error
    if nested:
        raise DataError(
            f"{path}: column {nested[0]!r} has more values than rows; it must have one text or "
            "number per row"
        )
    return sizes.has_delta_texts


class _Sizes:
    """Sums of the sizes that a file states; its methods raise ValueError for impossible sizes."""

    def __init__(self, file: BinaryIO, size: int, columns: tuple[str, ...]) -> None:
        self.file, self.size = file, size
        self.values = dict.fromkeys(columns, 0)
        self.unpacked = dict.fromkeys(columns, 0)
        self.packed = 0
        self.has_delta_texts = False
        self.leaves: list[str] = []  # the top-level name of each column that has values
        self.open: list[int] = []  # at each level of nesting, number of columns still to come
        self.name = ""
        self.chunks = 0

    def element(self, element: Fields) -> None:
        # Called for each ``SchemaElement``; a parent comes before its children.
        if len(self.open) > MAX_DEPTH or len(self.leaves) >= MAX_COLUMNS:
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
        # Called for each ``ColumnMetaData``: one column in one row group.
        if not self.leaves:
            raise ValueError("no columns")
        name = self.leaves[self.chunks % len(self.leaves)]
        self.chunks += 1
        if chunk[3][0].decode(errors="replace") != name:  # readers go by position, not by name
            raise ValueError("columns are not in the order of the schema")
        if name not in self.values or not chunk[5]:
            return
        self.values[name] += chunk[5]
        begin = min(chunk[9], chunk.get(11) or chunk[9])
        end = begin + chunk[7]
        self.packed += chunk[7]
        if not 0 < begin <= end <= self.size or self.packed > self.size:
            raise ValueError("pages outside the file, or listed twice")
        if chunk[5] != sum(self.page(name, header) for header in _pages(self.file, begin, end)):
            raise ValueError("pages and column state different numbers of values")
        if self.unpacked[name] > MAX_COLUMN_EXPANSION * self.size + LARGEST_PAGE:
            raise ValueError("unpacked column too large for the file")

    def page(self, name: str, header: Fields) -> int:
        # Called for each ``PageHeader``; returns the number of values in the page.
        if not 0 <= header[2] <= max(LARGEST_PAGE, MAX_EXPANSION * self.size):
            raise ValueError("page too large")
        self.unpacked[name] += header[2]
        version_1, version_2 = header.get(5), header.get(8)
        details = version_1 or version_2 or {1: 0}
        if header.get(7, {1: 0})[1] > header[2] or details[1] < 0:
            raise ValueError("more entries than bytes")
        encoding = details[2] if version_1 else details[4] if version_2 else None
        self.has_delta_texts |= encoding in DELTA_TEXTS
        values: int = details[1]
        return values


def _footer(file: BinaryIO, size: int) -> bytes:
    """Return the footer of a file, ``FileMetaData``.

    Raises:
        ValueError: The file is too short, or the footer would begin before the file.
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
    """Yield the ``PageHeader`` of each page between two byte positions of a file.

    Raises:
        ValueError: The last page does not end at the second position.
    """
    while begin < end:
        file.seek(begin)
        header, length = walk_struct(file.read(min(LONGEST_HEADER, end - begin)))
        begin += length + header[3]
        if header[3] < 0 or begin > end:
            raise ValueError("a page ends after its column")
        yield header
