"""Cleaning: optional changes to tokens that merge those which differ only in invisible ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from functools import partial

import polars as pl

from sasrec.data.values.numbering import Numbering
from sasrec.settings.data import DataSettings

SPACES = (
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""Unicode's white space, and zero-width characters, which come from web pages and byte order
marks."""
POINT_ZERO = r"^(-?[1-9][0-9]{0,14}|0)\.0+$"
"""A whole number written as a float, short enough that no digit was lost."""

NULL_LIKE = frozenset(
    {"null", "(null)", "<null>", "nil", "none", "nan", "-nan", "nat", "undefined", "\\n"}
    | {"na", "n/a", "n.a.", "<na>", "#n/a", "#na", "-", "--", "?"}
    | {"[pad]", "<pad>"}
)
"""Texts that programs write for a missing value, in lower case."""


def is_null_like(text: str) -> bool:
    """Return whether a text is blank or one that programs write for a missing value.

    Args:
        text: Any text.
    """
    stripped = text.strip(SPACES).lower()
    return not stripped or stripped in NULL_LIKE


def _without_spaces(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars(SPACES)


def _composed(texts: pl.Series) -> pl.Series:
    if _is_ascii(texts):
        return texts  # ASCII is the same in every Unicode form
    return _each_distinct(texts, partial(unicodedata.normalize, "NFC"))


def _is_ascii(texts: pl.Series) -> bool:
    return bool((texts.str.len_bytes() == texts.str.len_chars()).all())


def _each_distinct(texts: pl.Series, change: Callable[[str], str]) -> pl.Series:
    """Return texts after a change by Python, as for single tokens.

    The Unicode tables of Polars may be of another version than Python's.
    """
    before = texts.drop_nulls().unique()
    return texts.replace(before, pl.Series(map(change, before), dtype=pl.String))


def _without_point(texts: pl.Series) -> pl.Series:
    if not texts.str.contains(".0", literal=True).any():
        return texts
    return texts.str.replace(POINT_ZERO, "$1")


def _lower(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase() if _is_ascii(texts) else _each_distinct(texts, str.lower)


CLEANINGS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "spaces": _without_spaces,
    "unicode": _composed,
    "numbers": _without_point,
    "case": _lower,
}
"""Name to function, String to String, in the order in which they are applied."""


def cleaned(texts: pl.Series, cleanings: Collection[str]) -> pl.Series:
    """Return tokens after some cleanings.

    Args:
        texts: String [n].
        cleanings: Names in ``CLEANINGS``.

    Returns:
        String [n].
    """
    for name, clean in CLEANINGS.items():
        if name in cleanings:
            texts = clean(texts)
    return texts


def cleaned_token(token: str, cleanings: Collection[str]) -> str:
    """Return one token after some cleanings; the result is the same as that of ``cleaned``.

    It does not use Polars, whose threads do not exist in a forked process.

    Args:
        token: Any text.
        cleanings: Names in ``CLEANINGS``.
    """
    if "spaces" in cleanings:
        token = token.strip(SPACES)
    if "unicode" in cleanings:
        token = unicodedata.normalize("NFC", token)
    if "numbers" in cleanings:
        token = re.sub(POINT_ZERO.replace("$", r"\Z"), r"\1", token)
    return token.lower() if "case" in cleanings else token


def without_missing(texts: pl.Series, missing: Collection[str]) -> pl.Series:
    """Return texts, with null in place of those that stand for a missing value.

    Args:
        texts: String [n].
        missing: Texts that stand for a missing value, with or without spaces around them.

    Returns:
        String [n].
    """
    if not missing:
        return texts
    is_missing = _without_spaces(texts).is_in(pl.Series(list(missing), dtype=pl.String).implode())
    return texts.set(is_missing.fill_null(value=False), None)


def clean_by_settings(texts: pl.Series, settings: DataSettings) -> pl.Series:
    """Return tokens cleaned according to ``clean_tokens`` and ``missing_values``.

    Args:
        texts: String [n].
        settings: These two settings.

    Returns:
        String [n], null where the token is missing.
    """
    missing = settings.missing_values
    texts = cleaned(without_missing(texts, missing), settings.clean_tokens)
    if missing and settings.clean_tokens:  # cleaning may have turned a text into one of them
        alike = {cleaned_token(text, settings.clean_tokens) for text in missing}
        texts = without_missing(texts, alike)
    return texts


def numbering_for(settings: DataSettings) -> Numbering:
    """Return an empty numbering that cleans tokens according to the settings.

    Args:
        settings: ``clean_tokens`` and ``missing_values``.

    Returns:
        The numbering.
    """
    if not settings.clean_tokens and not settings.missing_values:
        return Numbering()
    return Numbering(partial(clean_by_settings, settings=settings))
