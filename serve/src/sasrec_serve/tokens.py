"""Tokens: items and users as text, and the cleaning that the training data went through."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from decimal import Decimal

import numpy as np

from sasrec_serve.errors import DataError

TEXTS = str | bytes | bytearray | memoryview
"""Types that Python can iterate over although they are not lists of tokens."""
INEXACT = "a float this large can stand for several whole numbers"
SPACES = (
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""Unicode's white space, and zero-width characters, which come from web pages and byte order
marks."""
POINT_ZERO = re.compile(r"^(-?[1-9][0-9]{0,14}|0)\.0+\Z")
"""A whole number written as a float, short enough that no digit was lost."""


def token_of(value: object) -> str:
    """Return the token of a value: a text is its own token, that of a number is its digits.

    >>> token_of("09"), token_of(9), token_of(9.0)
    ('09', '9', '9')

    Args:
        value: A text or a whole number of any type.

    Returns:
        The text itself, or the number in digits.

    Raises:
        ValueError: It is neither a text nor a whole number, or a float so large that it can stand
            for several whole numbers.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        raise ValueError("True and False cannot be ids")
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        if abs(value) >= 2 ** (np.finfo(type(value)).nmant + 1):
            raise ValueError(INEXACT)
        return str(int(value))
    raise ValueError("that is neither a text nor a whole number")


def tokens_of(items: Iterable[object], what: str) -> list[str]:
    """Return tokens as a list of text.

    Args:
        items: Texts or whole numbers; a whole float such as 9.0 counts as a whole number.
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
            tokens.append(item if type(item) is str else token_of(item))
        except ValueError as error:
            reason = "" if str(error) != INEXACT else f": {error}, so give it as text"
            raise DataError(
                f"{what} must be a list of texts or whole numbers, and {item!r} is neither{reason}"
            ) from error
    return tokens


def cleaned_token(token: str, cleanings: Collection[str]) -> str:
    """Return a token after some cleanings.

    Args:
        token: Any text.
        cleanings: Names from ``clean_tokens``: ``spaces``, ``unicode``, ``numbers``, ``case``.
    """
    if "spaces" in cleanings:
        token = token.strip(SPACES)
    if "unicode" in cleanings:
        token = unicodedata.normalize("NFC", token)
    if "numbers" in cleanings:
        token = POINT_ZERO.sub(r"\1", token)
    return token.lower() if "case" in cleanings else token
