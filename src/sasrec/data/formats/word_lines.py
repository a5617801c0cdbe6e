"""Lines of words: columns between spaces, and lines of a user and the items of a whole history.

The data of the SASRec paper have lines such as ``user item``, those of S3-Rec and DuoRec such as
``user item item item``, both in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from sasrec.data.formats.first_lines import NOT_UTF_8
from sasrec.data.formats.headings import SPACES, UNNAMED, Heading
from sasrec.data.formats.limits import count_bytes, count_line_ends
from sasrec.data.formats.pieces import BLANKS, number_of_line, pieces
from sasrec.data.formats.tables import Table
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError, counted
from sasrec.settings.data import DataSettings


def words_table(path: Path, heading: Heading, columns: DataSettings, end: int) -> Table:
    """Return the table of a text file with words.

    Args:
        path: The file.
        heading: Its columns and their separator.
        columns: The names of user and item column, for histories.
        end: Number of bytes of the file to read.

    Returns:
        The table.
    """
    if heading.has_histories:
        names = [columns.user_column, columns.item_column]
        separators = b" \t" if heading.separator == SPACES else heading.separator.encode()[:1]
        most = sum(count_bytes(path, bytes([each]), end) for each in separators) + 1
        read = partial(_histories, path, heading, names, end)
        return Table(str(path), names, most, read, has_header=False)
    names = [name for name in heading.names if not name.startswith(UNNAMED)]
    most = count_line_ends(path, end) + 1
    read = partial(_columns, path, heading, end)
    return Table(str(path), names, most, read, has_header=heading.has_header)


def _columns(
    path: Path, heading: Heading, end: int, values: list[str], numberings: Mapping[str, Numbering]
) -> Iterator[pl.DataFrame]:
    """Yield some columns of a file piece by piece.

    Args:
        path: The file.
        heading: Its columns.
        end: Number of bytes of the file to read.
        values: Columns to yield as text.
        numberings: Columns of tokens, yielded as numbers; new tokens are added.

    Yields:
        One row per line that is not blank.

    Raises:
        DataError: A line has another number of words.
    """
    count = len(heading.names)
    for words, before in _pieces(path, heading, end):
        if (bad := words.list.len() != count).any():
            index = int(bad.arg_max() or 0)
            line = number_of_line(path, heading.lines, before + index)
            raise DataError(
                f"{path}, line {line}: {counted(len(words[index]), 'value')} where "
                f"there must be {count}, as in the first line"
            )
        texts = {
            name: words.list.get(heading.names.index(name)).alias(name)
            for name in [*numberings, *values]
        }
        tokens = {name: each.add(texts[name]) for name, each in numberings.items()}
        yield pl.DataFrame({**texts, **tokens})


def _histories(
    path: Path,
    heading: Heading,
    names: list[str],
    end: int,
    values: list[str],
    numberings: Mapping[str, Numbering],
) -> Iterator[pl.DataFrame]:
    """Yield the events of a file with one history a line, piece by piece.

    Args:
        path: The file.
        heading: The separator.
        names: The user and the item column.
        end: Number of bytes of the file to read.
        values: Columns to yield as text.
        numberings: Columns of tokens, yielded as numbers; new tokens are added.

    Yields:
        One row per item.

    Raises:
        DataError: A line has no items, or an empty value.
    """
    user, item = names
    for words, before in _pieces(path, heading, end):
        bad = (words.list.len() < 2) | words.list.eval(pl.element() == "").list.any()
        if bad.any():
            line = number_of_line(path, heading.lines, before + int(bad.arg_max() or 0))
            raise DataError(
                f"{path}, line {line}: a line must be a user and at least one item, with none of "
                "them empty; correct or delete it"
            )
        lists = pl.DataFrame({user: words.list.first(), item: words.list.slice(1)})
        rows = lists.explode(item)
        tokens = [each.add(rows[name]) for name, each in numberings.items()]
        yield rows.select(*values, *tokens)


def _pieces(path: Path, heading: Heading, end: int) -> Iterator[tuple[pl.Series, int]]:
    """Yield the words of lines that are not blank, List(String), and how many such lines precede.

    Raises:
        DataError: A line is not UTF-8.
    """
    before = 0
    with path.open("rb") as file:
        for _ in range(heading.lines):
            file.readline()
        for piece in pieces(file, quoted=False, end=end):
            try:
                text = piece.decode("utf-8-sig" if not heading.lines and not before else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(NOT_UTF_8.format(path, "cp1252")) from error
            lines = pl.Series(text.split("\n"), dtype=pl.String).str.strip_chars(BLANKS)
            filled = lines.filter(lines != "")
            yield _split(filled, heading.separator), before
            before += len(filled)


def _split(lines: pl.Series, separator: str) -> pl.Series:
    if separator == SPACES:
        return lines.str.extract_all(r"[^ \t]+")
    return lines.str.split(separator)
