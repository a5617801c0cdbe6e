"""Conditions mean the same as to ``sasrec``, which lets Polars compute them."""

import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.errors import SettingsError as OwnError
from sasrec.recommender.rules import expressions as own
from sasrec_serve.errors import SettingsError
from sasrec_serve.rules.expressions import ItemTable, Written, amounts, condition
from sasrec_serve.rules.parsing import FOREIGN, OWN, Bounds
from sasrec_serve.rules.recognised import from_python
from sasrec_serve.rules.texts import folded, matcher

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


def table_of(frame: pl.DataFrame) -> ItemTable:
    columns = {column.name: from_python(column.to_list()) for column in frame}
    return ItemTable(frame.height, {name: each for name, each in columns.items() if each})


TABLE = table_of(ITEMS)


def met(text: str, table: ItemTable = TABLE, bounds: Bounds = OWN) -> tuple[list[bool], int]:
    found, missing = condition(Written(text, "only_where", bounds), table)
    return found.tolist(), missing


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
        ("category ilike 'GIFT_cards'", [False, True, False, False], 1),
        ("category not like 'absent'", [True, True, True, False], 1),
        ("array_contains(tags, 'b')", [True, False, False, True], 1),
        ("adult", [True, False, False, False], 1),
        ("not adult", [False, True, True, False], 1),
        ("adult is true", [True, False, False, False], 1),
        ("released >= date '2021-01-01'", [False, True, False, True], 1),
        ("released < timestamp '2020-01-01 00:00:01'", [True, False, False, False], 1),
        ("price between 2 and 3", [False, True, True, False], 0),
        ('"shelf life" > 2', [False, False, True, True], 0),
        ("lower(category) = 'tea'", [True, False, True, False], 1),
        ("upper(category) = 'TEA'", [True, False, True, False], 1),
        ("case when adult then price else 0 end > 1", [True, False, False, False], 0),
        ("case category when 'tea' then 1 end = 1", [True, False, True, False], 2),
        ("stock % 2 = 1", [False, True, False, True], 1),
        ("1 / stock > 0", [False, True, False, True], 2),
        ("0.1 / stock > 0", [False, True, False, True], 2),
        ("nullif(stock, 0) is null", [True, False, True, False], 0),
        ("true", [True, True, True, True], 0),
    ],
)
def test_conditions_have_the_meaning_of_sql(text: str, expected: list[bool], unknown: int) -> None:
    assert met(text) == (expected, unknown)


def test_amounts_are_numbers_of_each_item() -> None:
    def of(text: str) -> list[float]:
        return amounts(Written(text, "boost"), TABLE).tolist()

    assert of("2") == [2.0] * 4
    assert of("price * 0.5 + 1") == [1.75, 2.0, 2.5, 51.0]
    assert of("0.1 + 0.2") == [0.3] * 4  # decimals, as in SQL
    with pytest.raises(SettingsError, match="gives text, not numbers"):
        of("category")
    with pytest.raises(SettingsError, match=r"division by zero; write nullif\(DIVISOR, 0\)"):
        of("0.1 / stock")


