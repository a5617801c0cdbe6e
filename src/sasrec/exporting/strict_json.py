"""NaN and infinity, which Python writes to JSON although JSON has neither."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """Return a value of JSON with None instead of NaN and infinity.

    Args:
        value: Nested lists and mappings of texts, numbers, booleans and None.

    Returns:
        The same with None where a number is not finite.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value
