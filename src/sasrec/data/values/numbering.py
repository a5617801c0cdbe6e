"""Numbering: the tokens of a column become numbers, piece by piece, each kept once.

A hash table of NumPy arrays: a token takes some 30 bytes, where a dictionary takes four times as
many, and a piece is looked up at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np
import polars as pl

FEWEST_SLOTS = 2**10
MOST_TAKEN = 3 / 4
"""Of the slots; with more of them taken, looking up goes through many."""
BLOCK = 2**16
"""Tokens looked up at once; each takes some 60 bytes meanwhile."""
_SEED = secrets.randbits(63)
"""Of this process, so that no file can be made whose tokens all meet in one slot."""


class Numbering:
    """Tokens numbered from 1 in the order of their first appearance.

    (One that an earlier token is taken for, whose hash is alike, comes after the others of its
    piece.)

    >>> numbering = Numbering()
    >>> numbering.add(pl.Series(["pear", "apple", "pear"])).to_list()
    [1, 2, 1]
    >>> numbering.add(pl.Series(["plum", None, "apple"])).to_list()
    [3, None, 2]

    Attributes:
        entries: The tokens met, String; the token numbered n stands at n - 1.
    """

    def __init__(self, spelling: Callable[[pl.Series], pl.Series] | None = None) -> None:
        """Begin without a token.

        Args:
            spelling: Makes of texts the tokens to number, null for none; None takes them as they
                are.
        """
        self._spelling = spelling
        self.entries = pl.Series([], dtype=pl.String)
        # The number in each slot, 0 where it is free. A token's slot is the one its hash says, or
        # the first free one of those that come after it in growing steps.
        self._slots = np.zeros(FEWEST_SLOTS, dtype=np.int32)
        # The upper half of each token's hash, by number; the lower half says its slot.
        self._marks = np.zeros(_most_tokens(FEWEST_SLOTS) + 1, dtype=np.uint32)
        self._twins: dict[str, int] = {}  # tokens that an earlier one is found in place of

    def add(self, tokens: pl.Series) -> pl.Series:
        """Return the numbers of a piece of the column, new ones where a token has none.

        Args:
            tokens: String [n].

        Returns:
            Int32 [n], by the same name; null for null.
        """
        if self._spelling is not None:
            blocks = range(0, max(len(tokens), 1), BLOCK)
            tokens = pl.concat([self._spelling(tokens[begin : begin + BLOCK]) for begin in blocks])
        return self._add(tokens)

    def _add(self, tokens: pl.Series) -> pl.Series:
        if tokens.null_count():
            numbers = pl.Series(tokens.name, [None], dtype=pl.Int32).new_from_index(0, len(tokens))
            return numbers.scatter(tokens.is_not_null().arg_true(), self._add(tokens.drop_nulls()))
        found = np.empty(len(tokens), dtype=np.int32)
        for begin in range(0, len(tokens), BLOCK):
            block = slice(begin, begin + BLOCK)
            found[block] = self._numbers(tokens[block])
        return pl.Series(tokens.name, found)

    @classmethod
    def of_distinct(cls, entries: pl.Series) -> Numbering:
        """Return a numbering of tokens that are known to be distinct.

        Args:
            entries: The tokens, String, in the order of their numbers.
        """
        numbering = cls()
        numbering._append(entries)
        return numbering

    def find(self, tokens: pl.Series) -> np.ndarray:
        """Return the numbers of some tokens and number no new ones.

        Args:
            tokens: String [n], no nulls.

        Returns:
            int32 [n]; 0 where a token has no number.
        """
        numbers = np.empty(len(tokens), dtype=np.int32)
        for begin in range(0, len(tokens), BLOCK):
            block = tokens[begin : begin + BLOCK]
            found = self._find(_hashes(block))
            known = np.flatnonzero(found)
            is_other = (self.entries.gather(found[known] - 1) != block.gather(known)).to_numpy()
            for place in known[is_other]:
                found[place] = self._twins.get(block[int(place)], 0)
            numbers[begin : begin + BLOCK] = found
        return numbers

    def _numbers(self, tokens: pl.Series) -> np.ndarray:
        hashes, before = _hashes(tokens), self.entries.len()
        numbers = self._find(hashes)
        new = np.flatnonzero(numbers == 0)
        if len(new):
            met = hashes[new]
            # Of runs of a token, as users have, the first alone.
            begins = np.concatenate(([0], np.flatnonzero(met[1:] != met[:-1]) + 1))
            self._append(tokens.gather(new[begins]).unique(maintain_order=True))
            numbers[new] = self._find(met)
        if not self._are_of(tokens, numbers, before):
            is_other = (self.entries.gather(numbers - 1) != tokens).to_numpy()
            for place in np.flatnonzero(is_other):
                numbers[place] = self._number_of_twin(tokens[int(place)])
        return numbers

    def _are_of(self, tokens: pl.Series, numbers: np.ndarray, before: int) -> bool:
        """Return whether each number is its token's, and not that of another with its hash.

        Rows of a number are compared with one of them, and only that one with the entry, and only
        if it was there before: looking up entries takes long, since they are in many chunks.

        Args:
            tokens: String [n].
            numbers: int32 [n].
            before: How many entries there were before these tokens.
        """
        rows = np.arange(len(numbers), dtype=np.int32)
        row_of = np.empty(self.entries.len() + 1, dtype=np.int32)
        row_of[numbers] = rows
        alike = row_of.take(numbers)
        if not (tokens.gather(alike) == tokens).all():
            return False
        known = np.flatnonzero((alike == rows) & (numbers <= before))
        return bool((self.entries.gather(numbers[known] - 1) == tokens.gather(known)).all())

    def _find(self, hashes: np.ndarray) -> np.ndarray:
        """Return the first number whose hash is alike, int32 [n]; 0 where there is none."""
        slots, marks = self._first_slots(hashes), _marks(hashes)
        numbers: np.ndarray = self._slots.take(slots)
        rows = np.flatnonzero(self._is_other(numbers, marks))
        slots, marks = slots[rows], marks[rows]
        step = 0
        while len(rows):
            step += 1
            slots = self._later_slots(slots, step)
            found = self._slots.take(slots)
            numbers[rows] = found
            left = np.flatnonzero(self._is_other(found, marks))
            rows, slots, marks = rows[left], slots[left], marks[left]
        return numbers

    def _first_slots(self, hashes: np.ndarray) -> np.ndarray:
        slots: np.ndarray = hashes.view(np.int64) & (len(self._slots) - 1)
        return slots

    def _later_slots(self, slots: np.ndarray, step: int) -> np.ndarray:
        # Steps of 1, 2, 3 and so on meet every slot, since their number is a power of two.
        return slots + step & (len(self._slots) - 1)

    def _is_other(self, numbers: np.ndarray, marks: np.ndarray) -> np.ndarray:
        is_other: np.ndarray = (numbers != 0) & (self._marks.take(numbers) != marks)
        return is_other

    def _append(self, tokens: pl.Series) -> None:
        """Number distinct tokens that have no number yet."""
        first, count = self.entries.len() + 1, self.entries.len() + tokens.len()
        self.entries.append(tokens)
        size = len(self._slots)
        while _most_tokens(size) < count:
            size *= 2
        if size > len(self._slots):
            self._grow(size)
            # Where an entry goes depends on how many slots there are.
            first = 1
            for chunk in self.entries.get_chunks():
                self._take_slots(chunk, first)
                first += chunk.len()
        else:
            self._take_slots(tokens, first)

    def _grow(self, size: int) -> None:
        """Make so many slots, all free."""
        self._slots = np.zeros(0, dtype=np.int32)  # lets the old ones go before the new are made
        marks = np.zeros(_most_tokens(size) + 1, dtype=np.uint32)
        marks[: self._marks.size] = self._marks
        self._marks = marks
        self._slots = np.zeros(size, dtype=np.int32)

    def _take_slots(self, tokens: pl.Series, first: int) -> None:
        """Give slots to entries.

        Args:
            tokens: The entries, none of which has a slot.
            first: Their first number.
        """
        for begin in range(0, tokens.len(), BLOCK):
            block = tokens[begin : begin + BLOCK]
            hashes = _hashes(block)
            numbers = np.arange(first + begin, first + begin + block.len(), dtype=np.int32)
            self._marks[numbers[0] : numbers[-1] + 1] = _marks(hashes)
            self._put(numbers, self._first_slots(hashes))
            for place in np.flatnonzero(self._find(hashes) != numbers):
                self._twins[block[int(place)]] = int(numbers[place])

    def _put(self, numbers: np.ndarray, slots: np.ndarray) -> None:
        step = 0
        while len(numbers):
            step += 1
            free = np.flatnonzero(self._slots[slots] == 0)
            # Of several that come to a slot at once the last written stays; it shall be the first.
            self._slots[slots[free][::-1]] = numbers[free][::-1]
            left = self._slots[slots] != numbers
            numbers, slots = numbers[left], self._later_slots(slots[left], step)

    def _number_of_twin(self, token: str) -> int:
        if token not in self._twins:
            self._append(pl.Series([token]))
            self._twins[token] = self.entries.len()  # even if it has more slots to be found in now
        return self._twins[token]


def by_appearance(numbers: np.ndarray, entries: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Number anew, in the order of first appearance, and without tokens that do not appear.

    Args:
        numbers: int32 [n], numbers of tokens from 1; n below 2^31.
        entries: The tokens; token n stands at n - 1.

    Returns:
        The new numbers, int32 [n], and their tokens.
    """
    first = np.full(len(entries) + 1, len(numbers), dtype=np.int32)
    for end in range(len(numbers), 0, -BLOCK):
        begin = max(end - BLOCK, 0)
        # Of several places of a number the last written stays: its first.
        first[numbers[begin:end][::-1]] = np.arange(end - 1, begin - 1, -1, dtype=np.int32)
    if (first[1:-1] < first[2:]).all() and (first[1:] < len(numbers)).all():
        return numbers, entries
    is_first = np.zeros(len(numbers) + 1, dtype=bool)
    is_first[first] = True  # the last one for all tokens that do not appear
    del first
    met = numbers[is_first[:-1]]
    left = entries.gather(pl.Series((met - 1).view(np.uint32)))
    new = np.zeros(len(entries) + 1, dtype=np.int32)
    for begin in range(0, len(met), BLOCK):
        some = met[begin : begin + BLOCK]
        new[some] = np.arange(begin + 1, begin + len(some) + 1, dtype=np.int32)
    return taken(new, numbers), left


def taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return ``values[places]``, block by block: NumPy makes int64 of all places it is given.

    Args:
        values: [m], of any type.
        places: int32 [n], from 0 to m - 1.
    """
    chosen = np.empty(len(places), dtype=values.dtype)
    for begin in range(0, len(places), BLOCK):
        chosen[begin : begin + BLOCK] = values.take(places[begin : begin + BLOCK])
    return chosen


def occurrences(numbers: np.ndarray, count: int) -> np.ndarray:
    """Return how often each number from 0 to ``count`` occurs, int64 [count + 1].

    Args:
        numbers: int32 [n], none negative or above ``count``.
        count: The highest number.
    """
    counts = np.zeros(count + 1, dtype=np.int64)
    for begin in range(0, len(numbers), BLOCK):  # of which NumPy makes int64 first
        np.add.at(counts, numbers[begin : begin + BLOCK], 1)
    return counts


def _most_tokens(slots: int) -> int:
    return int(slots * MOST_TAKEN)


def _marks(hashes: np.ndarray) -> np.ndarray:
    marks: np.ndarray = (hashes >> np.uint64(32)).astype(np.uint32)
    return marks


def _hashes(tokens: pl.Series) -> np.ndarray:
    hashes: np.ndarray = tokens.hash(_SEED).to_numpy()
    return hashes
