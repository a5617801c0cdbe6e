"""Vocabulary: maps tokens to numbers and back; number 0 is padding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from sasrec.data.values.cleaning import cleaned_token


class Vocabulary:
    """Tokens numbered from 1 in a fixed order.

    >>> items = Vocabulary(["apple", "pear"])
    >>> items.numbers(["pear", "plum", "apple"]).tolist()
    [2, 0, 1]
    >>> items.tokens([2])
    ['pear']
    """

    _make: Callable[[], pl.Series]
    _cleanings: Collection[str] = ()

    def __init__(self, tokens: Iterable[str] | pl.Series) -> None:
        """Number the tokens in the order given.

        Args:
            tokens: Distinct tokens.

        Raises:
            ValueError: A token occurs twice.
        """
        entries = (
            tokens if isinstance(tokens, pl.Series) else pl.Series(list(tokens), dtype=pl.String)
        )
        if entries.n_unique() != entries.len():
            raise ValueError("the tokens of a vocabulary must be distinct")
        self.entries = entries
        self._count = entries.len()

    @classmethod
    def of_distinct(cls, entries: pl.Series) -> Vocabulary:
        """Return a vocabulary of tokens that are known to be distinct; checking takes memory.

        Args:
            entries: The tokens, String.
        """
        vocabulary = cls.__new__(cls)
        vocabulary.entries, vocabulary._count = entries, entries.len()
        return vocabulary

    @classmethod
    def lazy(cls, count: int, make: Callable[[], pl.Series]) -> Vocabulary:
        """Return a vocabulary whose tokens are created when they are first used.

        Args:
            count: Number of tokens.
            make: Returns the tokens, String, distinct.
        """
        vocabulary = cls.__new__(cls)
        vocabulary._count, vocabulary._make = count, make
        return vocabulary

    def cleaning(self, cleanings: Collection[str]) -> Vocabulary:
        """Return the same vocabulary, but one that cleans tokens before it looks them up.

        Args:
            cleanings: Names of cleanings, as in ``clean_tokens``; the tokens of this vocabulary
                must have been cleaned by the same ones.
        """
        if not cleanings:
            return self
        vocabulary = copy.copy(self)
        vocabulary._cleanings = tuple(cleanings)
        return vocabulary

    @cached_property
    def entries(self) -> pl.Series:
        """The tokens (String, distinct); index n - 1 has the token of number n."""
        return self._make()

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.entries.to_list(), start=1)}

    def __len__(self) -> int:
        """Return how many tokens there are, padding not counted."""
        return self._count

    def __contains__(self, token: str) -> bool:
        """Return whether the token has a number."""
        return bool(self.numbers([token])[0])

    def numbers(self, tokens: Iterable[str]) -> np.ndarray:
        """Return the numbers of some tokens.

        Args:
            tokens: Any n tokens.

        Returns:
            int32 [n]; 0 where the vocabulary does not know the token.
        """
        number_of = self._number_of
        if self._cleanings:
            tokens = [cleaned_token(token, self._cleanings) for token in tokens]
        return np.array([number_of.get(token, 0) for token in tokens], dtype=np.int32)

    def tokens(self, numbers: Sequence[int] | np.ndarray) -> list[str]:
        """Return the tokens of some numbers.

        Args:
            numbers: Any n numbers from 1 to ``len(self)``.

        Returns:
            n tokens.

        Raises:
            IndexError: A number is 0 (padding has no token) or too large.
        """
        positions = np.asarray(numbers, dtype=np.int64) - 1
        if positions.size and (positions.min() < 0 or positions.max() >= len(self)):
            raise IndexError(
                f"numbers must be between 1 and {len(self)}; 0 is padding and has no token"
            )
        return self.entries.gather(positions).to_list()
