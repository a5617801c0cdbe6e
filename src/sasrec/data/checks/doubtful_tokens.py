"""Doubtful tokens: texts that mean nothing, and tokens that look like one another, counted.

Distinct tokens are looked at, block by block, and each takes some bytes meanwhile, whatever its
length; rows are only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl

from sasrec.data.checks.remarks import Remark
from sasrec.data.values.cleaning import CLEANINGS, NULL_LIKE, POINT_ZERO, SPACES, cleaned
from sasrec.data.values.numbering import BLOCK

ROUNDED = r"^-?\d(\.\d+)?[eE]\+\d+$|^-?\d{16,}\.0+$"
"""A long number as a spreadsheet or a column of floats writes it, with fewer digits than it had."""
MOST_EXAMPLES = 5
JOINING = ",;| "
"""Marks that may stand between the items of a history."""
BRACKETS = "[]()\"'"
FEW_JOINED, MOST_JOINED = 0.05, 0.5
"""Share of items that hold such a mark, and share of their parts that are items, from which on
they are said to be several in one."""
DIFFERENCES = {
    "spaces": "spaces around them",
    "unicode": "the Unicode form of a letter (NFC or NFD)",
    "numbers": "a point and zeros",
    "case": "upper and lower case",
}
"""What each of ``CLEANINGS`` takes away, in words."""


def token_remarks(
    entries: pl.Series,
    numbers: np.ndarray,
    column: str,
    *,
    what: str = "rows",
    missing: Sequence[str] = (),
) -> tuple[Remark, ...]:
    """Return what is doubtful about the tokens of a column.

    Args:
        entries: The tokens, each once, String.
        numbers: int32 [n], the number of each row's token, from 1; 0 for none.
        column: Name of the column.
        what: What the numbers are of: rows, or events of ready histories, none of which can be
            left out by a setting.
        missing: What ``missing_values`` names already.
    """
    null_like = _where(entries, _is_null_like)
    counts = _row_counts(numbers, null_like, len(entries))
    null_like, counts = null_like[counts > 0], counts[counts > 0]  # rows may have been dropped
    remarks: list[Remark] = []
    if len(null_like):
        cure = "take it out of the histories"
        if what == "rows":
            names = [*missing, *(text.strip(SPACES) for text in entries.gather(null_like))]
            named = ",".join(dict.fromkeys(names))
            cure = f'give missing_values="{named}" and incomplete=drop'
        total = f"{int(counts.sum()):,} of {len(numbers):,} {what}"
        remarks.append(_null_like(entries, null_like, counts, column, total=total, cure=cure))
    rounded = _where(entries, lambda block: block.str.contains(ROUNDED))
    if len(rounded):
        remarks.append(_rounded(entries, rounded, column))
    repeated = _repeated(entries, column)
    remarks += repeated
    if not any(remark.kind == "tokens_alike_but_numbers" for remark in repeated):
        remarks += _point_zero(entries, column)
    return tuple(remarks)


def joined_tokens(entries: pl.Series, column: str, separator: str) -> tuple[Remark, ...]:
    """Return a remark if tokens of ready histories are several items in one.

    Args:
        entries: The items, each once, String.
        column: Name of the column with the histories.
        separator: At which they were cut.
    """
    for mark in JOINING.replace(separator, ""):
        places = _where(entries, partial(_contains, mark=mark))
        if len(places) < max(1, FEW_JOINED * len(entries)):
            continue
        some = entries.gather(places[:BLOCK])
        parts = some.str.split(mark).explode().str.strip_chars(SPACES + BRACKETS)
        parts = parts.filter(parts != "")
        if len(parts) and parts.is_in(entries.implode()).mean() >= MOST_JOINED:  # type: ignore[operator]
            text = (
                f"{len(places):,} of {len(entries):,} items of {column!r} seem to be several "
                f"in one, such as {some[0]!r}; items are written with {separator!r} between them, "
                "and sequence_separator names another mark"
            )
            return (Remark("joined_tokens", len(places), text),)
    return ()


def _contains(block: pl.Series, mark: str) -> pl.Series:
    return block.str.contains(mark, literal=True)


def _blocks(entries: pl.Series) -> Iterator[pl.Series]:
    for begin in range(0, len(entries), BLOCK):
        yield entries[begin : begin + BLOCK]


def _where(entries: pl.Series, holds: Callable[[pl.Series], pl.Series]) -> np.ndarray:
    """Return the places of tokens of which something holds, int64."""
    found = [np.flatnonzero(holds(block).to_numpy()) for block in _blocks(entries)]
    return np.concatenate(
        [places + number * BLOCK for number, places in enumerate(found)]
        or [np.zeros(0, dtype=np.int64)]
    )


def _is_null_like(block: pl.Series) -> pl.Series:
    known = pl.Series(sorted(NULL_LIKE | {""}), dtype=pl.String).implode()
    is_empty = block == ""  # of these rows it is known already that they are incomplete
    return block.str.strip_chars(SPACES).str.to_lowercase().is_in(known) & ~is_empty


def _null_like(
    entries: pl.Series,
    places: np.ndarray,
    counts: np.ndarray,
    column: str,
    *,
    total: str,
    cure: str,
) -> Remark:
    """Return how many rows have a token that probably means that there is none.

    Args:
        entries: All tokens of the column, String.
        places: int64 [m], where those tokens stand among them.
        counts: int64 [m], rows with each.
        column: Its name.
        total: How many rows of how many that is, in words.
        cure: What to do.
    """
    order = np.argsort(-counts, kind="stable")[:MOST_EXAMPLES]
    texts = entries.gather(places[order]).to_list()
    named = " or ".join(
        f"{text!r} ({count:,})" for text, count in zip(texts, counts[order], strict=True)
    )
    return Remark(
        "null_like_tokens",
        int(counts.sum()),
        f"{total} have {named} as {column!r}, which counts as one ordinary name; if it stands for "
        f"a missing value, {cure}",
    )


def _row_counts(numbers: np.ndarray, places: np.ndarray, n_tokens: int) -> np.ndarray:
    """Return how many rows have each of some tokens, int64 [m], block by block."""
    slot = np.zeros(n_tokens + 1, dtype=np.int32)
    slot[places + 1] = np.arange(1, len(places) + 1, dtype=np.int32)
    counts = np.zeros(len(places) + 1, dtype=np.int64)
    for begin in range(0, len(numbers), BLOCK):
        counts += np.bincount(slot.take(numbers[begin : begin + BLOCK]), minlength=len(counts))
    return counts[1:]


def _rounded(entries: pl.Series, places: np.ndarray, column: str) -> Remark:
    return Remark(
        "rounded_numbers",
        len(places),
        f"{len(places):,} of {len(entries):,} tokens of {column!r} are long numbers that a "
        f"spreadsheet or a column of floats has rounded, such as {entries[int(places[0])]!r}, so "
        "that different ones may have become one; write the column as text where it comes from",
    )


def _repeated(entries: pl.Series, column: str) -> list[Remark]:
    """Return how many tokens differ from another only in something no person would see.

    What each cleaning joins is counted beyond what those before it do, by hashes: two of a million
    tokens meet in one by chance in one of ten million data sets.
    """
    everything = _hashes(entries, tuple(CLEANINGS))
    everything.sort()
    if not (everything[1:] == everything[:-1]).any():
        del everything
        return _spaced(entries, column, 0, None)
    del everything
    remarks: list[Remark] = []
    before, distinct = _hashes(entries, ()), len(entries)
    names = tuple(CLEANINGS)
    for place, name in enumerate(names):
        hashes = _hashes(entries, names[: place + 1])
        left, pair = _joined(before, hashes)
        count, distinct = distinct - left, left
        examples = entries.gather(pair).to_list() if pair else None
        if name == "spaces":
            remarks += _spaced(entries, column, count, examples)
        elif examples is not None:
            remarks.append(_alike(entries, column, name, count, examples))
        before = hashes
    return remarks


def _hashes(entries: pl.Series, asked: tuple[str, ...]) -> np.ndarray:
    hashes = np.empty(len(entries), dtype=np.uint64)
    for number, block in enumerate(_blocks(entries)):
        first = number * BLOCK
        hashes[first : first + len(block)] = cleaned(block, asked).hash().to_numpy()
    return hashes


def _joined(before: np.ndarray, after: np.ndarray) -> tuple[int, list[int]]:
    """Return how many distinct tokens a cleaning leaves, and places of two that it joins, if any.

    Args:
        before: uint64 [n], hashes of what was told apart before.
        after: uint64 [n], those after it.
    """
    order = np.argsort(after)
    left = min(len(after), 1)
    pair: list[int] = []
    for begin in range(0, len(order) - 1, BLOCK):
        first, second = order[begin : begin + BLOCK], order[begin + 1 : begin + BLOCK + 1]
        first = first[: len(second)]
        is_alike = after[first] == after[second]
        left += len(second) - int(is_alike.sum())
        joins = np.flatnonzero(is_alike & (before[first] != before[second]))
        if len(joins):
            place = joins[np.minimum(first[joins], second[joins]).argmin()]
            found = sorted((int(first[place]), int(second[place])))
            pair = min(pair or found, found)  # the first in the source
    return left, pair


def _alike(entries: pl.Series, column: str, name: str, count: int, examples: list[str]) -> Remark:
    return Remark(
        f"tokens_alike_but_{name}",
        count,
        f"{count:,} of {len(entries):,} tokens of {column!r} differ from another only in "
        f"{DIFFERENCES[name]}, such as {examples[0]!r} and {examples[1]!r}; clean_tokens={name} "
        "merges them",
    )


def _spaced(
    entries: pl.Series, column: str, count: int, examples: list[str] | None
) -> list[Remark]:
    """Return how many tokens have spaces around them, and how many of these are another one."""
    places = _where(entries, lambda block: block != block.str.strip_chars(SPACES))
    if not len(places):
        return []
    if examples is not None:
        return [_alike(entries, column, "spaces", count, examples)]
    return [
        Remark(
            "spaces_around_tokens",
            len(places),
            f"{len(places):,} of {len(entries):,} tokens of {column!r} have spaces around them, "
            f"such as {entries[int(places[0])]!r}; clean_tokens=spaces takes them away",
        )
    ]


def _point_zero(entries: pl.Series, column: str) -> list[Remark]:
    """Return how many tokens are whole numbers with a point, if they are most."""
    places = _where(entries, lambda block: block.str.contains(POINT_ZERO))
    if not len(places) or 2 * len(places) < len(entries):
        return []
    example = entries[int(places[0])]
    return [
        Remark(
            "numbers_with_a_point",
            len(places),
            f"{len(places):,} of {len(entries):,} tokens of {column!r} are whole numbers with a "
            f"point, such as {example!r}, as a column of floats is written to CSV; a data frame or "
            f"Parquet gives {example.partition('.')[0]!r}, and so does clean_tokens=numbers",
        )
    ]
