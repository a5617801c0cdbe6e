"""Numbering: gives each distinct token of a column a number, piece by piece.

It is a hash table of NumPy arrays, which takes some 30 bytes per token, a fourth of what a
dictionary takes, and looks up a whole piece at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np
import polars as pl

MIN_SLOTS = 2**10
MAX_LOAD = 3 / 4
"""Share of slots that may be taken; with more, look-ups need many steps."""
BLOCK = 2**16
"""Tokens looked up at once; each takes some 60 bytes during the look-up."""
_SEED = secrets.randbits(63)
"""Hash seed of this process, so that nobody can craft a file whose tokens all collide."""


class Numbering:
    """Tokens numbered from 1 in the order of their first appearance.

    (A token whose hash equals that of an earlier token is numbered after the others of its piece.)

    >>> numbering = Numbering()
    >>> numbering.add(pl.Series(["pear", "apple", "pear"])).to_list()
    [1, 2, 1]
    >>> numbering.add(pl.Series(["plum", None, "apple"])).to_list()
    [3, None, 2]

    Attributes:
        entries: The distinct tokens, String; index n - 1 has the token of number n.
    """

    def __init__(self, clean: Callable[[pl.Series], pl.Series] | None = None) -> None:
        """Create an empty numbering.

        Args:
            clean: Converts texts to the tokens to number, null for none; None uses the texts as
                they are.
        """
        self._clean = clean
        self.entries = pl.Series([], dtype=pl.String)
        # The number in each slot, 0 if it is free. The slot of a token is given by its hash; if it
        # is taken, the next ones are tried in growing steps.
        self._slots = np.zeros(MIN_SLOTS, dtype=np.int32)
        # The upper half of each token's hash, by number; the lower half gives the slot.
        self._tags = np.zeros(_max_tokens(MIN_SLOTS) + 1, dtype=np.uint32)
        self._collisions: dict[str, int] = {}  # tokens for which look-ups find an earlier token

    def add(self, tokens: pl.Series) -> pl.Series:
        """Return the numbers of a piece of the column; new tokens get new numbers.

        Args:
            tokens: String [n].

        Returns:
            Int32 [n], with the same name; null for null.
        """
        if self._clean is not None:
            blocks = range(0, max(len(tokens), 1), BLOCK)
            tokens = pl.concat([self._clean(tokens[begin : begin + BLOCK]) for begin in blocks])
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
        """Return the numbers of some tokens, without adding new ones.

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
            for index in known[is_other]:
                found[index] = self._collisions.get(block[int(index)], 0)
            numbers[begin : begin + BLOCK] = found
        return numbers

    def _numbers(self, tokens: pl.Series) -> np.ndarray:
        hashes, before = _hashes(tokens), self.entries.len()
        numbers = self._find(hashes)
        new = np.flatnonzero(numbers == 0)
        if len(new):
            new_hashes = hashes[new]
            # Only the first row of each run of a token, such as a user's rows.
            begins = np.concatenate(([0], np.flatnonzero(new_hashes[1:] != new_hashes[:-1]) + 1))
            self._append(tokens.gather(new[begins]).unique(maintain_order=True))
            numbers[new] = self._find(new_hashes)
        if not self._all_match(tokens, numbers, before):
            is_other = (self.entries.gather(numbers - 1) != tokens).to_numpy()
            for index in np.flatnonzero(is_other):
                numbers[index] = self._number_of_collision(tokens[int(index)])
        return numbers

    def _all_match(self, tokens: pl.Series, numbers: np.ndarray, before: int) -> bool:
        """Return whether each number belongs to its token, not to another with an equal hash.

        All rows with the same number are compared with one of them; only this row is compared with
        its entry, and only if the entry is not new. Looking up entries is slow, since they are in
        many chunks.

        Args:
            tokens: String [n].
            numbers: int32 [n].
            before: Number of entries before these tokens were added.
        """
        rows = np.arange(len(numbers), dtype=np.int32)
        row_of = np.empty(self.entries.len() + 1, dtype=np.int32)
        row_of[numbers] = rows
        same_number = row_of.take(numbers)
        if not (tokens.gather(same_number) == tokens).all():
            return False
        known = np.flatnonzero((same_number == rows) & (numbers <= before))
        return bool((self.entries.gather(numbers[known] - 1) == tokens.gather(known)).all())

    def _find(self, hashes: np.ndarray) -> np.ndarray:
        """Return the first number with the same slot and tag, int32 [n]; 0 if there is none."""
        slots, tags = self._first_slots(hashes), _tags(hashes)
        numbers: np.ndarray = self._slots.take(slots)
        rows = np.flatnonzero(self._is_other(numbers, tags))
        slots, tags = slots[rows], tags[rows]
        step = 0
        while len(rows):
            step += 1
            slots = self._later_slots(slots, step)
            found = self._slots.take(slots)
            numbers[rows] = found
            left = np.flatnonzero(self._is_other(found, tags))
            rows, slots, tags = rows[left], slots[left], tags[left]
        return numbers

    def _first_slots(self, hashes: np.ndarray) -> np.ndarray:
        slots: np.ndarray = hashes.view(np.int64) & (len(self._slots) - 1)
        return slots

    def _later_slots(self, slots: np.ndarray, step: int) -> np.ndarray:
        # Steps of 1, 2, 3 and so on reach every slot, since the number of slots is a power of 2.
        return slots + step & (len(self._slots) - 1)

    def _is_other(self, numbers: np.ndarray, tags: np.ndarray) -> np.ndarray:
        is_other: np.ndarray = (numbers != 0) & (self._tags.take(numbers) != tags)
        return is_other

    def _append(self, tokens: pl.Series) -> None:
        """Number distinct tokens that have no number yet."""
        first, count = self.entries.len() + 1, self.entries.len() + tokens.len()
        self.entries.append(tokens)
        size = len(self._slots)
        while _max_tokens(size) < count:
            size *= 2
        if size > len(self._slots):
            self._grow(size)
            # The slot of an entry depends on the number of slots, so all are inserted again.
            first = 1
            for chunk in self.entries.get_chunks():
                self._take_slots(chunk, first)
                first += chunk.len()
        else:
            self._take_slots(tokens, first)

    def _grow(self, size: int) -> None:
        """Replace the slots by ``size`` free ones."""
        self._slots = np.zeros(0, dtype=np.int32)  # frees the old ones before new ones are made
        tags = np.zeros(_max_tokens(size) + 1, dtype=np.uint32)
        tags[: self._tags.size] = self._tags
        self._tags = tags
        self._slots = np.zeros(size, dtype=np.int32)

    def _take_slots(self, tokens: pl.Series, first: int) -> None:
        """Insert entries into slots.

        Args:
            tokens: Entries without a slot.
            first: The number of the first of them.
        """
        for begin in range(0, tokens.len(), BLOCK):
            block = tokens[begin : begin + BLOCK]
            hashes = _hashes(block)
            numbers = np.arange(first + begin, first + begin + block.len(), dtype=np.int32)
            self._tags[numbers[0] : numbers[-1] + 1] = _tags(hashes)
            self._put(numbers, self._first_slots(hashes))
            for index in np.flatnonzero(self._find(hashes) != numbers):
                self._collisions[block[int(index)]] = int(numbers[index])

    def _put(self, numbers: np.ndarray, slots: np.ndarray) -> None:
        step = 0
        while len(numbers):
            step += 1
            free = np.flatnonzero(self._slots[slots] == 0)
            # If several want the same slot, the last write wins; reversed, that is the first one.
            self._slots[slots[free][::-1]] = numbers[free][::-1]
            left = self._slots[slots] != numbers
            numbers, slots = numbers[left], self._later_slots(slots[left], step)

    def _number_of_collision(self, token: str) -> int:
        """Return the number of a token whose hash equals that of another; add it if it is new."""
        if token not in self._collisions:
            self._append(pl.Series([token]))
            self._collisions[token] = self.entries.len()  # kept even if growing resolved it
        return self._collisions[token]


