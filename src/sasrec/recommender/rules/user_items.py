"""Tables of items by user, and lists of items, from files and data frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sasrec.data.formats.item_files import read_table
from sasrec.data.values.cleaning import clean_by_settings
from sasrec.data.values.columns import require_columns
from sasrec.data.values.tokens import column_tokens
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, counted
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource

MAX_BYTES = 2**30
"""Maximum size of a file with one item per line."""


@dataclass(frozen=True, slots=True)
class UserItems:
    """Items by user.

    Attributes:
        users: The users of the table.
        items: int64 [n], item numbers of all users, one user after the other.
        offsets: int64 [users + 2]; the items of user number u are from offset u to offset u + 1.
    """

    users: Vocabulary
    items: np.ndarray
    offsets: np.ndarray

    def of(self, users: Sequence[str | None], rule: str) -> list[np.ndarray]:
        """Return the items of some users.

        Args:
            users: Their tokens.
            rule: Name of the rule, for error messages.

        Returns:
            int64 arrays, item numbers; empty for a user who is not in the table.

        Raises:
            DataError: A user is not given.
        """
        if any(user is None for user in users):
            raise DataError(
                f"{rule} needs the user of each history, and one is not given; give --user (in "
                "Python: users=)"
            )
        numbers = self.users.numbers(user for user in users if user is not None)
        return [self.items[self.offsets[n] : self.offsets[n + 1]] for n in numbers]


def user_items(
    source: ItemSource, items: Vocabulary, settings: DataSettings, rule: str
) -> tuple[UserItems, list[Remark]]:
    """Read a table with a row for each user and item.

    Args:
        source: A file or data frame with a user and an item column.
        items: The items of the model.
        settings: Names of the two columns, and how to clean tokens.
        rule: Name of the rule, for error messages.

    Returns:
        The table, and remarks about its items that the model does not know.

    Raises:
        DataError: It cannot be read, lacks a column, or has none of the items of the model.
    """
    names = (settings.user_column, settings.item_column)
    frame, where, _ = read_table(source, settings, tokens=names, what=rule)
    require_columns(frame.columns, names, where, settings)
    users, tokens = (clean_by_settings(column_tokens(frame[n], where), settings) for n in names)
    numbers = items.numbers(tokens.fill_null("").to_list())
    remarks = _unknown_items(numbers, tokens, f"{rule}: {where}")
    known = pl.DataFrame({"user": users, "item": numbers}).filter(pl.col("item") > 0).drop_nulls()
    distinct = users.drop_nulls().unique(maintain_order=True)
    vocabulary = Vocabulary.of_distinct(distinct).cleaning(settings.clean_tokens)
    owners = vocabulary.numbers(known["user"].to_list()).astype(np.int64)
    order = np.argsort(owners, kind="stable")
    offsets = np.zeros(len(vocabulary) + 2, dtype=np.int64)
    offsets[1:] = np.cumsum(np.bincount(owners, minlength=len(vocabulary) + 1))
    return UserItems(vocabulary, known["item"].to_numpy().astype(np.int64)[order], offsets), remarks


def listed_tokens(source: Sequence[str] | str | Path, rule: str) -> list[str]:
    """Return the items of a list or of a file with one item per line.

    Args:
        source: Tokens, or the path of a file.
        rule: Name of the rule, for error messages.

    Returns:
        The tokens.

    Raises:
        DataError: The file cannot be read.
    """
    if not isinstance(source, str | Path):
        return list(source)
    path = Path(source).expanduser()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{rule}: {path} is larger than a gigabyte; give one item per line")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{rule}: {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{rule}: {path} is not UTF-8 text; save it as UTF-8") from error
    return [line.strip() for line in lines if line.strip()]


def known_items(
    tokens: Sequence[str], items: Vocabulary, rule: str
) -> tuple[np.ndarray, list[Remark]]:
    """Return the numbers of the items that the model knows.

    Args:
        tokens: Item tokens.
        items: The items of the model.
        rule: Name of the rule, for messages.

    Returns:
        int64, item numbers; and remarks about unknown tokens.

    Raises:
        DataError: None of the items is known.
    """  # raised by _unknown_items
    numbers = items.numbers(tokens).astype(np.int64)
    remarks = _unknown_items(numbers, pl.Series(tokens, dtype=pl.String), rule)
    return numbers[numbers > 0], remarks


def _unknown_items(numbers: np.ndarray, tokens: pl.Series, where: str) -> list[Remark]:
    """Return a remark on items that the model does not know.

    Raises:
        DataError: It knows none of them.
    """
    unknown = int((numbers == 0).sum())
    if not unknown:
        return []
    example = tokens.gather(np.flatnonzero(numbers == 0)[:1])[0]
    if unknown == len(numbers):
        raise DataError(f"{where}: the model knows none of the items, such as {example!r}")
    text = (
        f"{where}: the model does not know {counted(unknown, 'item')} of {len(numbers):,}, such as "
        f"{example!r}"
    )
    return [Remark("unknown_items_in_rules", unknown, text)]
