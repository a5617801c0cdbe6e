"""Repeated and simultaneous events are counted, reported if frequent, and can be removed."""

import random
from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.checks import repetition as counting
from sasrec.data.checks.repetition import repetition
from sasrec.data.corpus import build_corpus
from sasrec.data.description.facts import describe_facts
from sasrec.data.interactions import from_frame
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

NAMES = ["user_id", "item_id", "timestamp"]


def corpus(events, **settings):
    frame = pl.DataFrame(events, schema=NAMES[: len(events[0])], orient="row")
    return load_corpus(frame, DataSettings(**settings))


def kinds(events, **settings):
    return {remark.kind: remark.count for remark in corpus(events, **settings).remarks}


def noise(users=60, events=10):
    chance = random.Random(5)
    rows = []
    for user in range(users):
        time = 1_700_000_000
        for _ in range(events):
            time += chance.randrange(100, 9999)
            rows.append((f"u{user}", f"{chance.randrange(200):03d}", time))
    return rows


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("wxy"), st.integers(0, 3).map(float)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([1, 4, counting.BLOCK]),
)
def test_counts_equal_those_of_a_plain_implementation(events, block):
    frame = pl.DataFrame(events, schema=["user", "item", "time"], orient="row")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "BLOCK", block)
        found = repetition(build_corpus(from_frame(frame, time="time"), "few").sequences)
    pairs = Counter(event[:2] for event in events)
    assert found.exact == len(events) - len(set(events))
    assert found.repeats == len(set(events)) - len(pairs)
    consecutive, simultaneous = 0, 0
    for user in "ab":
        own = sorted((event for event in events if event[0] == user), key=lambda event: event[2])
        consecutive += sum(a[1] == b[1] and a[2] < b[2] for a, b in pairwise(own))
        tied = [a[2] == b[2] and a[1] != b[1] for a, b in pairwise(own)]
        simultaneous += sum(a or b for a, b in pairwise([False, *tied, False])) if own else 0
    assert (found.consecutive, found.simultaneous) == (consecutive, simultaneous)


def test_duplicate_rows_are_reported_and_can_be_removed():
    rows = noise()
    assert kinds(rows) == {}
    assert kinds(rows + rows) == {"exact_duplicates": 600}
    [remark] = corpus(rows + rows).remarks
    assert "600 of 1,200 events have the same user, item and time as another" in remark.text
    assert "duplicates=exact" in remark.text
    mended = corpus(rows + rows, duplicates="exact")
    assert [each.text for each in mended.remarks] == [
        "duplicates=exact removed 600 of 1,200 events (50.0%)"
    ]
    assert mended.sequences.fingerprint() == corpus(rows).sequences.fingerprint()


def test_an_item_bought_again_is_not_a_duplicate():
    rows = [(user, item, time) for user, item, time in noise() for time in (time, time + 50)]
    assert kinds(rows) == {"consecutive_repeats": 602}
    assert corpus(rows, duplicates="exact").sequences.n_events == 1200
    collapsed = corpus(rows, duplicates="consecutive")
    assert [(each.kind, each.count) for each in collapsed.remarks] == [
        ("removed_by_duplicates", 602)
    ]
    assert (
        collapsed.sequences.n_events == corpus(noise(), duplicates="consecutive").sequences.n_events
    )


def test_runs_are_collapsed_in_the_order_of_time_not_of_rows():
    rows = [
        ("a", "x", 3),
        ("b", "x", 1),
        ("a", "x", 1),
        ("a", "y", 2),
        ("b", "x", 2),
        ("a", "y", 4),
    ]
    found = corpus(rows, duplicates="consecutive")
    spelled = [found.items.tokens([item])[0] for item in found.sequences.items]
    assert spelled == ["x", "y", "x", "y", "x"]
    without = corpus([row[:2] for row in rows], duplicates="consecutive")
    assert without.sequences.lengths().tolist() == [2, 1]


def test_exact_duplicates_need_times():
    with pytest.raises(DataError, match="duplicates=exact needs times"):
        corpus([row[:2] for row in noise()], duplicates="exact")


def test_a_file_without_times_and_all_rows_twice_is_reported():
    rows = [row[:2] for row in noise()]
    assert set(kinds(rows)) == {"no_times"}
    assert kinds(rows + rows)["doubled_histories"] == 60
    assert kinds([row for row in rows for _ in range(2)])["consecutive_repeats"] == 602


def test_simultaneous_events_in_the_order_of_their_items_are_reported():
    rows = [(user, item, "2024-05-31") for user, item, _ in noise()]
    assert "all 600 events have the same time" in corpus(rows).remarks[-1].text
    assert set(kinds(rows)) == {"simultaneous_events"} | set(kinds(rows)) & {"exact_duplicates"}
    for found in (sorted(rows), sorted(rows, reverse=True), sorted(rows, key=lambda row: row[1])):
        assert "ties_sorted_by_item" in kinds(found)
        assert "simultaneous_events" not in kinds(found)


def test_items_that_are_numbers_are_compared_as_numbers():
    rows = [(f"u{user}", str(item), user) for user in range(30) for item in range(7, 13)]
    assert "ties_sorted_by_item" in kinds(rows)


def test_a_file_grouped_by_item_counts_as_sorted_by_item():
    names = {item: f"{random.Random(item).random()}" for item in range(10)}
    rows = [(f"u{user}", names[item], 5) for item in range(10) for user in range(40)]
    assert "ties_sorted_by_item" in kinds(rows)


def test_a_few_simultaneous_events_cause_no_remark():
    rows = [(user, item, time // 5_000) for user, item, time in noise()]
    found = corpus(rows, duplicates="exact")
    assert found.remarks == ()
    assert 0 < repetition(found.sequences).simultaneous < 600


def test_a_description_contains_the_counts():
    facts = describe_facts(corpus(noise() + noise()))
    assert facts["exact_duplicates"] == 600
    assert facts["simultaneous_events"] == 0
    assert describe_facts(corpus([row[:2] for row in noise()]))["exact_duplicates"] is None


def test_a_history_longer_than_a_block_is_counted(monkeypatch):
    monkeypatch.setattr(counting, "BLOCK", 8)
    rows = [("u", str(n % 5), n) for n in range(100)] + [("v", "1", 1), ("v", "1", 1)]
    found = repetition(corpus(rows).sequences)
    assert (found.repeats, found.exact, found.doubled) == (95, 1, 1)
    assert found.tied.dtype == np.int64
