"""Doubtful tokens: texts that stand for a missing value, and tokens that look alike.

Each distinct token is checked once, block by block, in a few bytes of memory whatever its length;
rows are only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl

from sasrec.data.values.cleaning import CLEANINGS, NULL_LIKE, POINT_ZERO, SPACES, cleaned
from sasrec.data.values.numbering import BLOCK
from sasrec.remarks import Remark

ROUNDED = r"^-?\d(\.\d+)?[eE]\+\d+$|^-?\d{16,}\.0+$"
"""A long number as a spreadsheet or a column of floats writes it: some digits have been lost."""
MAX_EXAMPLES = 5
SEPARATORS = ",;| "
"""Characters that may separate the items of a history."""
BRACKETS = "[]()\"'"
MIN_JOINED, MIN_KNOWN_PARTS = 0.05, 0.5
"""Tokens are reported as several items joined together if at least the first share of them contains
a separator and at least the second share of their parts are themselves items."""
DIFFERENCES = {
    "spaces": "spaces around them",
    "unicode": "the Unicode form of a letter (NFC or NFD)",
    "numbers": "a decimal point followed by zeros",
    "case": "upper and lower case",
}
"""The difference that each of ``CLEANINGS`` removes, for messages."""


def token_remarks(
    entries: pl.Series,
    numbers: np.ndarray,
    column: str,
    *,
    what: str = "rows",
    missing: Sequence[str] = (),
) -> tuple[Remark, ...]:
    """Return remarks on what is doubtful about the tokens of a column.

    Args:
        entries: The distinct tokens, String.
        numbers: int32 [n], the number of each row's token, from 1; 0 for none.
        column: Name of the column.
        what: What each of ``numbers`` stands for: ``rows``; or ``events``, if each row is a whole
            history, where no setting can drop a single event.
        missing: Texts that ``missing_values`` already lists.
    """
    null_like = _where(entries, _is_null_like)
    counts = _row_counts(numbers, null_like, len(entries))
    null_like, counts = null_like[counts > 0], counts[counts > 0]  # rows may have been dropped
    remarks: list[Remark] = []
    if len(null_like):
        advice = "remove it from the histories"
        if what == "rows":
            names = [*missing, *(text.strip(SPACES) for text in entries.gather(null_like))]
            listed = ",".join(dict.fromkeys(names))
            advice = f'set missing_values="{listed}" and incomplete=drop'
        total = f"{int(counts.sum()):,} of {len(numbers):,} {what}"
        remarks.append(
            _null_like_remark(entries, null_like, counts, column, total=total, advice=advice)
        )
    rounded = _where(entries, lambda block: block.str.contains(ROUNDED))
    if len(rounded):
        remarks.append(_rounded_remark(entries, rounded, column))
    alike = alike_remarks(entries, column)
    remarks += alike
    if not any(remark.kind == "tokens_alike_but_numbers" for remark in alike):
        remarks += _point_zero_remarks(entries, column)
    return tuple(remarks)


def joined_tokens(entries: pl.Series, column: str, separator: str) -> tuple[Remark, ...]:
    """Return a remark if tokens of histories look like several items that were not separated.

    Args:
        entries: The distinct items, String.
        column: Name of the column with the histories.
        separator: The character at which histories were split into items.
    """
    for character in SEPARATORS.replace(separator, ""):
        indices = _where(entries, partial(_contains, character=character))
        if len(indices) < max(1, MIN_JOINED * len(entries)):
            continue
        sample = entries.gather(indices[:BLOCK])
        parts = sample.str.split(character).explode().str.strip_chars(SPACES + BRACKETS)
        parts = parts.filter(parts != "")
        if len(parts) and parts.is_in(entries.implode()).mean() >= MIN_KNOWN_PARTS:  # type: ignore[operator]
            text = (
                f"{len(indices):,} of {len(entries):,} items in {column!r} look like several items "
                f"joined together, such as {sample[0]!r}; histories are split at {separator!r}, "
                "so set sequence_separator if the file uses another character"
            )
            return (Remark("joined_tokens", len(indices), text),)
    return ()


def _contains(block: pl.Series, character: str) -> pl.Series:
    return block.str.contains(character, literal=True)


def _blocks(entries: pl.Series) -> Iterator[pl.Series]:
    for begin in range(0, len(entries), BLOCK):
        yield entries[begin : begin + BLOCK]


def _where(entries: pl.Series, matches: Callable[[pl.Series], pl.Series]) -> np.ndarray:
    """Return the indices of the tokens that match, int64."""
    found = [np.flatnonzero(matches(block).to_numpy()) for block in _blocks(entries)]
    return np.concatenate(
        [indices + number * BLOCK for number, indices in enumerate(found)]
        or [np.zeros(0, dtype=np.int64)]
    )


def _is_null_like(block: pl.Series) -> pl.Series:
    known = pl.Series(sorted(NULL_LIKE | {""}), dtype=pl.String).implode()
    is_empty = block == ""  # rows with an empty token count as incomplete already
    return block.str.strip_chars(SPACES).str.to_lowercase().is_in(known) & ~is_empty


def _null_like_remark(
    entries: pl.Series,
    indices: np.ndarray,
    counts: np.ndarray,
    column: str,
    *,
    total: str,
    advice: str,
) -> Remark:
    """Return a remark on rows whose token probably stands for a missing value.

    Args:
        entries: All tokens of the column, String.
        indices: int64 [m], index of each such token in ``entries``.
        counts: int64 [m], number of rows with each.
        column: Its name.
        total: Text such as ``3 of 900 rows``.
        advice: What to do about it.
    """
    order = np.argsort(-counts, kind="stable")[:MAX_EXAMPLES]
    texts = entries.gather(indices[order]).to_list()
    examples = " or ".join(
        f"{text!r} ({count:,})" for text, count in zip(texts, counts[order], strict=True)
    )
    return Remark(
        "null_like_tokens",
        int(counts.sum()),
        f"{total} have {examples} in {column!r}, which is read as an ordinary id; if it stands for "
        f"a missing value, {advice}",
    )


def _row_counts(numbers: np.ndarray, indices: np.ndarray, n_tokens: int) -> np.ndarray:
    """Return how many rows have each of the given tokens, int64 [m], block by block."""
    slot = np.zeros(n_tokens + 1, dtype=np.int32)
    slot[indices + 1] = np.arange(1, len(indices) + 1, dtype=np.int32)
    counts = np.zeros(len(indices) + 1, dtype=np.int64)
    for begin in range(0, len(numbers), BLOCK):
        counts += np.bincount(slot.take(numbers[begin : begin + BLOCK]), minlength=len(counts))
    return counts[1:]


def _rounded_remark(entries: pl.Series, indices: np.ndarray, column: str) -> Remark:
    return Remark(
        "rounded_numbers",
        len(indices),
        f"{len(indices):,} of {len(entries):,} tokens in {column!r} are long numbers that a "
        f"spreadsheet or a column of floats has rounded, such as {entries[int(indices[0])]!r}, so "
        "different ids may have been merged into one; export the column as text from its source",
    )


def alike_remarks(entries: pl.Series, column: str) -> list[Remark]:
    """Return remarks on tokens that differ from another only in something invisible.

    For each cleaning, only tokens that the cleanings before it do not merge are counted. Hashes
    are compared: among a million tokens, two share a hash by chance in one of ten million data
    sets.

    Args:
        entries: The tokens, String, distinct.
        column: Name of their column.

    Returns:
        A remark for each cleaning that would merge tokens.
    """
    after_all = _hashes(entries, tuple(CLEANINGS))
    after_all.sort()
    if not (after_all[1:] == after_all[:-1]).any():
        del after_all
        return _spaces_remarks(entries, column, 0, None)
    del after_all
    remarks: list[Remark] = []
    before, distinct = _hashes(entries, ()), len(entries)
    names = tuple(CLEANINGS)
    for index, name in enumerate(names):
        hashes = _hashes(entries, names[: index + 1])
        distinct_after, pair = _merged(before, hashes)
        count, distinct = distinct - distinct_after, distinct_after
        examples = entries.gather(pair).to_list() if pair else None
        if name == "spaces":
            remarks += _spaces_remarks(entries, column, count, examples)
        elif examples is not None:
            remarks.append(_alike_remark(entries, column, name, count, examples))
        before = hashes
    return remarks


def _hashes(entries: pl.Series, cleanings: tuple[str, ...]) -> np.ndarray:
    """Return a hash of each token after some cleanings, uint64 [n]."""
    hashes = np.empty(len(entries), dtype=np.uint64)
    for number, block in enumerate(_blocks(entries)):
        first = number * BLOCK
        hashes[first : first + len(block)] = cleaned(block, cleanings).hash().to_numpy()
    return hashes


def _merged(before: np.ndarray, after: np.ndarray) -> tuple[int, list[int]]:
    """Return the number of distinct tokens after a cleaning, and indices of two that it merges.

    Args:
        before: uint64 [n], hash of each token before the cleaning.
        after: uint64 [n], hash of each token after it.

    Returns:
        The number; and the first such pair in the source, empty if there is none.
    """
    order = np.argsort(after)
    distinct = min(len(after), 1)
    pair: list[int] = []
    for begin in range(0, len(order) - 1, BLOCK):
        first, second = order[begin : begin + BLOCK], order[begin + 1 : begin + BLOCK + 1]
        first = first[: len(second)]
        is_alike = after[first] == after[second]
        distinct += len(second) - int(is_alike.sum())
        merges = np.flatnonzero(is_alike & (before[first] != before[second]))
        if len(merges):
            row = merges[np.minimum(first[merges], second[merges]).argmin()]
            found = sorted((int(first[row]), int(second[row])))
            pair = min(pair or found, found)
    return distinct, pair


def _alike_remark(
    entries: pl.Series, column: str, name: str, count: int, examples: list[str]
) -> Remark:
    return Remark(
        f"tokens_alike_but_{name}",
        count,
        f"{count:,} of {len(entries):,} tokens in {column!r} differ from another only in "
        f"{DIFFERENCES[name]}, such as {examples[0]!r} and {examples[1]!r}; clean_tokens={name} "
        "merges them",
    )


def _spaces_remarks(
    entries: pl.Series, column: str, count: int, examples: list[str] | None
) -> list[Remark]:
    """Return a remark if tokens have spaces around them; ``examples`` if this sets two apart."""
    indices = _where(entries, lambda block: block != block.str.strip_chars(SPACES))
    if not len(indices):
        return []
    if examples is not None:
        return [_alike_remark(entries, column, "spaces", count, examples)]
    return [
        Remark(
            "spaces_around_tokens",
            len(indices),
            f"{len(indices):,} of {len(entries):,} tokens in {column!r} have spaces around them, "
            f"such as {entries[int(indices[0])]!r}; clean_tokens=spaces removes them",
        )
    ]


def _point_zero_remarks(entries: pl.Series, column: str) -> list[Remark]:
    """Return a remark if at least half of the tokens are whole numbers with a decimal point."""
    indices = _where(entries, lambda block: block.str.contains(POINT_ZERO))
    if not len(indices) or 2 * len(indices) < len(entries):
        return []
    example = entries[int(indices[0])]
    return [
        Remark(
            "numbers_with_a_point",
            len(indices),
            f"{len(indices):,} of {len(entries):,} tokens in {column!r} are whole numbers with a "
            f"decimal point, such as {example!r}, as CSV files have them that were written from a "
            f"column of floats; clean_tokens=numbers reads {example.partition('.')[0]!r}, as data "
            "frames and Parquet files do",
        )
    ]
