"""Conditions over item columns, parsed as SQL and never executed as Python."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.errors import SettingsError
from sasrec.recommender.rules.expressions import amounts, condition

ITEMS = pl.DataFrame(
    {
        "stock": [0, 3, None, 5],
        "category": ["tea", "gift cards", "tea", None],
        "price": [1.5, 2.0, 3.0, 100.0],
        "tags": [["a", "b"], [], None, ["b"]],
        "adult": [True, False, False, None],
        "released": pl.Series(["2020-01-01", "2021-06-01", None, "2024-01-01"]).str.to_date(),
        "shelf life": [1, 2, 3, 4],
    }
)


@pytest.mark.parametrize(
    ("text", "expected", "unknown"),
    [
        ("stock > 0 and category != 'gift cards'", [False, False, False, False], 2),
        ("stock > 0 or price >= 3", [False, True, True, True], 0),
        ("stock == 3", [False, True, False, False], 1),
        ("category in ('tea', 'coffee')", [True, False, True, False], 1),
        ("category not in ('tea')", [False, True, False, False], 1),
        ("category is null", [False, False, False, True], 0),
        ("coalesce(stock, 0) = 0", [True, False, True, False], 0),
        ("category like 'gift%'", [False, True, False, False], 1),
        ("category like 'absent'", [False, False, False, False], 1),
        ("category not like 'it''s absent'", [True, True, True, False], 1),
        ("array_contains(tags, 'b')", [True, False, False, True], 1),
        ("adult", [True, False, False, False], 1),
        ("not adult", [False, True, True, False], 1),
        ("released >= date '2021-01-01'", [False, True, False, True], 1),
        ("price between 2 and 3", [False, True, True, False], 0),
        ('"shelf life" > 2', [False, False, True, True], 0),
        ("lower(category) = 'tea'", [True, False, True, False], 1),
        ("case when adult then price else 0 end > 1", [True, False, False, False], 0),
        ("true", [True, True, True, True], 0),
    ],
)
def test_conditions_have_the_meaning_of_sql(text: str, expected: list[bool], unknown: int) -> None:
    met, missing = condition(text, ITEMS, "only_where")
    assert (met.tolist(), missing) == (expected, unknown)


def test_amounts_are_numbers_of_each_item() -> None:
    assert amounts("2", ITEMS, "boost").tolist() == [2.0] * 4
    assert amounts("price * 0.5 + 1", ITEMS, "boost").tolist() == [1.75, 2.0, 2.5, 51.0]
    with pytest.raises(SettingsError, match="gives text, not numbers"):
        amounts("category", ITEMS, "boost")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stok > 0", r"no item column 'stok'; did you mean 'stock'\? \(columns: stock, "),
        ('category = "tea"', "write texts in single quotation marks: 'tea'"),
        ("category > 3", "does not fit the types of its values .*: category holds text; write"),
        ("stock > 'many'", "stock holds whole numbers"),
        ("released > '2021-01-01'", "released holds dates; write .* dates as date '2026-11-29'"),
        (
            "category = 'gift card'",
            r"no item has category = 'gift card'; did you mean 'gift cards'",
        ),
        ("'teas' != category", r"no item has category = 'teas'; did you mean 'tea'"),
        ("price", "gives numbers, not true or false; compare it"),
        ("stock >", "is not an expression"),
        ("", "is not an expression"),
        ("stock > 0; drop table items", "is not an expression"),
        ("select 1", "is not an expression"),
        ("(select 1) = 1", "uses something other than the values of one item"),
        ("category in (select category)", "something other|no item column|is not an expression"),
        ("exists (select 1)", "something other than the values of one item"),
        ("sum(stock) > 1", "something other than the values of one item"),
        ("price > avg(price)", "something other than the values of one item"),
        ("row_number() over () > 1", "something other than the values of one item"),
        ("count(*) > 1", "something other than the values of one item"),
        ("read_csv('/etc/passwd')", "is not an expression .*unsupported function"),
        ("__import__('os').system('true')", "is not an expression"),
        ("columns('.*')", "something other than the values of one item"),
        ("*", "is not an expression"),
        ("(" * 4000 + "stock" + ")" * 4000, "is not an expression"),
        ("stock > 0 and " * 1000 + "stock > 0", "more than 10,000 characters"),
    ],
)
def test_what_is_no_condition_over_known_columns_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        condition(text, ITEMS, "only_where")


@given(st.text(max_size=40) | st.text("stockprie<>=()'\"* ,;-+0123andor[]{}:~%_/", max_size=40))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        met, missing = condition(text, ITEMS, "only_where")
    except SettingsError:
        return
    assert len(met) == ITEMS.height
    assert 0 <= missing <= ITEMS.height


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=20),
    st.integers(-5, 5),
    st.sampled_from(["<", "<=", "=", "!=", ">", ">="]),
)
def test_a_condition_depends_on_its_own_item_only(
    stock: list[int | None], limit: int, operator: str
) -> None:
    frame = pl.DataFrame({"stock": pl.Series(stock, dtype=pl.Int64)})
    whole, _ = condition(f"stock {operator} {limit}", frame, "only_where")
    alone = [condition(f"stock {operator} {limit}", row, "w")[0][0] for row in frame.iter_slices(1)]
    assert whole.tolist() == alone
