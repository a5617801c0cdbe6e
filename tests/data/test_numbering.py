"""Numbers of tokens equal those of a dictionary, for any pieces and any hash collisions."""

import zlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.values import numbering
from sasrec.data.values.numbering import Numbering, by_appearance, occurrences

TOKENS = st.none() | st.text(st.characters(codec="utf-8"), max_size=2)


def add_all(pieces: list[list[str | None]]) -> tuple[list[int | None], Numbering]:
    """Return the numbers of all pieces, and the numbering."""
    ours = Numbering()
    columns = [ours.add(pl.Series("item", piece, dtype=pl.String)) for piece in pieces]
    assert all(each.dtype == pl.Int32 and each.name == "item" for each in columns)
    return [number for each in columns for number in each], ours


def plainly_numbered(pieces: list[list[str | None]]) -> tuple[list[int | None], dict[str, int]]:
    """Return the expected numbers from a dictionary."""
    known: dict[str, int] = {}
    tokens = [token for piece in pieces for token in piece]
    found = [t if t is None else known.setdefault(t, len(known) + 1) for t in tokens]
    return found, known


@given(st.lists(st.lists(TOKENS, max_size=30), max_size=5))
def test_numbers_are_those_of_a_dictionary(pieces: list[list[str | None]]) -> None:
    numbers, ours = add_all(pieces)
    expected, known = plainly_numbered(pieces)
    assert numbers == expected
    assert ours.entries.to_list() == list(known)


@given(
    st.lists(st.lists(TOKENS, max_size=30), max_size=5),
    st.integers(1, 3),
    st.sampled_from([1, 2, 2**10]),
    st.sampled_from([2, 2**10]),
)
def test_tokens_with_equal_hashes_get_different_numbers(
    pieces: list[list[str | None]], different: int, slots: int, fewest: int
) -> None:
    """Collisions of whole hashes or of their upper halves only, also while the table grows."""

    def hashes(tokens: pl.Series) -> np.ndarray:
        texts = [(token or "").encode() for token in tokens]
        alike = [len(text) % different * 2**32 + zlib.crc32(text) % slots for text in texts]
        return np.array(alike, dtype=np.uint64)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbering, "_hashes", hashes)
        patch.setattr(numbering, "MIN_SLOTS", fewest)
        numbers, ours = add_all(pieces)
        # A token whose hash equals an earlier one's is numbered after the others of its piece.
        plain = Numbering.of_distinct(ours.entries)
        asked = [*ours.entries.to_list(), "none", ""]
        found = plain.find(pl.Series(asked))
    entries = ours.entries.to_list()
    assert found.tolist() == [
        entries.index(token) + 1 if token in entries else 0 for token in asked
    ]
    assert sorted(entries) == sorted(plainly_numbered(pieces)[1])
    tokens = [token for piece in pieces for token in piece]
    assert [None if n is None else entries[n - 1] for n in numbers] == tokens


def test_a_table_that_grows_keeps_its_numbers() -> None:
    tokens = [f"{number:x}" for number in range(70_000)]
    numbers, ours = add_all([tokens[:900], tokens[500:5_000], tokens[::-1], tokens])
    assert numbers[-70_000:] == list(dict.fromkeys(numbers[-70_000:]))
    assert ours.entries.gather(pl.Series(numbers[-70_000:]) - 1).to_list() == tokens


@given(st.lists(st.integers(1, 9), max_size=30))
def test_renumbering_by_appearance_keeps_exactly_the_present_tokens(column: list[int]) -> None:
    entries = pl.Series([f"t{number}" for number in range(1, 10)])
    numbers, left = by_appearance(np.array(column, dtype=np.int32), entries)
    assert left.to_list() == [f"t{number}" for number in dict.fromkeys(column)]
    assert left.gather(numbers - 1).to_list() == [f"t{number}" for number in column]


@pytest.mark.parametrize("column", [[1, 2, 3], [1, 2, 1, 3, 2]])
def test_numbers_in_order_are_left_as_they_are(column: list[int]) -> None:
    given_numbers, entries = np.array(column, dtype=np.int32), pl.Series(["a", "b", "c"])
    numbers, left = by_appearance(given_numbers, entries)
    assert numbers is given_numbers
    assert left is entries


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 4))
def test_occurrences_are_counted_in_blocks_of_any_size(column: list[int], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbering, "BLOCK", block)
        counts = occurrences(np.array(column, dtype=np.int32), 12)
    assert counts.tolist() == [column.count(number) for number in range(13)]
