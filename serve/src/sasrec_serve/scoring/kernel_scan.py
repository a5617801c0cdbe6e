"""The items with the highest scores, found with the compiled scan, exactly.

Item vectors and states are read as bytes, with a bound for what that leaves out; only the few items
that could be in the list are then scored in full precision.

**Codes.** An item vector v is a q + e: q are whole numbers from -127 to 127, a is a float32 scale,
and e is the rest. A state s, scaled by a power of two, is b p + f in the same way. So

    s.v = s.(a q) + s.e = a b (p.q) + f.(a q) + s.e

and by Cauchy-Schwarz

    | s.v - a b (p.q) |  <=  |s| |e| + |f| |a q|.

p.q is computed exactly in whole numbers. |e| and |a q| are computed for each item in double
precision when the vectors are coded, rounded up to float32, and the largest of each block of 16
items is kept; |s| and |f| are computed for each state.

**Rounding.** Let u = 2^-24, and let T be the score of the worst item in a full list so far. The
kernel compares y = fl(a fl(p.q)) with the limit fl(fl(T / b) - B), B being the bound in units of b.

- y differs from a (p.q) by at most 3 u a |p| |q|, and b |p| <= |s| + |f|.
- The limit differs from T / b - B by at most 3 u |T / b| plus a few u B. If the score is at least
  T > 0, then T <= |s| |v| <= |s| (|a q| + |e|). If T < 0 and |T| > 4 |s| (|a q| + |e|), the limit
  is far below any y of this block, and the item is not left out; otherwise |T| is at most that.
- The exact score is a float64 sum, with a relative error of at most d 2^-53 of |s| |v|.

All of these are below 2^-18 (|s| |a q| + |s| |e|), and the kernel adds that much to B, and another
millionth for the rounding of B itself (d below 2^30).

**Ties.** An item is left out only if s.v <= T is certain. Rounding to float32 keeps the order, so
its score is then at most T. Items come in ascending order of numbers, so an item whose score equals
T comes after all items in the list, and does not belong to it. The list is thus the one that
scoring all items exactly gives, ties by number.

**Range.** Vectors with a number above 2^80, for which float32 could overflow, are scored by
``plain_scan`` instead. Below 2^-60, all q are 0 and e is the whole vector.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from sasrec_serve.scoring.exact import ranked
from sasrec_serve.scoring.library import loaded

BLOCK, GROUP = 16, 4
"""Items, and numbers of an item, side by side in memory (``codes.h``)."""
MOST_LISTED = 2**22
"""Entries of lists that are in memory at once."""
MANY = 100_000
"""Number of items from which two threads are faster than one."""
FINE, NOT_FINITE, NOT_CODED = 0, 1, 2

Best = tuple[np.ndarray, np.ndarray]
"""Item numbers, best first, and their scores."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan looks for.

    Attributes:
        k: Number of items, from 1.
        allowed: bool [V], items that a list may contain.
        begin: First block.
        end: End of the blocks.
    """

    k: int
    allowed: np.ndarray
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Codes:
    """Item vectors as bytes.

    Attributes:
        values: float32 [V, d], the vectors.
        codes: uint8 [blocks, groups, 16, 4].
        scales: float32 [blocks, 16].
        rests: float32 [blocks], upper bounds of |e|.
        norms: float32 [blocks], upper bounds of |a q|.
        largest_norm: Norm of the longest vector.
        level: Instructions that the scan uses.
    """

    values: np.ndarray
    codes: np.ndarray
    scales: np.ndarray
    rests: np.ndarray
    norms: np.ndarray
    largest_norm: float
    level: int
    _addresses: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, values: np.ndarray, level: int) -> Codes | None:
        """Code item vectors; this reads each once.

        Args:
            values: float32 [V, d].
            level: Instructions that the scan may use.

        Returns:
            The codes; None if numbers are so large that they cannot be coded.

        Raises:
            ValueError: A number is NaN or infinite.
        """
        n_items, width = values.shape
        blocks, groups = -(-n_items // BLOCK), -(-width // GROUP)
        codes = np.empty((blocks, groups, BLOCK, GROUP), np.uint8)
        scales = np.empty((blocks, BLOCK), np.float32)
        rests, norms = np.empty(blocks, np.float32), np.empty(blocks, np.float32)
        square = ctypes.c_double()
        outcome = _library().sasrec_serve_code(
            values.ctypes.data,
            n_items,
            width,
            0,
            blocks,
            *(each.ctypes.data for each in (codes, scales, rests, norms)),
            ctypes.addressof(square),
        )
        if outcome == NOT_FINITE:
            raise ValueError("an item vector contains NaN or infinity")
        if outcome == NOT_CODED:
            return None
        addresses = tuple(each.ctypes.data for each in (codes, scales, rests, norms, values))
        return cls(
            values, codes, scales, rests, norms, float(np.sqrt(square.value)), level, addresses
        )

    def best(
        self, states: np.ndarray, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the k items with the highest scores for each state.

        Args:
            states: float32 [b, d], finite.
            k: Number of items, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, ascending, items that the list of each state leaves out.

        Returns:
            Items and scores for each state.
        """
        scan = Scan(k, allowed, 0, len(self.scales))
        size = max(1, MOST_LISTED // k)
        return [
            best
            for begin in range(0, len(states), size)
            for best in self._scanned(
                states[begin : begin + size], seen[begin : begin + size], scan
            )
        ]

    def best_in_halves(
        self, states: np.ndarray, k: int, *, allowed: np.ndarray, seen: Sequence[np.ndarray]
    ) -> list[Best]:
        """Return the same as ``best``, from two threads that scan half of the items each.

        Args:
            states: float32 [b, d], finite.
            k: Number of items, from 1.
            allowed: bool [V], items that a list may contain.
            seen: int64 arrays, ascending, items that the list of each state leaves out.

        Returns:
            Items and scores for each state.
        """
        middle, end = len(self.scales) // 2, len(self.scales)
        if len(self.values) < MANY or len(states) * k > MOST_LISTED:
            return self.best(states, k, allowed=allowed, seen=seen)
        # A new thread takes 0.05 ms, and unlike a kept one it also works in a forked process.
        with ThreadPoolExecutor(1) as executor:
            other = executor.submit(self._scanned, states, seen, Scan(k, allowed, middle, end))
            own = self._scanned(states, seen, Scan(k, allowed, 0, middle))
        return [
            ranked(np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]]), k)
            for one, two in zip(own, other.result(), strict=True)
        ]

    def _scanned(self, states: np.ndarray, seen: Sequence[np.ndarray], scan: Scan) -> list[Best]:
        """Return the best items of some blocks for each state.

        Raises:
            MemoryError: There is no memory for the lists.
        """
        (n_items, width), n, k = self.values.shape, len(states), scan.k
        states = np.ascontiguousarray(states, np.float32)
        left_out = np.concatenate([np.zeros(0, np.int64), *seen])
        offsets = np.cumsum([0, *map(len, seen)], dtype=np.int64)
        sizes = np.array([n_items, width, scan.begin, scan.end, n, k, self.level], np.int64)
        items, scores = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
        counts = np.zeros(n, np.int64)
        allowed = np.ascontiguousarray(scan.allowed, np.bool_)
        arrays = (allowed, states, left_out, offsets, sizes, items, scores, counts)
        addresses = (each.ctypes.data for each in arrays)
        if _library().sasrec_serve_scan(*self._addresses, *addresses) < 0:
            raise MemoryError(f"no memory for {n} lists of {k} items")
        return [
            ranked(items[row, :count], scores[row, :count], k)
            for row, count in enumerate(counts.tolist())
        ]


def _library() -> ctypes.CDLL:
    library = loaded()
    assert library is not None  # noqa: S101 - for the type checker; callers have a level
    return library
