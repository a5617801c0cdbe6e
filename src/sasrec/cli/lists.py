"""Writes recommendation lists to the terminal or a file one by one, in constant memory."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sasrec.cli.output_paths import expanded
from sasrec.errors import DataError
from sasrec.system.writing import check_writable, write_by_library, write_file_or_pipe

if TYPE_CHECKING:
    from sasrec.recommender.recommendation import Recommendation

    Answers = Iterator["Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A list of recommendations and whom it is for.

    Attributes:
        name: Label of the request, such as ``user 42``.
        found: The recommendation.
        user: User in the data, or None.
    """

    name: str
    found: Recommendation
    user: str | None = None


COLUMNS = ("for", "rank", "item", "score", "by_popularity")
"""Columns of a table with one row per recommended item; ``title`` follows if the model has any."""
JSON_LINES = ("", ".jsonl", ".ndjson", ".json", ".txt")
"""File suffixes that are written as JSON lines."""
PART_ROWS = 2**17
"""Number of rows of a Parquet file that are kept in memory."""


def checked_target(out: Path) -> Path:
    """Return the path of the output file, once it is known to be writable.

    Args:
        out: The path as given.

    Returns:
        The path with ``~`` expanded.

    Raises:
        DataError: The file suffix is unknown, or the file cannot be written.
    """
    path = expanded(out)
    if path.suffix.lower() not in {*JSON_LINES, *TABLES}:
        raise DataError(
            f"{path}: unknown file suffix {path.suffix!r}; use .jsonl (a JSON line per "
            "history), or .csv, .tsv, .parquet (a row per recommended item)"
        )
    check_writable(path)
    return path


def write_lists(answers: Answers, path: Path, titles: Mapping[str, str] | None = None) -> int:
    """Write recommendations to a file; if this fails, an existing file is unchanged.

    Args:
        answers: The recommendations.
        path: From ``checked_target``; the file suffix decides the format.
        titles: Item token to title.

    Returns:
        Number of lists written.

    Raises:
        DataError: The file cannot be written.
    """
    counted = _Counted(answers, titles or {})
    write = TABLES.get(path.suffix.lower(), _write_json_lines)
    write_file_or_pipe(path, lambda target: write(counted, target))
    return counted.count


def print_json(answers: Answers, titles: Mapping[str, str]) -> None:
    """Print recommendations as JSON lines.

    Args:
        answers: The recommendations.
        titles: Item token to title.
    """
    # A console that is not UTF-8 cannot print every character; JSON escapes are ASCII.
    ascii_only = (sys.stdout.encoding or "").lower() not in {"utf-8", "utf8"}
    for answer in answers:
        sys.stdout.write(_json_line(answer, titles, ascii_only=ascii_only))


class _Counted:
    def __init__(self, answers: Answers, titles: Mapping[str, str]) -> None:
        self._answers, self.titles, self.count = answers, titles, 0

    def __iter__(self) -> Answers:
        for answer in self._answers:
            self.count += 1
            yield answer

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table."""
        return (*COLUMNS, "title") if self.titles else COLUMNS

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the table."""
        for answer in self:
            found = answer.found
            for rank, (item, score) in enumerate(
                zip(found.items, found.scores, strict=True), start=1
            ):
                title = (self.titles.get(item),) if self.titles else ()
                yield answer.name, rank, item, score, found.by_popularity, *title


def _json_line(answer: Answer, titles: Mapping[str, str], *, ascii_only: bool) -> str:
    found = asdict(answer.found)
    line = {
        "for": answer.name,
        "user": answer.user,
        "items": found.pop("items"),
        "titles": [titles.get(item) for item in answer.found.items],
        **found,
    }
    return json.dumps(line, ensure_ascii=ascii_only) + "\n"


def _write_json_lines(answers: _Counted, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_json_line(each, answers.titles, ascii_only=False) for each in answers)


def _write_csv(answers: _Counted, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_rows(answers, file, ",")


def _write_tsv(answers: _Counted, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_rows(answers, file, "\t")


def _write_rows(answers: _Counted, file: IO[str], separator: str) -> None:
    writer = csv.writer(file, delimiter=separator, lineterminator="\n")
    writer.writerow(answers.columns)
    writer.writerows(answers.rows())


def _write_parquet(answers: _Counted, path: Path) -> None:
    """Write parts of the table to temporary files, then stream them into one Parquet file."""
    import polars as pl

    dtypes = (pl.String, pl.Int32, pl.String, pl.Float32, pl.Boolean, pl.String)
    schema = dict(zip(answers.columns, dtypes, strict=False))
    parts: list[Path] = []
    rows: list[tuple[Any, ...]] = []
    # Parts of a file go to its own folder, on a disk with room for it. A pipe may be in a folder
    # that is not for files, so its parts go to the system's folder for temporary files.
    parent = path.parent if path.is_file() else None
    with tempfile.TemporaryDirectory(prefix="sasrec-", dir=parent) as folder:

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
        write_by_library(path, pl.scan_ipc(parts).sink_parquet)


TABLES: dict[str, Callable[[_Counted, Path], None]] = {
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".parquet": _write_parquet,
}
