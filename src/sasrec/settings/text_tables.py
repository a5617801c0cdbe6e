"""Settings of text files: separators, encoding, and columns of files without a header."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sasrec.errors import did_you_mean, printable
from sasrec.settings.fields import Word, number_as_text, recbole, written_as
from sasrec.settings.time_format import TimeSettings

USER, ITEM, TIME, ITEMS, SKIPPED = "user", "item", "time", "items", "_"
"""Words of ``columns`` with a meaning; another word is the name of a further column."""
UTF_8 = "utf-8"
ENCODINGS = ("utf-8", "utf-16", "utf-32", "latin-1", "cp1252", "cp1251", "cp932", "gb18030")
"""Encodings that messages name; Python knows some hundred more."""


def _words(value: Any) -> Any:
    """Return ``user,item,time`` as a tuple; values of other types are returned unchanged."""
    if not isinstance(value, str):
        return [number_as_text(each) for each in value] if isinstance(value, list) else value
    return tuple(each.strip() for each in value.split(","))


def _check_words(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the words of ``columns`` if they are distinct.

    Args:
        words: The words; None means that the first line names the columns.

    Returns:
        The words, unchanged.

    Raises:
        ValueError: Two columns have the same name, or ``items`` stands for the rest of the line
            but other words follow or precede it.
    """
    named = [word for word in words or () if word != SKIPPED]
    twice = next((word for word in named if named.count(word) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice; write _ for a column to skip")
    if words is not None and ITEMS in words and words != (USER, ITEMS):
        raise ValueError(
            "the word items stands for the whole history of a user, one line per user; write "
            "columns=user,items"
        )
    return words


def _encoding(value: Any) -> Any:
    """Return the usual spelling of an encoding.

    Args:
        value: Any name that Python knows, such as ``latin1`` or ``UTF8``.

    Returns:
        Python's name of it; values of other types are returned unchanged for pydantic to check.

    Raises:
        ValueError: Python knows no encoding of texts with this name.
    """
    if not isinstance(value, str):
        return value
    try:
        "a".encode(value)  # refuses codecs such as base64, which do not encode texts
        name = codecs.lookup(value).name
    except (LookupError, UnicodeError, ValueError):
        hint = did_you_mean(value, ENCODINGS)
        raise ValueError(
            f"{value!r} is not an encoding{hint}; common ones are {', '.join(ENCODINGS)}"
        ) from None
    return UTF_8 if name == "utf-8-sig" else name


def _separator(value: Any) -> Any:
    r"""Return a separator with ``\t`` (two characters on a command line) turned into a tab."""
    return value.replace("\\t", "\t") if isinstance(value, str) else value


Separator = Annotated[
    str,
    BeforeValidator(_separator),
    written_as(
        r"[\x00-\x09\x0b\x0c\x0e-\x7f]{1,4}", "have one to four ASCII characters, no line ends"
    ),
]


class TextSettings(TimeSettings):
    """How to read text files: separators, encoding, and columns that the file does not name."""

    columns: Annotated[
        tuple[Word, ...] | None, BeforeValidator(_words), AfterValidator(_check_words)
    ] = None
    """Columns of a text file without a header, in order, such as user,item,rating,time. The words
    user, item and time stand for the columns of these; _ skips a column; another word names a
    column for filters or item_columns. user,items reads lines of a user and the whole history.
    None: the first line names the columns."""
    encoding: Annotated[str, BeforeValidator(_encoding)] = Field(
        UTF_8, json_schema_extra=recbole("encoding")
    )
    """Encoding of text files, such as utf-16, latin-1 or cp1252; any that Python knows."""
    separator: Separator = Field("\t", json_schema_extra=recbole("field_separator"))
    r"""Separator between the columns, up to four characters such as ::. With \t, text files other
    than atomic files may also use another common separator, which is found in the first line."""
    sequence_separator: Separator = Field(" ", json_schema_extra=recbole("seq_separator"))
    """Separator between the values of a column that holds a list."""


def check_roles(words: Sequence[str] | None, user_column: str, item_column: str) -> None:
    """Raise an error if ``columns`` lacks the user or the item.

    Args:
        words: The words of ``columns``, or None.
        user_column: Name of the user column, which stands for the word user too.
        item_column: Name of the item column.

    Raises:
        ValueError: One of them is missing.
    """
    if words is None:
        return
    for word, names in ((USER, {USER, user_column}), (ITEM, {ITEM, ITEMS, item_column})):
        if not names & set(words):
            raise ValueError(
                f"columns={printable(','.join(words))} has no {word}; write the word {word} for "
                "that column, as in columns=user,item,time"
            )
