"""File formats of plug-ins: functions that read files with a given suffix into a data frame."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl

from sasrec.data.filters import needed_columns
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.columns import time_column
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.registry import READERS

Reader = Callable[[Path, DataSettings], pl.DataFrame]
"""Takes a file and the data settings and returns a Polars data frame: one row per event, in the
order of the file, with at least the user and item columns. It is then checked like any data
frame."""


def register_reader(suffix: str, read: Reader) -> Reader:
    """Register a reader for a file suffix, so that for example ``--data events.jsonl`` works.

    Args:
        suffix: Such as ``.jsonl``.
        read: Reads a file with this suffix.

    Returns:
        The function.

    Raises:
        SettingsError: The suffix is registered already, or the function does not take
            (path, settings).
    """
    name = suffix.removeprefix(".")
    check_reader(read, name)
    READERS.add(name, read, read.__module__)
    return read


def check_reader(read: object, name: str) -> None:
    """Raise an error if a reader cannot be registered.

    Args:
        read: The reader.
        name: The suffix without its dot.

    Raises:
        SettingsError: The suffix has characters that are not allowed, or the reader is not a
            function of (path, settings).
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise SettingsError(
            f"invalid suffix {name!r}; use lower-case letters, digits and underscores, as in .jsonl"
        )
    message = f"the reader for .{name} must be a function that takes (path, settings)"
    if not callable(read):
        raise SettingsError(message)
    try:
        inspect.signature(read).bind("path", "settings")
    except (TypeError, ValueError) as error:
        raise SettingsError(message) from error


def read_with_plugin(read: Reader, path: Path, settings: DataSettings) -> Interactions:
    """Read a file with the reader of a plug-in.

    Args:
        read: The reader of this format.
        path: The file.
        settings: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The reader fails or does not return a Polars data frame, or the frame lacks a
            column or has invalid values.
    """
    try:
        frame = read(path, settings)
    except DataError:
        raise
    except (Exception, SystemExit) as error:  # a plug-in may raise anything
        raise DataError(
            f"{path} cannot be read by the plug-in for {path.suffix}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(frame, pl.DataFrame):
        raise DataError(
            f"{path}: the plug-in for {path.suffix} returned a {type(frame).__name__}; it must "
            "return a Polars data frame"
        )
    events = from_frame(
        frame,
        user=settings.user_column,
        item=settings.item_column,
        time=time_column(frame.columns, settings, str(path)),
        values=needed_columns(settings),
        where=str(path),
        settings=settings,
    )
    return replace(events, columns=tuple(frame.columns))
