"""Search of items by title or token: case and accents do not matter, words in any order."""

from __future__ import annotations

import re
import threading
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

MOST_COUNTED = 1000
"""Found items are counted up to here, so that a search for one letter does not take seconds."""
ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
"""Signs that modify the letter before them."""


class ItemSearch:
    """Finds items whose title or token contains all words; popular items first.

    All texts are one long text with a line for each item, because searching it is one call.
    """

    def __init__(self, tokens: Sequence[str], titles: Mapping[str, str], order: np.ndarray) -> None:
        """Keep the items; the text is made by the first search.

        Args:
            tokens: Item tokens, number 1 first.
            titles: Item token to title.
            order: int64 [n], numbers of the items to search, most popular first.
        """
        self._tokens, self._titles, self._order = tokens, titles, order
        self._lock = threading.Lock()
        self._text = ""
        self._starts: list[int] = []

    def find(self, query: str, limit: int) -> tuple[list[str], int]:
        """Return items with all words of a query in their title or token.

        Args:
            query: Words; none finds all items.
            limit: Number of items to return.

        Returns:
            The items, and how many were found, at most ``MOST_COUNTED``.
        """
        words = sorted(set(folded(query).split()), key=lambda word: (-len(word), word))
        if not words:
            rows = range(min(limit, len(self._order)))
            found = min(len(self._order), MOST_COUNTED)
        else:
            self._prepare()
            matches = []
            for row in self._rows(words):
                matches.append(row)
                if len(matches) == MOST_COUNTED:
                    break
            rows, found = matches[:limit], len(matches)  # type: ignore[assignment]
        return [self._tokens[self._order[row] - 1] for row in rows], found

    def _prepare(self) -> None:
        with self._lock:
            if self._starts:
                return
            lines = [self._line(number) for number in self._order.tolist()]
            text = folded("\n".join(lines))
            self._starts = [0, *_line_starts(text)]
            self._text = text

    def _line(self, number: int) -> str:
        token = self._tokens[number - 1]
        title = self._titles.get(token)
        line = token if title is None else f"{title} {token}"
        return " ".join(line.splitlines()) if "\n" in line or not line.isprintable() else line

    def _rows(self, words: list[str]) -> Iterator[int]:
        """Yield the rows with all words, in order; the longest word is searched, being rarest."""
        longest, others = words[0], words[1:]
        at = self._text.find(longest)
        while at >= 0:
            row = bisect_right(self._starts, at) - 1
            end = self._starts[row + 1] - 1 if row + 1 < len(self._starts) else len(self._text)
            start = self._starts[row]
            if all(self._text.find(word, start, end) >= 0 for word in others):
                yield row
            at = self._text.find(longest, end)


def folded(text: str) -> str:
    """Return a text without differences of case and accents.

    Args:
        text: Any text.
    """
    if text.isascii():
        return text.lower()
    return ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))


def _line_starts(text: str) -> Iterator[int]:
    at = text.find("\n")
    while at >= 0:
        yield at + 1
        at = text.find("\n", at + 1)
