"""Limits on JSON texts, which reject input that was made to exhaust the memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

MOST_NESTED = 100_000
"""Lists and objects in one JSON text. An empty one takes twenty times the memory of its three
characters."""
SMALL_JSON = 2**19
"""In bytes. The memory of a smaller text is not limited; it is at most about 27 times its size."""
MAX_EXPANSION = 10
"""Memory that the values of a larger text may take, as a multiple of its size."""
NEW_KEY_BYTES = 150
"""Memory of a key the first time it occurs; Python stores the text of a repeated key once."""


def json_within_limits(text: str | bytes, allowed_values: int = 0) -> Any:
    """Parse a JSON text, unless its values would take far more memory than the text itself.

    Args:
        text: JSON.
        allowed_values: The memory limit does not apply to texts with at most this many values.

    Returns:
        The parsed value.

    Raises:
        ValueError: The text is not JSON; it holds more than ``MOST_NESTED`` lists and objects; or
            it is larger than ``SMALL_JSON`` bytes and its values would take more than
            ``MAX_EXPANSION`` times its size.
        RecursionError: Lists and objects are nested too deeply.
    """
    raw = text.encode() if isinstance(text, str) else text
    counts = {sign: raw.count(sign) for sign in (b"[", b"{", b",", b":", b'"')}
    counts[b'"'] //= 2  # each string has two quotation marks
    problem = _excess(counts, counts[b":"], raw, allowed_values)
    # Strings may contain these characters too: count exactly, but only if the rough count is high.
    if problem and (problem := _excess(*_counted(raw), raw, allowed_values)):
        raise ValueError(problem)
    return json.loads(raw.decode("utf-8"))


# Possessive quantifiers (++ and *+) prevent backtracking, which keeps time and memory small.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,:]', re.DOTALL)


def _counted(raw: bytes) -> tuple[Mapping[bytes, int], int]:
    """Return how often each sign occurs outside strings, and the number of different keys."""
    counts: Counter[bytes] = Counter()
    keys: set[bytes] = set()
    previous = b""
    for token in _TOKENS.finditer(raw):
        counts[token[0][:1]] += 1
        if token[0] == b":" and len(keys) * NEW_KEY_BYTES < MAX_EXPANSION * len(raw):
            keys.add(previous)
        previous = token[0]
    return counts, len(keys)


def _excess(counts: Mapping[bytes, int], keys: int, raw: bytes, allowed_values: int) -> str:
    """Return which limit a JSON text exceeds, as an error text; empty if none.

    Args:
        counts: How often each of the signs ``[ { , :`` and strings occur.
        keys: Number of different keys.
        raw: The text.
        allowed_values: As in ``json_within_limits``.

    Returns:
        The problem, or an empty text.
    """
    lists, objects, values, pairs = (counts[sign] for sign in (b"[", b"{", b",", b":"))
    if lists + objects > MOST_NESTED:
        return f"it holds more than {MOST_NESTED:,} lists and objects"
    if len(raw) <= SMALL_JSON or values <= allowed_values:
        return ""
    texts = max(counts[b'"'] - pairs, 0)
    # Memory in Python: the bytes, the decoded text, and an amount for each string, number and pair.
    highest = max(raw, default=0)
    width = 4 if highest >= 0xF0 else 2 if highest > 0xC3 else 1
    memory = (1 + width) * len(raw) + 60 * texts + 32 * max(values - texts, 0)
    memory += 8 * values + 60 * pairs + NEW_KEY_BYTES * keys + 80 * lists + 240 * objects
    if memory <= MAX_EXPANSION * len(raw):
        return ""
    return f"it holds {values:,} values, too many for its {len(raw):,} bytes"
