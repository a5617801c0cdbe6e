"""Tables from files, mappings, lists of rows and data frames."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.rules.recognised import from_python, from_texts
from sasrec_serve.rules.values import Values
from sasrec_serve.rules.wording import did_you_mean, printable
from sasrec_serve.tokens import cleaned_token, token_of


class DataFrame(Protocol):
    """A Polars or pandas data frame."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns."""
        ...

    def __getitem__(self, name: Any, /) -> Iterable[Any]:
        """Return a column."""
        ...


TableSource = str | Path | Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] | DataFrame
"""A file, a mapping of columns, a list of rows, or a data frame."""
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
SEPARATORS = {".csv": (",", ";", "\t", "|"), ".tsv": ("\t",)}
"""Separators to look for in the first line, by suffix."""
EXCEL_MARK = "sep="
"""Beginning of a first line by which Excel tells the separator."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table whose columns have no types yet.

    Attributes:
        where: What to call its source in messages.
        columns: Name of each column to its values; None where one is missing.
        has_types: Whether values have Python types; otherwise all are texts.
    """

    where: str
    columns: Mapping[str, Sequence[Any]]
    has_types: bool

    def typed(self, name: str) -> Values | None:
        """Return a column in the type that its values have; None if rules cannot use it.

        Args:
            name: Name of the column.
        """
        values = self.columns[name]
        return from_python(values) if self.has_types else from_texts(values)

    def tokens(self, name: str, data: Mapping[str, Any]) -> list[str | None]:
        """Return a column of users or items as tokens.

        Args:
            name: Name of the column.
            data: The data settings of the training, for the cleaning of tokens.

        Returns:
            The cleaned tokens; None where one is missing.

        Raises:
            DataError: A value is neither text nor a whole number, or there is no such column.
        """
        if name not in self.columns:
            names = list(self.columns)
            raise DataError(
                f"{self.where}: there is no column {name!r}{did_you_mean(name, names)} (columns: "
                f"{', '.join(map(str, names))})"
            )
        cleanings, missing = data.get("clean_tokens") or (), set(data.get("missing_values") or ())
        missing |= {cleaned_token(text, cleanings) for text in missing}
        found: list[str | None] = []
        for row, value in enumerate(self.columns[name], start=1):
            try:
                token = _token(value)
            except ValueError as error:
                raise DataError(
                    f"{self.where}, row {row}: {name!r} is {value!r}, and {error}; users and items "
                    "must be text or whole numbers, preferably text"
                ) from error
            if token is not None and token not in missing:
                token = cleaned_token(token, cleanings)
            found.append(None if token in missing else token)
        return found


def _token(value: object) -> str | None:
    """Return a value as token; None for a missing one."""
    is_missing = value is None or (isinstance(value, float) and value != value)
    return None if is_missing else token_of(value)


def read_table(source: TableSource, what: str, *, separator: str = "\t") -> Table:
    """Read a table.

    Args:
        source: A .csv, .tsv, .jsonl or .parquet file, a mapping of columns, a list of rows, or a
            Polars or pandas data frame.
        what: What the source was given as, for error messages.
        separator: Separator of .csv files if their first line has it.

    Returns:
        The table.

    Raises:
        DataError: It is not a table, or cannot be read.
    """
    if not isinstance(source, str | Path):
        return _from_python(source, what)
    path = Path(source).expanduser()
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path}: no such file; {what} needs a table")
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path}: unknown file suffix {path.suffix!r} for {what}; use {', '.join(SUFFIXES)}"
        )
    try:
        if suffix == ".parquet":
            return Table(str(path), _parquet(path), has_types=True)
        if suffix in (".jsonl", ".ndjson"):
            return Table(str(path), _json_lines(path), has_types=True)
        return Table(str(path), _separated(path, suffix, separator), has_types=False)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except (OSError, ValueError, csv.Error) as error:
        reason = printable((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise DataError(f"{path} cannot be read as {suffix[1:]}: {reason}") from error


def _from_python(source: Any, what: str) -> Table:
    """Return a table from a mapping, rows, or a data frame.

    Raises:
        DataError: It is none of these, or its columns have different lengths.
    """
    if isinstance(source, Mapping):
        columns = {str(name): _listed(values, what) for name, values in source.items()}
    elif hasattr(source, "columns") and hasattr(source, "to_dict") and not isinstance(source, type):
        columns = {str(name): _listed(source[name], what) for name in source.columns}
    elif isinstance(source, Sequence) and all(isinstance(row, Mapping) for row in source):
        names = dict.fromkeys(str(name) for row in source for name in row)
        columns = {name: [row.get(name) for row in source] for name in names}
    else:
        raise DataError(
            f"{what} is a {type(source).__name__}; give a path, a mapping of columns, or a list of "
            "rows"
        )
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise DataError(f"the columns of {what} have different lengths ({shown})")
    return Table(f"the table of {what}", columns, has_types=True)


def _listed(values: Any, what: str) -> list[Any]:
    """Return a column as a list of Python values.

    Raises:
        DataError: It is not a list.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise DataError(f"a column of {what} is {values!r}; give a list of values")
    if isinstance(getattr(values, "dtype", None), np.dtype):
        array = np.asarray(values)
        values = array.astype("datetime64[us]") if array.dtype.kind == "M" else array
        return [*values.tolist()]
    return values.to_list() if hasattr(values, "to_list") else list(values)


def _separated(path: Path, suffix: str, separator: str) -> dict[str, list[str | None]]:
    """Return the columns of a .csv or .tsv file as texts; an empty text is missing.

    Raises:
        ValueError: A line has another number of values than the first.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline().rstrip("\r\n")
        if not head:
            raise ValueError("it is empty")
        mark = head[len(EXCEL_MARK) :] if head.lower().startswith(EXCEL_MARK) else ""
        first = file.readline().rstrip("\r\n") if mark else head
        given = separator if len(separator) == 1 and separator != "\t" and separator in head else ""
        found = next((each for each in SEPARATORS[suffix] if each in first), SEPARATORS[suffix][0])
        file.seek(0)
        if mark:
            file.readline()
        reader = csv.reader(file, delimiter=mark or given or found, strict=True)
        names = next(reader)
        _check_names(names)
        rows = [row for row in reader if row]
    for index, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise ValueError(f"row {index} has {len(row)} values, and the header {len(names)}")
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {
        name: [text or None for text in values] for name, values in zip(names, columns, strict=True)
    }


def _check_names(names: Sequence[str]) -> None:
    """Refuse a header that names a column twice.

    Raises:
        ValueError: It does.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two columns are called {twice!r}")


def _json_lines(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a file with one JSON object per line.

    Raises:
        ValueError: A line is no JSON object.
    """
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number} is not JSON ({error})") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is not a JSON object")
            rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _parquet(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a Parquet file.

    Raises:
        DataError: PyArrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(
            f"{path}: reading Parquet needs PyArrow; run pip install 'sasrec-serve[parquet]', or "
            "give a .csv or .jsonl file"
        ) from error
    table = pq.read_table(path)
    found = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
        found[name] = column.to_pylist()
    return found
