"""Tables of items by user, and lists of items, from files and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.rules.remarks import Remark
from sasrec_serve.rules.tables import Table, TableSource, read_table
from sasrec_serve.rules.wording import counted
from sasrec_serve.tokens import cleaned_token, tokens_of
from sasrec_serve.vocabulary import Vocabulary

MAX_BYTES = 2**30
"""Maximum size of a file with one item per line."""
NOTHING = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class UserLists:
    """Lists of items by user, as a request gives them.

    Attributes:
        items: User token to item tokens.
    """

    items: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class UserItems:
    """Items by user.

    Attributes:
        items: User token to int64, item numbers.
        cleanings: Cleanings that a user token goes through before it is looked up.
    """

    items: Mapping[str, np.ndarray]
    cleanings: Sequence[str] = ()

    def of(self, user: str | None, rule: str) -> np.ndarray:
        """Return the items of a user.

        Args:
            user: The token.
            rule: Name of the rule, for error messages.

        Returns:
            int64, item numbers; empty for a user who is not in the table.

        Raises:
            DataError: The user is not given.
        """
        if user is None:
            raise DataError(
                f"{rule} needs the user of each history, and one is not given; give users (in "
                "Python: users=)"
            )
        token = cleaned_token(user, self.cleanings) if self.cleanings else user
        return self.items.get(token, NOTHING)


def user_items(
    source: TableSource | UserLists, items: Vocabulary, data: Mapping[str, Any], rule: str
) -> tuple[UserItems, list[Remark]]:
    """Read a table with a row for each user and item.

    Args:
        source: A file, data frame, mapping or list of rows with a user and an item column; or lists
            of items by user.
        items: The items of the model.
        data: Data settings of the training: names of the two columns, and cleaning of tokens.
        rule: Name of the rule, for error messages.

    Returns:
        The table, and remarks about its items that the model does not know.

    Raises:
        DataError: It cannot be read, lacks a column, or has none of the items of the model.
    """
    table = _table(source, data, rule)
    users, tokens = (table.tokens(str(data[f"{what}_column"]), data) for what in ("user", "item"))
    numbers = items.numbers([token or "" for token in tokens])
    shown = [token or "" for token in tokens]
    remarks = _unknown_items(numbers, shown, f"{rule}: {table.where}")
    lists: dict[str, list[int]] = {}
    for user, number in zip(users, numbers.tolist(), strict=True):
        if user is not None and number:
            lists.setdefault(user, []).append(number)
    arrays = {user: np.array(own, dtype=np.int64) for user, own in lists.items()}
    return UserItems(arrays, tuple(data.get("clean_tokens") or ())), remarks


def _table(source: TableSource | UserLists, data: Mapping[str, Any], rule: str) -> Table:
    if not isinstance(source, UserLists):
        return read_table(source, rule, separator=str(data.get("separator") or "\t"))
    pairs = [(user, item) for user, own in source.items.items() for item in own]
    columns = {
        str(data["user_column"]): [user for user, _ in pairs],
        str(data["item_column"]): [item for _, item in pairs],
    }
    return Table(rule, columns, has_types=True)


def listed_tokens(source: Sequence[str] | str | Path, rule: str) -> list[str]:
    """Return the items of a list or of a file with one item per line.

    Args:
        source: Tokens, or the path of a file.
        rule: Name of the rule, for error messages.

    Returns:
        The tokens.

    Raises:
        DataError: The file cannot be read, or the list holds something else than tokens.
    """
    if not isinstance(source, str | Path):
        return tokens_of(source, rule)
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
    numbers = items.numbers(tokens)
    remarks = _unknown_items(numbers, tokens, rule)
    return numbers[numbers > 0], remarks


def _unknown_items(numbers: np.ndarray, tokens: Sequence[str], where: str) -> list[Remark]:
    """Return a remark on items that the model does not know.

    Raises:
        DataError: It knows none of them.
    """
    unknown = int((numbers == 0).sum())
    if not unknown:
        return []
    example = tokens[int(np.flatnonzero(numbers == 0)[0])]
    if unknown == len(numbers):
        raise DataError(f"{where}: the model knows none of the items, such as {example!r}")
    text = (
        f"{where}: the model does not know {counted(unknown, 'item')} of {len(numbers):,}, such as "
        f"{example!r}"
    )
    return [Remark("unknown_items_in_rules", unknown, text)]
