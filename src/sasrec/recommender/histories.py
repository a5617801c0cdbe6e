"""Histories as people hand them in: checked, and in the form the recommender works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, date
from itertools import islice

import numpy as np

from sasrec.data.values.tokens import INEXACT, token_of
from sasrec.errors import DataError

CHUNK, CHUNK_EVENTS = 2048, 2**18
"""Histories held at a time, and events of theirs: enough for batches of like length."""
TEXTS = str | bytes | bytearray | memoryview
"""What Python goes through letter by letter, or as numbers, though it is no list of tokens."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some histories as they were handed in.

    Attributes:
        tokens: Item tokens of each, oldest first.
        times: float64 arrays, when their events were; None where that is not known.
        users: Token of the person behind each, or None.
    """

    tokens: list[list[str]]
    times: list[np.ndarray | None]
    users: list[str | None]


def in_chunks(
    histories: Iterable[Sequence[str]],
    times: Iterable[Sequence[float] | None] | None = None,
    users: Iterable[str | None] | None = None,
) -> Iterator[Chunk]:
    """Read histories a bounded number at a time, checked, with what belongs to them.

    Args:
        histories: Item tokens of each person, oldest first.
        times: When each event of each history was; None for a history of which it is not known.
        users: Token of the person behind each history, or None.

    Returns:
        The chunks, in order, none empty.

    Raises:
        DataError: They are no lists of the right kind, or differ in length; the latter and what is
            inside of them is looked at as they are read.
    """
    _check_in_order(histories, "histories are a list of lists of item tokens")
    if times is not None:
        _check_in_order(times, "times are a list of lists of numbers, one for each history")
    if users is not None:
        _check_in_order(users, "users are a list of user tokens, one for each history")
    for given, name in ((times, "lists of times"), (users, "users")):
        if isinstance(given, Sized) and isinstance(histories, Sized):
            _check_count(name, len(given), len(histories))
    return _chunks(iter(histories), times, users)


def _check_in_order(values: object, what: str) -> None:
    """Refuse what is no list of values, or has them in no order, or would yield something else.

    Args:
        values: As handed in.
        what: Subject and predicate of the error text.

    Raises:
        DataError: It is a text, bytes, a set or a data frame, or cannot be gone through.
    """
    if isinstance(values, TEXTS) or not isinstance(values, Iterable):
        kind = "the text " if isinstance(values, str) else ""
        raise DataError(f"{what}, not {kind}{values!r}")
    if isinstance(values, set | frozenset):
        raise DataError(f"{what}; a set has no order")
    if hasattr(values, "columns"):  # going through a frame yields its columns, or their names
        raise DataError(f"{what}, not a data frame; give one of its columns, such as a list of it")


def _check_count(name: str, count: int, wanted: int) -> None:
    if count != wanted:
        raise DataError(f"histories: {wanted}, {name}: {count}; give one for each history")


def _chunks(
    histories: Iterator[Sequence[str]],
    times: Iterable[Sequence[float] | None] | None,
    users: Iterable[str | None] | None,
) -> Iterator[Chunk]:
    moments = None if times is None else iter(times)
    people = None if users is None else iter(users)
    read = 0
    while tokens := _some(histories):
        count = len(tokens)
        theirs: list[Sequence[float] | None] = [None] * count
        if moments is not None:
            theirs = list(islice(moments, count))
            _check_count("lists of times", len(theirs) + read, count + read)
        tokens_of_users: list[str | None] = [None] * count
        if people is not None:
            some = list(islice(people, count))
            _check_count("users", len(some) + read, count + read)
            tokens_of_users = people_of(some)
        yield Chunk(tokens, moments_of(theirs, [len(each) for each in tokens]), tokens_of_users)
        read += count
    for left, name in ((moments, "lists of times"), (people, "users")):
        if left is not None and next(left, left) is not left:
            raise DataError(f"there are more {name} than the {read} histories; give one for each")


def _some(histories: Iterator[Sequence[str]]) -> list[list[str]]:
    """Return the next histories, checked; no more than ``CHUNK``, or few of many events."""
    some: list[list[str]] = []
    events = 0
    for history in histories:
        _check_in_order(history, "a history is a list of item tokens")
        some.append(tokens_of(history, "a history is"))
        events += len(some[-1])
        if len(some) == CHUNK or events >= CHUNK_EVENTS:
            break
    return some


def people_of(users: Iterable[str | None]) -> list[str | None]:
    """Return user tokens as texts.

    Args:
        users: Texts or whole numbers; None for nobody in particular.

    Returns:
        Texts and None.

    Raises:
        DataError: They hold something else.
    """  # by tokens_of
    return [None if user is None else tokens_of([user], "the users are")[0] for user in users]


def moments_of(
    times: Sequence[Sequence[float] | None], lengths: list[int]
) -> list[np.ndarray | None]:
    """Return times as float64 arrays, one a history.

    Args:
        times: Numbers, or moments of any kind; None where they are not known.
        lengths: Of the histories.

    Returns:
        The arrays, seconds since 1970 for moments.

    Raises:
        DataError: They are no finite numbers, or not as many as there are events.
    """
    found: list[np.ndarray | None] = []
    for each, length in zip(times, lengths, strict=True):
        if each is None:
            found.append(None)
            continue
        try:
            moments = _seconds(np.asarray(each)).astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"times are a list of lists of numbers ({error})") from error
        if moments.shape != (length,):
            raise DataError("times do not fit the histories; there must be one for each event")
        if not np.isfinite(moments).all():
            raise DataError("times hold something that is no finite number")
        found.append(moments)
    return found


def _seconds(times: np.ndarray) -> np.ndarray:
    """Return moments as seconds since 1970, as they are when a data set is read; else the same.

    Moments without a zone are in UTC, as there.

    Raises:
        TypeError: They are texts, truth values, complex numbers or spans of time.
    """
    if times.dtype.kind == "O" and len(times) and all(hasattr(each, "timestamp") for each in times):
        zoned = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in times]
        return np.array([each.timestamp() for each in zoned])
    if times.dtype.kind == "O" and len(times) and all(type(each) is date for each in times):
        times = times.astype("datetime64[D]")
    if times.dtype.kind == "M":
        seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(times), np.nan, seconds)
    if times.dtype.kind in "USbcm":
        raise TypeError(f"{times.flat[0].item()!r} is none")
    return times


def tokens_of(items: Iterable[str], what: str) -> list[str]:
    """Return item tokens as a list of texts; numbers are taken as the tokens they spell.

    Args:
        items: Texts or whole numbers; a float that is whole, such as 9.0, is that number.
        what: Subject and verb of the error text.

    Returns:
        Texts.

    Raises:
        DataError: It is no list, or holds something else.
    """
    if isinstance(items, TEXTS) or not isinstance(items, Iterable):
        kind = "the text " if isinstance(items, str) else ""
        raise DataError(f"{what} a list of item tokens, not {kind}{items!r}")
    tokens: list[str] = []
    for item in items:
        try:
            tokens.append(token_of(item))
        except ValueError as error:
            reason = "" if str(error) != INEXACT else f": {error}, so give it as text"
            raise DataError(
                f"{what} a list of texts or whole numbers, and {item!r} is neither{reason}"
            ) from error
    return tokens
