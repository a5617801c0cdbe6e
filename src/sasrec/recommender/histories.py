"""Checks of the histories, times and users given to a recommender, and their conversion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, date
from itertools import islice

import numpy as np
import polars as pl

from sasrec.data.values.timestamps import FORMS, TimeReader, fitting_form
from sasrec.data.values.tokens import INEXACT, token_of
from sasrec.errors import DataError, SettingNeeded

CHUNK, CHUNK_EVENTS = 2048, 2**18
"""A chunk ends at this many histories or events: enough for batches of similar lengths."""
TEXTS = str | bytes | bytearray | memoryview
"""Types that Python can iterate over although they are not lists of tokens."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of the given histories, checked.

    Attributes:
        tokens: Item tokens of each history, oldest first.
        times: float64 arrays, times of the events of each history; None if unknown.
        users: User token of each history, or None.
    """

    tokens: list[list[str]]
    times: list[np.ndarray | None]
    users: list[str | None]


def in_chunks(
    histories: Iterable[Sequence[str]],
    times: Iterable[Sequence[float] | None] | None = None,
    users: Iterable[str | None] | None = None,
) -> Iterator[Chunk]:
    """Read histories with their times and users in chunks, and check them.

    Args:
        histories: Item tokens of each history, oldest first.
        times: Time of each event of each history; None for a history whose times are unknown.
        users: User token of each history, or None.

    Returns:
        The chunks, in order; none is empty.

    Raises:
        DataError: An argument is not a list of the right type, or the lengths differ. Contents,
            and the lengths of iterators, are checked while they are read.
    """
    _check_ordered(histories, "histories must be a list of lists of item tokens")
    if times is not None:
        _check_ordered(
            times, "times must be a list of lists of numbers or dates, one for each history"
        )
    if users is not None:
        _check_ordered(users, "users must be a list of user tokens, one for each history")
    for given, name in ((times, "lists of times"), (users, "users")):
        if isinstance(given, Sized) and isinstance(histories, Sized):
            _check_count(name, len(given), len(histories))
    return _chunks(iter(histories), times, users)


def users_in(chunks: Iterable[Chunk]) -> list[str | None]:
    """Return the user of each history.

    Args:
        chunks: All chunks of a request.
    """
    return [user for chunk in chunks for user in chunk.users]


def _check_ordered(values: object, requirement: str) -> None:
    """Reject values that are not a list, have no order, or yield something other than elements.

    Args:
        values: The given argument.
        requirement: Beginning of the error text, such as "users must be a list".

    Raises:
        DataError: The argument is text, bytes, a set or a data frame, or not iterable.
    """
    if isinstance(values, TEXTS) or not isinstance(values, Iterable):
        kind = "the text " if isinstance(values, str) else ""
        raise DataError(f"{requirement}, not {kind}{values!r}")
    if isinstance(values, set | frozenset):
        raise DataError(f"{requirement}; a set has no order")
    if hasattr(values, "columns"):  # iterating over a data frame yields columns or their names
        raise DataError(f"{requirement}, not a data frame; give one of its columns as a list")


def _check_count(name: str, count: int, expected: int) -> None:
    if count != expected:
        raise DataError(f"histories: {expected}, {name}: {count}; give one for each history")


def _chunks(
    histories: Iterator[Sequence[str]],
    times: Iterable[Sequence[float] | None] | None,
    users: Iterable[str | None] | None,
) -> Iterator[Chunk]:
    remaining_times = None if times is None else iter(times)
    remaining_users = None if users is None else iter(users)
    read = 0
    while tokens := _next_histories(histories):
        count = len(tokens)
        chunk_times: list[Sequence[float] | None] = [None] * count
        if remaining_times is not None:
            chunk_times = list(islice(remaining_times, count))
            _check_count("lists of times", len(chunk_times) + read, count + read)
        chunk_users: list[str | None] = [None] * count
        if remaining_users is not None:
            some = list(islice(remaining_users, count))
            _check_count("users", len(some) + read, count + read)
            chunk_users = user_tokens(some)
        yield Chunk(tokens, time_arrays(chunk_times, [len(each) for each in tokens]), chunk_users)
        read += count
    for left, name in ((remaining_times, "lists of times"), (remaining_users, "users")):
        if left is not None and next(left, left) is not left:
            raise DataError(f"there are more {name} than the {read} histories; give one for each")


def _next_histories(histories: Iterator[Sequence[str]]) -> list[list[str]]:
    """Return the histories of the next chunk, checked; empty at the end."""
    some: list[list[str]] = []
    events = 0
    for history in histories:
        _check_ordered(history, "a history must be a list of item tokens")
        some.append(tokens_of(history, "a history"))
        events += len(some[-1])
        if len(some) == CHUNK or events >= CHUNK_EVENTS:
            break
    return some


def user_tokens(users: Iterable[str | None]) -> list[str | None]:
    """Return user tokens as text.

    Args:
        users: Text or whole numbers; None for an unknown user.

    Returns:
        Text or None for each user.

    Raises:
        DataError: A user is neither text nor a whole number.
    """  # raised by tokens_of
    return [None if user is None else tokens_of([user], "users")[0] for user in users]


def time_arrays(
    times: Sequence[Sequence[float] | None], lengths: list[int]
) -> list[np.ndarray | None]:
    """Return the times of each history as a float64 array.

    Args:
        times: Numbers; dates or datetimes of any type; or numbers or ISO dates as text, as in data
            files. None if unknown.
        lengths: Events in each history.

    Returns:
        The arrays; dates and datetimes become seconds since 1970.

    Raises:
        DataError: A time is neither a finite number nor a date, or there is not one for each event.
    """
    found: list[np.ndarray | None] = []
    for each, length in zip(times, lengths, strict=True):
        if each is None:
            found.append(None)
            continue
        try:
            seconds = _seconds(np.asarray(each)).astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"times must be a list of lists of numbers or dates: {error}"
            ) from error
        if seconds.shape != (length,):
            raise DataError("times do not match the histories; give one time for each event")
        if not np.isfinite(seconds).all():
            raise DataError("times contain NaN, infinity or NaT; give a finite number or a date")
        found.append(seconds)
    return found


def _seconds(times: np.ndarray) -> np.ndarray:
    """Return dates and times as seconds since 1970, and numbers unchanged.

    As in data sets, a time without a time zone is UTC.

    Raises:
        TypeError: The values are booleans, bytes, complex numbers or durations, or text that is
            neither all numbers nor all dates.
    """
    if times.dtype.kind == "U":
        return _seconds_of_texts(times)
    if times.dtype.kind == "O" and len(times) and all(hasattr(each, "timestamp") for each in times):
        zoned = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in times]
        return np.array([each.timestamp() for each in zoned])
    if times.dtype.kind == "O" and len(times) and all(type(each) is date for each in times):
        times = times.astype("datetime64[D]")
    if times.dtype.kind == "M":
        seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(times), np.nan, seconds)
    if times.dtype.kind in "Sbcm":
        raise TypeError(f"{times.flat[0].item()!r} is not a number or a date")
    return times


def _seconds_of_texts(texts: np.ndarray) -> np.ndarray:
    """Return times given as text, read as the times of a data file; NaN where a text is empty.

    Raises:
        TypeError: The texts are neither all numbers nor all dates, or the order of day and month is
            not certain.
    """
    values = pl.Series("times", texts.ravel().tolist(), dtype=pl.String)
    reader = TimeReader()
    reader.add(values)
    if reader.has_failed:
        first = values.filter(fitting_form(values, FORMS)[1])[0]
        raise TypeError(
            f"{first!r} is not; write all as numbers, or all as dates such as 2024-05-31 or "
            "2024-05-31 18:30:00"
        )
    try:
        values = reader.series("times", "times")
    except SettingNeeded as error:
        raise TypeError(
            f"{reader.example!r} can be read with the day or the month first; write 2024-05-31"
        ) from error
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical() / 1e6
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy().reshape(texts.shape)


def tokens_of(items: Iterable[str], what: str) -> list[str]:
    """Return item tokens as a list of text; a number becomes its decimal digits.

    Args:
        items: Text or whole numbers; a whole float such as 9.0 counts as a whole number.
        what: Subject of the error text, such as "a history".

    Returns:
        The tokens.

    Raises:
        DataError: The argument is not a list, or contains something else.
    """
    if isinstance(items, TEXTS) or not isinstance(items, Iterable):
        kind = "the text " if isinstance(items, str) else ""
        raise DataError(f"{what} must be a list of item tokens, not {kind}{items!r}")
    tokens: list[str] = []
    for item in items:
        try:
            tokens.append(token_of(item))
        except ValueError as error:
            reason = "" if str(error) != INEXACT else f": {error}, so give it as text"
            raise DataError(
                f"{what} must be a list of texts or whole numbers, and {item!r} is neither{reason}"
            ) from error
    return tokens
