"""Reads JSON lines, one event per line: {"user_id": "ann", "item_id": 7, "timestamp": 12}."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sasrec.settings.data import DataSettings


def read_json_lines(path: Path, settings: DataSettings) -> pl.DataFrame:
    """Return the events of a file, in order; the columns have the names given in the settings."""
    return pl.read_ndjson(path)