REFUSED = "something other than the values of one item"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stok > 0", r"no item column 'stok'; did you mean 'stock'\? \(columns: stock, "),
        ('category = "tea"', "write texts in single quotation marks: 'tea'"),
        ("category > 3", "does not fit the types of its values .*: category holds text; write"),
        ("stock > 'many'", "stock holds whole numbers"),
        ("released > '2021-01-01'", "released holds dates; write .* dates as date '2026-11-29'"),
        ("released > date '2021-02-30'", "'2021-02-30' is no date; write such as '2026-11-29'"),
        (
            "category = 'gift card'",
            r"no item has category = 'gift card'; did you mean 'gift cards'",
        ),
        ("'teas' != category", r"no item has category = 'teas'; did you mean 'tea'"),
        ("category in ('tea', 'gift card')", "no item has category = 'gift card'"),
        ("category in ('a', 'b')", r"no item has category = 'a' \(there are: gift cards, tea\)"),
        ("case category when 'te' then 1 end = 1", "no item has category = 'te'; did you mean"),
        ("category > '1/2/2024'", "compared with the date '1/2/2024' letter by letter"),
        ("price", "gives numbers, not true or false; compare it"),
        ("stock >", "is not an expression"),
        ("", "is not an expression"),
        ("stock > 0; drop table items", "is not an expression"),
        ("select 1", "is not an expression"),
        ("(select 1) = 1", rf"{REFUSED} \(subquery\); use columns"),
        ("category in (select category)", REFUSED),
        ("exists (select 1)", REFUSED),
        ("sum(stock) > 1", rf"{REFUSED} \(sum\)"),
        ("price > avg(price)", REFUSED),
        ("row_number() over () > 1", REFUSED),
        ("count(*) > 1", REFUSED),
        ("read_csv('/etc/passwd')", REFUSED),
        ("__import__('os').system('true')", REFUSED),
        ("columns('.*')", REFUSED),
        ("*", REFUSED),
        ("stock.price > 1", rf"{REFUSED} \(a name with a point\)"),
        ("cast(stock as text) = '3'", rf"{REFUSED} \(cast\)"),
        ("category like stock", REFUSED),
        ("adult is not true", "has 'is not true', which does not hold here where the value is"),
        ("stock = 3 is null", "compares the result of a comparison at 'is'; write parentheses"),
        ("(" * 21 + "stock" + ")" * 21 + " > 1", "more than 20 parentheses or operators inside"),
        ("(" * 4000 + "stock" + ")" * 4000, "more than"),
        ("not " * 2000 + "adult", "more than 20"),
        ("stock > 0 and " * 1000 + "stock > 0", "more than 10,000 characters"),
        ("- " * 4000 + "stock > 0", "more than"),
    ],
)
def test_what_is_no_condition_over_known_columns_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        met(text)


@given(
    st.text(max_size=60)
    | st.text("stockprie<>=()'\"* ,;-+0123andor[]{}:~%_/", max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "(",
                ")",
                ",",
                ".",
                "=",
                "<",
                ">",
                "!=",
                "+",
                "-",
                "*",
                "/",
                "%",
                "and",
                "or",
                "not",
                "in",
                "is",
                "null",
                "between",
                "like",
                "case",
                "when",
                "then",
                "else",
                "end",
                "'a'",
                "1",
                "0.5",
                "1e9",
                "stock",
                "category",
                "price",
                "adult",
                "tags",
                "released",
                "date",
                "select",
                "from",
                "over",
                "as",
                "coalesce(",
                "array_contains(",
                "cast(",
                "interval",
                "[",
                "]",
                "{",
                "}",
                "->",
                "::",
                ":=",
                "@",
                "$",
                "?",
                "exists",
                "distinct",
                "'%a%a%a%a%a%'",
                "true",
            ]
        ),
        max_size=25,
    ).map(" ".join)
)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        found, missing = met(text, bounds=FOREIGN)
    except SettingsError:
        return
    assert len(found) == ITEMS.height
    assert 0 <= missing <= ITEMS.height


@pytest.mark.parametrize(
    "text",
    [
        "category -> '$[x' = 'a'",
        "json_extract(category, '$[') = 'a'",
        "category::int > 1",
        "{a: 1}",
    ],
)
def test_the_parser_logs_nothing(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SettingsError, match=REFUSED):
        met(text)
    assert not caplog.records


def test_requests_have_narrower_bounds() -> None:
    with pytest.raises(SettingsError, match="more than 1,000 characters"):
        met("stock > 0 and " * 100 + "true", bounds=FOREIGN)
    with pytest.raises(SettingsError, match="more than 200 words"):
        met("1+" * 120 + "1 > 0", bounds=FOREIGN)


