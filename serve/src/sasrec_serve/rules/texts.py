"""Functions of texts: patterns of ``like``, lower and upper case, and membership in lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from sasrec_serve.rules.comparing import aligned_codes
from sasrec_serve.rules.numbers import TypeMismatch
from sasrec_serve.rules.values import KINDS, Values


def changed_texts(values: Values, change: Callable[[str], str], name: str) -> Values:
    """Return texts after a change.

    Args:
        values: The texts.
        change: What to do with each.
        name: Name of the function, for the message.

    Returns:
        The changed texts.

    Raises:
        TypeMismatch: The values are no texts.
    """
    if values.kind == "null":
        return values
    if values.kind != "text":
        raise TypeMismatch(f"{name} needs text, not {KINDS[values.kind]}")
    changed = [change(text) for text in values.entries]
    entries = sorted(set(changed))
    place = {text: index for index, text in enumerate(entries)}
    codes = np.array([place[text] for text in changed] or [0], dtype=np.int32)
    return Values("text", codes[values.data], values.known, entries)


def matches(values: Values, pattern: str, *, any_case: bool) -> Values:
    """Return which texts match a pattern of ``like``.

    Args:
        values: The texts.
        pattern: A text in which ``%`` stands for any characters and ``_`` for one character.
        any_case: Whether upper and lower case are the same, as for ``ilike``.

    Returns:
        Flags.

    Raises:
        TypeMismatch: The values are no texts.
    """
    if values.kind not in ("text", "null"):
        raise TypeMismatch(f"like needs text, not {KINDS[values.kind]}")
    match = matcher(folded(pattern) if any_case else pattern)
    found = [match(folded(text) if any_case else text) for text in values.entries] or [False]
    return Values("flag", np.array(found, dtype=bool)[values.data.astype(np.int64)], values.known)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text matches a pattern.

    The parts between ``%`` are looked for from left to right, each at the first place, so the time
    is at most the length of the text times that of the pattern.

    Args:
        pattern: A text in which ``%`` stands for any characters and ``_`` for one character.
    """
    first, *rest = pattern.split("%")
    if not rest:
        whole = _finder(pattern)
        return lambda text: len(text) == len(pattern) and whole(text, 0, len(text)) == 0
    *middle, last = rest
    inside = [(len(each), _finder(each)) for each in middle if each]
    if not first and not last and len(inside) == 1 and "_" not in pattern:
        [part] = (each for each in middle if each)
        return lambda text: part in text  # by far the most frequent one, and the quickest
    begin, end, shortest = _finder(first), _finder(last), len(pattern) - len(rest)

    def match(text: str) -> bool:
        place, stop = len(first), len(text) - len(last)
        if len(text) < shortest or begin(text, 0, place) or end(text, stop, len(text)) != stop:
            return False
        for length, find in inside:
            found = find(text, place, stop)
            if found < 0:
                return False
            place = found + length
        return place <= stop

    return match


def _finder(part: str) -> Callable[[str, int, int], int]:
    """Return a function like ``str.find`` with the part already given; ``_`` is any character."""
    if "_" not in part:
        return lambda text, begin, stop: text.find(part, begin, stop)
    search = re.compile(re.escape(part).replace("_", "."), re.DOTALL).search

    def find(text: str, begin: int, stop: int) -> int:
        found = search(text, begin, stop)
        return -1 if found is None else found.start()

    return find


def folded(text: str) -> str:
    """Return a text in which letters that differ only in case are the same, of the same length.

    Args:
        text: Any text.
    """
    return text.lower() if text.isascii() else "".join(map(_folded_character, text))


NEWER = {"\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb05": "\ufb06"}
"""Simple case foldings of Unicode 15.1, which Python need not know."""


@lru_cache(maxsize=2**16)
def _folded_character(character: str) -> str:
    """Return a character after simple case folding of Unicode, which gives one character."""
    if character in NEWER:
        return NEWER[character]
    for found in (character.casefold(), character.lower()):
        if len(found) == 1:
            return found
    return character


def contains(lists: Values, texts: Values) -> Values:
    """Return which lists contain a text.

    Args:
        lists: Lists of texts.
        texts: The text for each list.

    Returns:
        Flags; missing where the list is, and false where the text is.

    Raises:
        TypeMismatch: They are no lists or no texts.
    """
    if lists.kind != "texts" or texts.kind not in ("text", "null") or lists.offsets is None:
        raise TypeMismatch(
            f"array_contains needs lists of texts and a text, not {KINDS[lists.kind]} and "
            f"{KINDS[texts.kind]}"
        )
    count = len(lists)
    if texts.kind == "null":
        return Values("flag", np.zeros(count, dtype=bool), lists.known)
    owners = np.repeat(np.arange(count), np.diff(lists.offsets))
    parts, wanted = aligned_codes(lists, texts)
    known = np.broadcast_to(texts.mask, (count,))
    equal = (parts == np.broadcast_to(wanted, (count,))[owners]) & known[owners]
    found = np.zeros(count, dtype=bool)
    found[owners[equal]] = True
    return Values("flag", found, lists.known)
