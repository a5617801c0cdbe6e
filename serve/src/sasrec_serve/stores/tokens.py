"""Many tokens in little memory."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray


class Tokens:
    """Tokens in one buffer of UTF-8; a list of texts would take 50 bytes more for each."""

    def __init__(self, data: bytes, offsets: NDArray[np.int64]) -> None:
        """Create it.

        Args:
            data: All tokens, one after the other.
            offsets: Where each begins [n + 1].
        """
        self._data = data
        self._offsets = offsets

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self._offsets) - 1

    def __getitem__(self, at: int) -> str:
        """Return a token by its position, from 0."""
        return self._data[self._offsets[at] : self._offsets[at + 1]].decode(errors="replace")

    def find(self, token: str) -> int | None:
        """Return the position of a token in sorted tokens.

        Args:
            token: The token.

        Returns:
            The position; None if there is no such token.
        """
        try:
            sought = token.encode()
        except UnicodeEncodeError:
            return None
        data, offsets = self._data, self._offsets
        at = bisect_left(range(len(self)), sought, key=lambda i: data[offsets[i] : offsets[i + 1]])
        if at == len(self) or data[offsets[at] : offsets[at + 1]] != sought:
            return None
        return at
