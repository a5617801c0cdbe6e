"""Limits of JSON texts: what no honest file passes, and what would fill the memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

MOST_NESTED = 100_000
"""Lists and objects of a JSON text. An empty one takes twenty times the memory of its three
characters."""
SMALL_JSON = 2**19
"""Bytes. A smaller text may take what it will, which is some 27 times its size at most."""
MAX_EXPANSION = 10
"""How many times its size a larger one may take."""
NEW_KEY_BYTES = 150
"""Bytes of a key the first time it is met; again it costs no text."""


def json_within_limits(text: str | bytes, allowed_values: int = 0) -> Any:
    """Return what a JSON text holds, unless it was made to fill the memory.

    Args:
        text: JSON.
        allowed_values: So many values are never too many, however small they are.

    Returns:
        Its value.

    Raises:
        ValueError: It is no JSON, or holds more than ``MOST_NESTED`` lists and objects; or more
            than ``SMALL_JSON`` bytes, of which its values would take ``MAX_EXPANSION`` times as
            many.
        RecursionError: They lie too deep in one another.
    """
    raw = text.encode() if isinstance(text, str) else text
    signs = {sign: raw.count(sign) for sign in (b"[", b"{", b",", b":", b'"')}
    signs[b'"'] //= 2  # of each text one
    problem = _excess(signs, signs[b":"], raw, allowed_values)
    # Texts may hold such signs too, so only where there are many is it worth looking closely.
    if problem and (problem := _excess(*_counted(raw), raw, allowed_values)):
        raise ValueError(problem)
    return json.loads(raw.decode("utf-8"))


# What cannot match otherwise is not tried again, so that time and memory stay small.
_SIGNS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,:]', re.DOTALL)


def _counted(raw: bytes) -> tuple[Mapping[bytes, int], int]:
    """Return how often each sign stands outside texts, and how many different keys there are."""
    signs: Counter[bytes] = Counter()
    keys: set[bytes] = set()
    before = b""
    for part in _SIGNS.finditer(raw):
        signs[part[0][:1]] += 1
        if part[0] == b":" and len(keys) * NEW_KEY_BYTES < MAX_EXPANSION * len(raw):
            keys.add(before)
        before = part[0]
    return signs, len(keys)


def _excess(signs: Mapping[bytes, int], keys: int, raw: bytes, allowed_values: int) -> str:
    """Return what is too much about a JSON text with so many signs; empty if nothing is."""
    lists, objects, values, pairs = (signs[sign] for sign in (b"[", b"{", b",", b":"))
    if lists + objects > MOST_NESTED:
        return f"it holds more than {MOST_NESTED:,} lists and objects"
    if len(raw) <= SMALL_JSON or values <= allowed_values:
        return ""
    texts = max(signs[b'"'] - pairs, 0)
    # What Python takes: the bytes, their text, and so much for each text, number, pair, and so on.
    highest = max(raw, default=0)
    width = 4 if highest >= 0xF0 else 2 if highest > 0xC3 else 1
    memory = (1 + width) * len(raw) + 60 * texts + 32 * max(values - texts, 0)
    memory += 8 * values + 60 * pairs + NEW_KEY_BYTES * keys + 80 * lists + 240 * objects
    if memory <= MAX_EXPANSION * len(raw):
        return ""
    return f"it holds {values:,} values, too many for its {len(raw):,} bytes"
