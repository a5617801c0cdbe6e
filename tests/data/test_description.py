"""The description of a data set: what each cleaning would remove equals what it does remove."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sasrec
from sasrec.data.description.describe import describe
from sasrec.data.removals import share
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.literals import literal

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=60
)


def events(rows: list[tuple[int, int, int]], unit: int = 1) -> pl.DataFrame:
    columns = {
        "user_id": [f"u{row[0]}" for row in rows],
        "item_id": [f"i{row[1]}" for row in rows],
        "timestamp": [1_600_000_000 + unit * row[2] for row in rows],
    }
    return pl.DataFrame(columns)


@given(rows=ROWS, type_column=st.sampled_from([None, "type"]))
def test_each_cleaning_removes_what_the_description_says(
    rows: list[tuple[int, int, int]], type_column: str | None
) -> None:
    frame = events(rows, unit=86_400 * 100)
    frame = frame.with_columns(type=pl.Series([f"t{row[2] % 2}" for row in rows]))
    found = describe(frame, type_column=type_column)
    before = (found.facts["interactions"], found.facts["users"], found.facts["items"])
    for each in found.cleanings[1:]:  # the first counts incomplete rows
        key, _, value = each.setting.partition("=")
        try:
            settings = {"type_column": type_column, key: literal(value)}
            rest = load_corpus(frame, DataSettings(**settings))
        except DataError as error:
            assert "removes all interactions" in str(error)  # noqa: PT017
            assert each.events == before[0], each
            continue
        after = (rest.sequences.n_events, len(rest.users), len(rest.items))
        lost = tuple(a - b for a, b in zip(before, after, strict=True))
        assert (each.events, each.users, each.items) == lost, each


def test_incomplete_rows_are_counted_and_not_refused() -> None:
    frame = events([(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)])
    frame = frame.with_columns(pl.Series("user_id", ["a", None, "b", "b"]))
    found = describe(frame)
    [first, *_] = found.cleanings
    assert (first.setting, first.events, first.of.events) == ("incomplete=drop", 1, 4)
    assert first.in_words() == ("1 (25.0%)", "-", "-")
    assert found.facts["interactions"] == 3


def test_users_with_far_more_events_than_others_may_be_bots() -> None:
    people = [(user, step % 5, step) for user in range(40) for step in range(4)]
    bot = [(99, 7 + step % 3, step) for step in range(200)]
    found = {each.setting: each for each in describe(events(people + bot)).cleanings}
    assert found["max_user_events=50"].in_words() == ("200 (55.6%)", "1 (2.4%)", "3 (42.9%)")


def test_other_columns_are_described_and_may_need_cleaning(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"u{n % 4},i{n % 9},{n},{-1 if n == 3 else n + 1},view,c{n},,7" for n in range(40)]
    rows += ["u9,i1,99,,purchase,c99,,8"]
    head = "user_id,item_id,timestamp,Quantity,event,code,nothing,level\n"
    path.write_text(head + "\n".join(rows) + "\n")
    found = describe(path)
    assert {each.name: each.text for each in found.columns} == {
        "Quantity": "whole numbers from -1 to 40; 1 (2.5%) not above 0; missing in 1 (2.4%)",
        "event": "view (97.6%), purchase (2.4%)",
        "code": "41 different values, such as 'c0'",
        "nothing": "no values",
        "level": "7 (97.6%), 8 (2.4%)",
    }
    last = found.cleanings[-1]
    assert (last.setting, last.events, last.users, last.items) == ("where=Quantity>0", 2, 1, 0)
    rest = load_corpus(path, DataSettings(where="Quantity>0"))
    assert rest.sequences.n_events == 39


def test_an_event_of_another_type_is_no_repetition() -> None:
    frame = events([(0, 0, 0), (0, 0, 1), (0, 1, 2), (0, 1, 2)])
    frame = frame.with_columns(event=pl.Series(["view", "purchase", "view", "view"]))
    found = describe(frame, type_column="event")
    names = ("exact_duplicates", "repeated_items", "consecutive_repeats")
    assert [found.facts[name] for name in names] == [1, 0, 0]
    removed = {each.setting: each.events for each in found.cleanings}
    assert (removed["duplicates=first"], removed["duplicates=consecutive"]) == (1, 1)


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_in_any_unit_are_shown_as_dates(unit: int) -> None:
    frame = events([(0, 0, 0), (0, 1, 1)]).with_columns(pl.col("timestamp") * unit)
    found = describe(frame)
    assert found.facts["first_event"] == found.facts["last_event"] == "2020-09-13 12:26"


def test_filters_apply_before_the_description() -> None:
    frame = events([(0, 0, 0), (0, 0, 0), (0, 1, 1), (1, 1, 2)])
    found = describe(frame, {"duplicates": "exact"}, where="item_id=i0")
    assert found.facts["interactions"] == 1
    kinds = [each["kind"] for each in found.facts["remarks"]]
    assert {"removed_by_where", "removed_by_duplicates"} <= set(kinds)
    assert json.loads(json.dumps(found.as_json()))["cleanings"][1]["setting"] == "duplicates=exact"


@pytest.mark.parametrize("times", [[1, 2, 3], [1.6e9, 1.61e9, 1.7e9], [7, 7, 7], None])
def test_reports_are_written_for_any_times(tmp_path: Path, times: list[float] | None) -> None:
    frame = pl.DataFrame({"user_id": ["<a>", "b", "b"], "item_id": ["x", "x", "$y$"]})
    if times is not None:
        frame = frame.with_columns(pl.Series("timestamp", times))
    found = sasrec.describe(frame, time_column="timestamp" if times else "none")
    for name in ("report.html", "report.png"):
        found.save(tmp_path / name)
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert 'src="' not in page  # works offline
    assert 'href="http' not in page
    assert "duplicates=first" in page
    assert "None" not in page
    assert (tmp_path / "report.png").read_bytes()[:4] == b"\x89PNG"


def test_a_description_is_printed_as_tables_and_shown_as_one_line() -> None:
    frame = events([(0, 0, 0), (0, 0, 0), (0, 1, 1)]).with_columns(shop=pl.lit("A"))
    found = describe(frame)
    lines = str(found).splitlines()
    assert "interactions           3" in lines
    assert any(line.startswith("exact duplicates") and "duplicates=exact" in line for line in lines)
    assert "shop                   A (100.0%)" in lines
    assert lines[-1].startswith("note: 1 of 3 events have the same user, item and time")
    assert repr(found) == "<Description of data frame: 1 user, 2 items, 3 interactions>"


def test_names_in_a_page_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "<b>&.csv"
    path.write_text("user_id,item_id,timestamp\n" + "a,x,1\na,y,2\n")
    describe(path).save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h1>&lt;b&gt;&amp;</h1>" in page
    assert "<b>" not in page


def test_a_report_needs_a_known_name(tmp_path: Path) -> None:
    found = describe(events([(0, 0, 0), (0, 1, 1)]))
    with pytest.raises(SettingsError, match=r"report.pdf: .* ends in .html or .png"):
        found.save(tmp_path / "report.pdf")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        found.save(tmp_path / "folder.png")


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    assert [share(part, 10_000) for part in (0, 1, 5, 2_500, 9_996, 10_000)] == [
        "0.0%",
        "under 0.1%",
        "0.1%",
        "25.0%",
        "over 99.9%",
        "100.0%",
    ]
