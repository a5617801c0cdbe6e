"""Working memory that lasts from one call to the next, and no longer than its owner."""

from __future__ import annotations

import torch
from torch import Tensor


class Workspace:
    """Vectors to write into, the same memory at every call; not for several threads at a time.

    Fresh memory is handed out as empty pages by the operating system, and filling a step's logits
    into such pages takes longer than the arithmetic (15 ms against 5 ms for 2,048 x 1,683). The
    memory is given back when the workspace is no longer referenced.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def take(self, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return a vector to write into; it holds whatever the last user left.

        Args:
            size: Elements.
            dtype: Of the vector.
            device: Of the vector.

        Returns:
            [size], memory that the next call with the same type and device returns again.
        """
        key = dtype, device
        if key not in self._kept or len(self._kept[key]) < size:
            self._kept.pop(key, None)  # the smaller one first, so that there are never both
            with torch.inference_mode(False):  # else it could not be written to outside of it
                self._kept[key] = torch.empty(size, dtype=dtype, device=device)
        return self._kept[key][:size]

    @property
    def bytes(self) -> int:
        """How much memory is kept."""
        return sum(each.nbytes for each in self._kept.values())