def test_patterns_that_take_exponential_time_elsewhere_are_quick() -> None:
    table = ItemTable(1, {"title": from_python(["a" * 2_000])})  # type: ignore[dict-item]
    started = time.perf_counter()
    assert met("title like '" + "%a" * 300 + "%b'", table) == ([False], 0)
    assert met("title ilike '" + "%_a" * 300 + "%A%b%'", table) == ([False], 0)
    assert time.perf_counter() - started < 5


# Random expressions over all types of columns, against the ones of ``sasrec``.

COLUMNS = pl.DataFrame(
    {
        "i": [0, 3, None, 5, -7, 3],
        "j": [2, 0, 3, None, 2, 3],
        "f": [1.5, None, 0.0, float("nan"), -2.5, 3.0],
        "s": ["tea", "Tea", None, "", "gift cards", "x"],
        "t": ["tea", "x", "b", None, "gift", "b"],
        "b": [True, False, None, True, False, True],
        "c": [True, None, False, False, True, None],
        "d": pl.Series(
            ["2020-01-01", "2021-06-01", None, "2024-01-01", "1969-12-31", "2020-01-02"]
        ).str.to_date(),
        "m": pl.Series(
            [
                *("2020-01-01 00:00:00", "2021-06-01 12:00:00", None, "2024-01-01 00:00:01"),
                *("1969-12-31 10:00:00", "2020-01-01 00:00:00"),
            ]
        ).str.to_datetime(time_unit="us"),
        "l": [["a", "b"], [], None, ["b"], ["tea", "a"], ["tea"]],
    }
)
DERIVED = table_of(COLUMNS)

moments = st.sampled_from(["d", "m", "date '2020-01-01'", "timestamp '2021-06-01 12:00:00'"])
texts = st.sampled_from(["s", "t", "'tea'", "lower(s)", "upper(t)", "coalesce(s, t)"])
literals = st.sampled_from(["0", "1", "3", "2.5", "0.1", "1e0", "3.0", "-7"])


def numbers_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from("+-*/%"), inner)
    return (
        pairs.map(lambda p: f"({p[0]} {p[1]} {p[2]})")
        | inner.map(lambda n: f"(- {n})")
        | st.tuples(inner, inner).map(lambda p: f"coalesce({p[0]}, {p[1]})")
        | st.tuples(inner, inner).map(lambda p: f"nullif({p[0]}, {p[1]})")
        | st.tuples(flags, inner, inner).map(
            lambda p: f"case when {p[0]} then {p[1]} else {p[2]} end"
        )
        | st.tuples(flags, inner).map(lambda p: f"case when {p[0]} then {p[1]} end")
        | st.tuples(inner, inner).map(lambda p: f"{p[0]} * {p[1]} + 1")
    )


def flags_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.tuples(inner, inner).map(lambda p: f"{p[0]} and {p[1]}")
        | st.tuples(inner, inner).map(lambda p: f"({p[0]} or {p[1]})")
        | inner.map(lambda f: f"not ({f})")
        | st.tuples(inner, inner).map(lambda p: f"({p[0]}) = ({p[1]})")
        | inner.map(lambda f: f"({f}) is null")
        | inner.map(lambda f: f"coalesce({f}, false)")
    )


