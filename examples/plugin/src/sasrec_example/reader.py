"""JSON lines: one event a line, such as {"user_id": "ann", "item_id": 7, "timestamp": 12}."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sasrec.settings.data import DataSettings


def read_json_lines(path: Path, settings: DataSettings) -> pl.DataFrame:
    """Return the events of a file, in its order; columns are named as in the settings."""
    return pl.read_ndjson(path)
