"""Lists: recommendations written to the terminal or a file, one by one, in memory that is flat."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sasrec.cli.output_paths import expanded
from sasrec.errors import DataError
from sasrec.system.writing import check_writable, write_atomically_with

if TYPE_CHECKING:
    from sasrec.recommender.answers import Recommendation

    Answers = Iterator[tuple[str, Recommendation]]

COLUMNS = ("for", "rank", "item", "score", "by_popularity")
"""Of a table; a row an item of a list."""
JSON_LINES = ("", ".jsonl", ".ndjson", ".json", ".txt")
PART_ROWS = 2**17
"""Rows of a Parquet file held at a time."""


def checked_target(out: Path) -> Path:
    """Return the file to write to, before any work is done.

    Args:
        out: As written.

    Returns:
        Its path.

    Raises:
        DataError: It is of an unknown kind, or cannot be written.
    """
    path = expanded(out)
    if path.suffix.lower() not in {*JSON_LINES, *TABLES}:
        raise DataError(
            f"{path}: unknown kind of file {path.suffix!r}; use .jsonl (a JSON line a history), "
            ".csv, .tsv or .parquet (a row for each item of a list)"
        )
    check_writable(path)
    return path


def write_lists(answers: Answers, path: Path) -> int:
    """Write recommendations to a file: whole, or not at all.

    Args:
        answers: Whom for, and what.
        path: From ``checked_target``; its ending says in which form.

    Returns:
        How many were written.

    Raises:
        DataError: It cannot be written.
    """
    counted = _Counted(answers)
    write = TABLES.get(path.suffix.lower(), _write_json_lines)
    if path.exists() and not path.is_file():  # a pipe or a terminal
        try:
            write(counted, path)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    else:
        write_atomically_with(path, lambda working: write(counted, working))
    return counted.count


def print_json(answers: Answers) -> None:
    """Print recommendations as JSON lines.

    Args:
        answers: Whom for, and what.
    """
    # What a console cannot show is written as JSON's own escapes.
    readable = (sys.stdout.encoding or "").lower() in {"utf-8", "utf8"}
    for name, found in answers:
        sys.stdout.write(_json_line(name, found, readable=readable))


class _Counted:
    def __init__(self, answers: Answers) -> None:
        self._answers, self.count = answers, 0

    def __iter__(self) -> Answers:
        for answer in self._answers:
            self.count += 1
            yield answer

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table."""
        for name, found in self:
            for rank, (item, score) in enumerate(
                zip(found.items, found.scores, strict=True), start=1
            ):
                yield name, rank, item, score, found.by_popularity


def _json_line(name: str, found: Recommendation, *, readable: bool) -> str:
    return json.dumps({"for": name, **asdict(found)}, ensure_ascii=not readable) + "\n"


def _write_json_lines(answers: _Counted, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_json_line(name, found, readable=True) for name, found in answers)


def _write_csv(answers: _Counted, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_rows(answers, file, ",")


def _write_tsv(answers: _Counted, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_rows(answers, file, "\t")


def _write_rows(answers: _Counted, file: IO[str], separator: str) -> None:
    writer = csv.writer(file, delimiter=separator, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(answers.rows())


def _write_parquet(answers: _Counted, path: Path) -> None:
    """Write parts, then join them piece by piece; a table is not held as a whole."""
    import polars as pl

    kinds = (pl.String, pl.Int32, pl.String, pl.Float32, pl.Boolean)
    schema = dict(zip(COLUMNS, kinds, strict=True))
    parts: list[Path] = []
    rows: list[tuple[Any, ...]] = []
    # Beside a file, where there is room for it; beside a pipe is somebody else's folder.
    beside = path.parent if path.is_file() else None
    with tempfile.TemporaryDirectory(prefix="sasrec-", dir=beside) as folder:

        def flush() -> None:
            part = Path(folder) / f"part-{len(parts)}.arrow"
            pl.DataFrame(rows, schema=schema, orient="row").write_ipc(part)
            parts.append(part)
            rows.clear()

        for row in answers.rows():
            rows.append(row)
            if len(rows) == PART_ROWS:
                flush()
        if rows or not parts:
            flush()
        pl.scan_ipc(parts).sink_parquet(path)


TABLES: dict[str, Callable[[_Counted, Path], None]] = {
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".parquet": _write_parquet,
}