signs = st.sampled_from(["<", "<=", "=", "!=", "<>", ">", ">="])
flags: st.SearchStrategy[str] = st.deferred(
    lambda: st.recursive(
        st.sampled_from(["b", "c", "true", "null = 1"])
        | st.tuples(numbers, signs, numbers).map(" ".join)
        | st.tuples(texts, signs, texts).map(" ".join)
        | st.tuples(moments, signs, moments).map(" ".join)
        | st.tuples(numbers, numbers, numbers).map(lambda p: f"{p[0]} in ({p[1]}, {p[2]})")
        | st.tuples(numbers, numbers).map(lambda p: f"{p[0]} not in ({p[1]}, null)")
        | st.tuples(numbers, numbers, numbers).map(lambda p: f"{p[0]} between {p[1]} and {p[2]}")
        | st.tuples(texts, st.text("teaTx_% ", max_size=5)).map(lambda p: f"{p[0]} like '%{p[1]}'")
        | st.tuples(texts, st.text("teaTx_% ", max_size=5)).map(lambda p: f"{p[0]} ilike '{p[1]}%'")
        | st.sampled_from(["s in ('tea', 'x')", "s not in (t, 'tea')", "array_contains(l, 'a')"])
        | st.sampled_from(["array_contains(l, 'zz')", "l is not null"]),
        flags_of,
        max_leaves=4,
    )
)
numbers: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["i", "j", "f"]) | literals, numbers_of, max_leaves=4
)


STRICTER = ("inside each other", "division by zero")
"""What is refused here only: depths that ``sqlglot`` cannot read, and quotients of decimals that no
value depends on, which Polars does not compute. On the other hand, Polars refuses some types."""


def outcome(function: Any, error: type[Exception]) -> Any:
    try:
        return function()
    except error as found:
        return found


@given(flags)
def test_conditions_are_those_of_sasrec(text: str) -> None:
    expected = outcome(lambda: own.condition(text, COLUMNS, "w"), OwnError)
    found = outcome(lambda: condition(Written(text, "w"), DERIVED), SettingsError)
    if isinstance(expected, Exception) or any(word in str(found) for word in STRICTER):
        return
    assert not isinstance(found, Exception), f"{text}: {found}"
    assert (found[0].tolist(), found[1]) == (expected[0].tolist(), expected[1]), text


@given(numbers)
def test_amounts_are_those_of_sasrec(text: str) -> None:
    expected = outcome(lambda: own.amounts(text, COLUMNS, "w"), OwnError)
    found = outcome(lambda: amounts(Written(text, "w"), DERIVED), SettingsError)
    if isinstance(expected, Exception) or any(word in str(found) for word in STRICTER):
        return
    assert not isinstance(found, Exception), f"{text}: {found}"
    # Decimals of many digits may differ by the last bit of a float.
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)


@given(
    st.text(max_size=6),
    st.lists(st.text("aAbB\u00e9\u00c9\u00df\u0130\u0131\u017fKk\n%_", max_size=8), min_size=1),
)
def test_like_is_that_of_polars(pattern: str, values: list[str]) -> None:
    quoted = pattern.replace("'", "''")
    frame = pl.DataFrame({"s": [*values, "", pattern]})
    table = table_of(frame)
    for word in ("like", "ilike"):
        text = f"s {word} '%{quoted}%'"
        expected = outcome(lambda text=text: own.condition(text, frame, "w"), OwnError)
        if isinstance(expected, Exception):
            continue
        assert met(text, table)[0] == expected[0].tolist(), text


@given(st.text("ab%_", max_size=8), st.text("ab", max_size=10))
def test_patterns_match_what_they_say(pattern: str, text: str) -> None:
    def plainly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "%":
            return any(plainly(pattern[1:], text[n:]) for n in range(len(text) + 1))
        return bool(text) and pattern[0] in ("_", text[0]) and plainly(pattern[1:], text[1:])

    assert matcher(pattern)(text) == plainly(pattern, text)


def test_folding_keeps_the_number_of_characters() -> None:
    letters = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    assert len(folded(letters)) == len(letters)


@pytest.mark.slow
def test_ilike_folds_the_letters_that_polars_folds() -> None:
    letters = [chr(n) for n in [*range(0x20, 0xD800), *range(0xE000, 0x10000)]]
    frame = pl.DataFrame({"s": letters})
    table = table_of(frame)
    changing = [each for each in letters if len({each, each.lower(), each.upper()}) > 1]
    for letter in changing[::3]:
        text = f"s ilike '%{letter}'"
        assert met(text, table)[0] == own.condition(text, frame, "w")[0].tolist(), text