def by_appearance(numbers: np.ndarray, entries: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """Renumber tokens in the order of first appearance, without those that do not appear.

    Args:
        numbers: int32 [n], numbers of tokens from 1; n below 2^31.
        entries: The tokens; index n - 1 has the token of number n.

    Returns:
        The new numbers, int32 [n], and their tokens.
    """
    first = np.full(len(entries) + 1, len(numbers), dtype=np.int32)
    for end in range(len(numbers), 0, -BLOCK):
        begin = max(end - BLOCK, 0)
        # If a number occurs several times, the last write wins; reversed, that is the first one.
        first[numbers[begin:end][::-1]] = np.arange(end - 1, begin - 1, -1, dtype=np.int32)
    if (first[1:-1] < first[2:]).all() and (first[1:] < len(numbers)).all():
        return numbers, entries
    is_first = np.zeros(len(numbers) + 1, dtype=bool)
    is_first[first] = True  # tokens that do not appear set the extra element at the end
    del first
    present = numbers[is_first[:-1]]
    present_entries = entries.gather(pl.Series((present - 1).view(np.uint32)))
    new = np.zeros(len(entries) + 1, dtype=np.int32)
    for begin in range(0, len(present), BLOCK):
        block = present[begin : begin + BLOCK]
        new[block] = np.arange(begin + 1, begin + len(block) + 1, dtype=np.int32)
    return take_in_blocks(new, numbers), present_entries


def take_in_blocks(values: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return ``values[indices]``, block by block, since NumPy converts all indices to int64.

    Args:
        values: [m], of any type.
        indices: int32 [n], from 0 to m - 1.
    """
    chosen = np.empty(len(indices), dtype=values.dtype)
    for begin in range(0, len(indices), BLOCK):
        chosen[begin : begin + BLOCK] = values.take(indices[begin : begin + BLOCK])
    return chosen


def occurrences(numbers: np.ndarray, count: int) -> np.ndarray:
    """Return how often each number from 0 to ``count`` occurs, int64 [count + 1].

    Args:
        numbers: int32 [n], none negative or above ``count``.
        count: The highest number.
    """
    counts = np.zeros(count + 1, dtype=np.int64)
    for begin in range(0, len(numbers), BLOCK):  # NumPy converts the numbers to int64 first
        np.add.at(counts, numbers[begin : begin + BLOCK], 1)
    return counts


def _max_tokens(slots: int) -> int:
    return int(slots * MAX_LOAD)


def _tags(hashes: np.ndarray) -> np.ndarray:
    tags: np.ndarray = (hashes >> np.uint64(32)).astype(np.uint32)
    return tags


def _hashes(tokens: pl.Series) -> np.ndarray:
    hashes: np.ndarray = tokens.hash(_SEED).to_numpy()
    return hashes
