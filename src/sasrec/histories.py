"""Histories as people hand them in: checked, and in the form the recommender works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sasrec.data.tokens import INEXACT, token_of
from sasrec.errors import DataError


def checked_histories(histories: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return histories as lists of item tokens.

    Args:
        histories: As given.

    Returns:
        Texts.

    Raises:
        DataError: They are no list of lists of tokens.
    """  # by tokens_of too
    if isinstance(histories, str) or not isinstance(histories, Iterable):
        raise DataError(f"histories are a list of lists of item tokens, not {histories!r}")
    return [tokens_of(history, "a history is") for history in histories]


def moments_of(times: Sequence[Sequence[float]], lengths: list[int]) -> list[np.ndarray]:
    """Return times as float64 arrays, one a history.

    Args:
        times: Numbers.
        lengths: Of the histories.

    Returns:
        The arrays.

    Raises:
        DataError: They are no finite numbers, or not as many as there are events.
    """
    try:
        moments = [_seconds(np.asarray(each)).astype(np.float64) for each in times]
    except (TypeError, ValueError) as error:
        raise DataError(f"times are a list of lists of numbers ({error})") from error
    if [each.shape for each in moments] != [(length,) for length in lengths]:
        raise DataError("times do not fit the histories; there must be one for each event")
    if not all(np.isfinite(each).all() for each in moments):
        raise DataError("times hold something that is no finite number")
    return moments


def _seconds(times: np.ndarray) -> np.ndarray:
    """Return moments as seconds since 1970, as they are when a data set is read; else the same."""
    if times.dtype.kind == "O" and len(times) and all(hasattr(each, "timestamp") for each in times):
        return np.array([each.timestamp() for each in times])
    if times.dtype.kind == "M":
        return times.astype("datetime64[us]").astype(np.int64) / 1e6
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
    if isinstance(items, str) or not isinstance(items, Iterable):
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
