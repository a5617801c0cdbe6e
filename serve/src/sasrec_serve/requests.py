"""Checks of the histories, times, users and types given to a recommender, and their conversion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.event_types import type_lists
from sasrec_serve.times import time_arrays
from sasrec_serve.tokens import TEXTS, tokens_of

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Request:
    """Histories to answer, checked.

    Attributes:
        tokens: Item tokens of each history, oldest first.
        times: float64 arrays, times of the events of each history; None if unknown.
        users: User token of each history, or None.
        types: Type of each event of each history, None for an unknown type; None if all are
            unknown.
    """

    tokens: list[list[str]]
    times: list[np.ndarray | None]
    users: list[str | None]
    types: list[list[str | None] | None]

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.tokens)


def request_of(
    histories: Iterable[Sequence[str]],
    times: Iterable[Sequence[float] | None] | None = None,
    users: Iterable[str | None] | None = None,
    *,
    types: Iterable[Sequence[str | None] | None] | None = None,
) -> Request:
    """Return histories with their times, users and types, checked.

    Args:
        histories: Item tokens of each history, oldest first.
        times: Time of each event of each history; None for a history whose times are unknown.
        users: User token of each history, or None.
        types: Type of each event of each history; None for a history whose types are unknown.

    Returns:
        The request.

    Raises:
        DataError: An argument is not a list of the right type, or the lengths differ.
    """
    _check_ordered(histories, "histories must be a list of lists of item tokens")
    if times is not None:
        _check_ordered(
            times, "times must be a list of lists of numbers or dates, one for each history"
        )
    if users is not None:
        _check_ordered(users, "users must be a list of user tokens, one for each history")
    if types is not None:
        _check_ordered(types, "types must be a list of lists of event types, one for each history")
    for given, name in ((times, "lists of times"), (users, "users"), (types, "lists of types")):
        if isinstance(given, Sized) and isinstance(histories, Sized):
            _check_count(name, len(given), len(histories))
    tokens = [_history(each) for each in histories]
    lengths = [len(each) for each in tokens]
    # Iterators are taken one after the other, and what is left of them is checked last.
    given_times, more_times = _taken(times, len(tokens), "lists of times")
    given_users, more_users = _taken(users, len(tokens), "users")
    given_types, more_types = _taken(types, len(tokens), "lists of types")
    request = Request(
        tokens,
        users=[None if user is None else tokens_of([user], "users")[0] for user in given_users],
        types=type_lists(given_types, lengths),
        times=time_arrays(given_times, lengths),
    )
    for left, name in (
        (more_times, "lists of times"),
        (more_users, "users"),
        (more_types, "lists of types"),
    ):
        if next(left, left) is not left:
            raise DataError(
                f"there are more {name} than the {len(tokens)} histories; give one for each"
            )
    return request


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


def _history(history: Sequence[str]) -> list[str]:
    _check_ordered(history, "a history must be a list of item tokens")
    return tokens_of(history, "a history")


def _taken(
    values: Iterable[Value | None] | None, count: int, name: str
) -> tuple[list[Value | None], Iterator[Value | None]]:
    """Return a value for each history, and an iterator over what is left; None for no values."""
    if values is None:
        return [None] * count, iter(())
    left = iter(values)
    found = list(islice(left, count))
    _check_count(name, len(found), count)
    return found, left
