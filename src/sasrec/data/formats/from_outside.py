"""Formats from outside: a function that reads files of some suffix into a data frame."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

from sasrec.data.filters import needed_columns
from sasrec.data.interactions import Interactions, from_frame
from sasrec.data.values.times import time_column
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.registry import READERS

Reader = Callable[[Path, DataSettings], pl.DataFrame]
"""From a file and the settings of the data to a frame with one row an event, in the order of the
file, and at least the user and the item column; the rest is as for any data frame."""


def register_reader(suffix: str, read: Reader) -> Reader:
    """Make a file format known by its suffix, so that ``--data events.jsonl`` is read by it.

    Args:
        suffix: Such as ``.jsonl``.
        read: Reads a file of this suffix.

    Returns:
        The function.

    Raises:
        SettingsError: The suffix is taken, or the function does not take (path, settings).
    """
    name = suffix.removeprefix(".")
    check_reader(read, name)
    READERS.add(name, read, read.__module__)
    return read


def check_reader(read: object, name: str) -> None:
    """Refuse what is no reader.

    Args:
        read: What is to be registered.
        name: The suffix without its dot.

    Raises:
        SettingsError: Something does not fit.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise SettingsError(f"{name!r} is no suffix; use lower-case letters and digits, as .jsonl")
    wrong = f"the reader of .{name} is no function of (path, settings)"
    if not callable(read):
        raise SettingsError(wrong)
    try:
        inspect.signature(read).bind("path", "settings")
    except (TypeError, ValueError) as error:
        raise SettingsError(wrong) from error


def read_from_outside(read: Reader, path: Path, settings: DataSettings) -> Interactions:
    """Return the events of a file in a format from outside.

    Args:
        read: Of this format.
        path: The file.
        settings: Which columns hold what.

    Returns:
        Its events, in the order of the file.

    Raises:
        DataError: The reader fails or returns something else, or the frame lacks a column or
            holds values that do not fit.
    """
    try:
        frame = read(path, settings)
    except Exception as error:  # whatever somebody else's function may raise
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} cannot be read by the plug-in for {path.suffix}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(frame, pl.DataFrame):
        raise DataError(
            f"{path}: the plug-in for {path.suffix} returns a {type(frame).__name__}; it must "
            "return a Polars data frame"
        )
    return from_frame(
        frame,
        user=settings.user_column,
        item=settings.item_column,
        time=time_column(frame.columns, settings, str(path)),
        values=needed_columns(settings),
        where=str(path),
        settings=settings,
    )
