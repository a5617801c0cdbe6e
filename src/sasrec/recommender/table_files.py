"""Files of tables that are written piece by piece, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from sasrec.errors import DataError
from sasrec.system.writing import check_writable, write_by_library, write_file_or_pipe

Schema = Mapping[str, pl.DataType]
Frames = Iterator[pl.DataFrame]


def check_table_path(path: Path) -> None:
    """Raise an error if a table cannot be written to a file; call this before the work.

    Args:
        path: The file that will be written later.

    Raises:
        DataError: The file suffix is unknown, or the file cannot be written.
    """
    if path.suffix.lower() not in WRITERS:
        raise DataError(f"{path}: unknown file suffix {path.suffix!r}; use {', '.join(WRITERS)}")
    check_writable(path)


def write_table(frames: Frames, path: Path, schema: Schema) -> None:
    """Write a table that comes in pieces; if this fails, an existing file is unchanged.

    Args:
        frames: The pieces, all with the same columns.
        path: The file; its suffix decides the format. A pipe is written to directly.
        schema: Names and types of the columns, needed if there is no piece.

    Raises:
        DataError: The file cannot be written.
        BrokenPipeError: The reader of a pipe has ended.
    """
    write = WRITERS[path.suffix.lower()]
    write_file_or_pipe(path, lambda target: write(frames, target, schema))


def _write_parquet(frames: Frames, path: Path, schema: Schema) -> None:
    """Let Polars take one piece after the other, so that only a few are in memory."""

    def source(columns: Any, predicate: Any, n_rows: Any, batch_size: Any) -> Frames:
        # ``sink_parquet`` of the whole table asks for all columns and rows.
        yield from frames

    table = register_io_source(source, schema=dict(schema))
    write_by_library(path, table.sink_parquet)


def _write_csv(frames: Frames, path: Path, schema: Schema) -> None:
    _write_separated(frames, path, schema, ",")


def _write_tsv(frames: Frames, path: Path, schema: Schema) -> None:
    _write_separated(frames, path, schema, "\t")


def _write_separated(frames: Frames, path: Path, schema: Schema, separator: str) -> None:
    with path.open("wb") as file:
        pl.DataFrame(schema=dict(schema)).write_csv(file, separator=separator)
        for frame in frames:
            frame.write_csv(file, separator=separator, include_header=False)


def _write_json_lines(frames: Frames, path: Path, schema: Schema) -> None:
    with path.open("wb") as file:
        for frame in frames:
            frame.write_ndjson(file)


WRITERS: dict[str, Callable[[Frames, Path, Schema], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".jsonl": _write_json_lines,
    ".ndjson": _write_json_lines,
}
"""File suffix to the function that writes it."""
