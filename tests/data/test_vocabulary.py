from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sasrec.data.values.cleaning import CLEANINGS, cleaned, cleaned_token
from sasrec.data.vocabulary import Vocabulary


def test_tokens_are_numbered_from_one_in_order():
    items = Vocabulary(["pear", "apple"])
    assert items.numbers(["apple", "pear"]).tolist() == [2, 1]
    assert items.numbers([]).dtype == np.int32
    assert len(items) == 2


def test_an_unknown_token_has_number_zero():
    items = Vocabulary(["007"])
    assert items.numbers(["7", "007"]).tolist() == [0, 1]
    assert "7" not in items
    assert "007" in items


@pytest.mark.parametrize("number", [0, -1, 3])
def test_padding_and_numbers_out_of_range_have_no_token(number):
    with pytest.raises(IndexError, match="numbers must be between 1 and 2; 0 is padding"):
        Vocabulary(["a", "b"]).tokens([1, number])


def test_an_empty_list_of_numbers_gives_no_tokens():
    assert Vocabulary(["a"]).tokens([]) == []


def test_a_duplicate_token_is_refused():
    with pytest.raises(ValueError, match="the tokens of a vocabulary must be distinct"):
        Vocabulary(["a", "b", "a"])


@given(
    st.lists(
        st.text(max_size=9) | st.from_regex(r"\A ?-?[0-9]{1,4}(\.0+)? ?\n?\Z"),
        max_size=9,
    )
)
@example(["\U00016ea0"])  # a capital letter only for newer versions of Unicode
def test_a_single_token_is_cleaned_like_a_column(tokens):
    for count in range(len(CLEANINGS) + 1):
        for asked in combinations(CLEANINGS, count):
            column = cleaned(pl.Series(tokens, dtype=pl.String), asked).to_list()
            assert [cleaned_token(token, asked) for token in tokens] == column
