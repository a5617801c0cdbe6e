"""Vocabulary: maps tokens to numbers and back; number 0 is padding."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from sasrec_serve.tokens import cleaned_token


class Vocabulary:
    """Tokens numbered from 1 in a fixed order.

    >>> items = Vocabulary(["apple", "pear"])
    >>> items.numbers(["pear", "plum", "apple"]).tolist()
    [2, 0, 1]
    >>> items.tokens([2])
    ['pear']
    """

    def __init__(self, tokens: list[str], cleanings: Collection[str] = ()) -> None:
        """Number the tokens in the order given.

        Args:
            tokens: Distinct tokens; the list is kept.
            cleanings: Cleanings that a token goes through before it is looked up.

        Raises:
            ValueError: A token occurs twice.
        """
        self.entries = tokens
        self._cleanings = tuple(cleanings)
        self._number_of = dict(zip(tokens, range(1, len(tokens) + 1), strict=True))
        if len(self._number_of) != len(tokens):
            raise ValueError("the tokens of a vocabulary must be distinct")

    def __len__(self) -> int:
        """Return how many tokens there are, padding not counted."""
        return len(self.entries)

    def __contains__(self, token: str) -> bool:
        """Return whether the token has a number."""
        return self.number(token) > 0

    def number(self, token: str) -> int:
        """Return the number of a token; 0 if the vocabulary does not know it.

        Args:
            token: Any text.
        """
        if self._cleanings:
            token = cleaned_token(token, self._cleanings)
        return self._number_of.get(token, 0)

    def numbers(self, tokens: Iterable[str]) -> np.ndarray:
        """Return the numbers of some tokens, int64 [n]; 0 where a token is unknown.

        Args:
            tokens: Any n tokens.
        """
        if self._cleanings:
            tokens = [cleaned_token(token, self._cleanings) for token in tokens]
        number_of = self._number_of
        return np.array([number_of.get(token, 0) for token in tokens], dtype=np.int64)

    def tokens(self, numbers: Sequence[int] | np.ndarray) -> list[str]:
        """Return the tokens of some numbers.

        Args:
            numbers: Any n numbers from 1 to ``len(self)``.

        Returns:
            n tokens.

        Raises:
            IndexError: A number is 0 (padding has no token) or too large.
        """
        found = np.asarray(numbers, dtype=np.int64).tolist()
        if found and (min(found) < 1 or max(found) > len(self)):
            raise IndexError(
                f"numbers must be between 1 and {len(self)}; 0 is padding and has no token"
            )
        entries = self.entries
        return [entries[number - 1] for number in found]


class Titles(Mapping[str, str]):
    """Item token to title, without a dictionary of its own."""

    def __init__(self, items: Vocabulary, titles: Sequence[str | None]) -> None:
        """Keep titles.

        Args:
            items: The items.
            titles: The title of each item or None, in their order; empty if there are none.
        """
        self._items, self._titles = items, titles

    def __getitem__(self, item: str) -> str:
        """Return the title of an item.

        Raises:
            KeyError: The item is unknown, or has no title.
        """
        number = self._items.number(item)
        title = self._titles[number - 1] if number and self._titles else None
        if title is None:
            raise KeyError(item)
        return title

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the items with a title."""
        pairs = zip(self._items.entries, self._titles or (), strict=False)
        return (item for item, title in pairs if title is not None)

    def __len__(self) -> int:
        """Return how many items have a title."""
        return sum(title is not None for title in self._titles)
