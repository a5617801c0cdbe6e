from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.corpus import build_corpus
from sasrec.data.interactions import from_frame


def corpus(events):
    columns = ["user", "item", "time"][: len(events[0])]
    frame = pl.DataFrame(events, schema=columns, orient="row")
    return build_corpus(from_frame(frame, time="time" if len(columns) == 3 else None), "few")


def histories(built):
    bounds = built.sequences.offsets
    return {
        user: built.items.tokens(built.sequences.items[bounds[row] : bounds[row + 1]])
        for row, user in enumerate(built.users.entries)
    }


def test_events_of_two_users_are_stored_one_after_the_other():
    built = corpus([("a", "3"), ("b", "2"), ("a", "1"), ("a", "2"), ("b", "3")])
    assert histories(built) == {"a": ["3", "1", "2"], "b": ["2", "3"]}
    assert built.sequences.offsets.tolist() == [0, 3, 5]
    assert built.sequences.lengths().tolist() == [3, 2]
    assert (built.sequences.n_users, built.sequences.n_events) == (2, 5)
    assert built.sequences.times is None


def test_events_are_sorted_by_time():
    built = corpus([("a", "x", 3.0), ("a", "y", 1.0), ("a", "z", 2.0)])
    assert histories(built) == {"a": ["y", "z", "x"]}
    assert built.sequences.times.tolist() == [1.0, 2.0, 3.0]


def test_ties_in_time_keep_file_order():
    events = [(user, f"i{number}", 5.0) for number in range(20_000, 0, -1) for user in "ab"]
    in_order = [item for user, item, _ in events if user == "a"]
    assert histories(corpus(events)) == {"a": in_order, "b": in_order}


def test_tokens_007_and_7_differ():
    built = corpus([("7", "007"), ("007", "7"), ("7", "7")])
    assert histories(built) == {"7": ["007", "7"], "007": ["7"]}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("wxyz"), st.integers(0, 4).map(float)),
        min_size=1,
        max_size=40,
    )
)
def test_each_history_is_the_users_events_in_stable_time_order(events):
    expected = {user: [] for user, _, _ in events}
    for user, item, _ in sorted(events, key=lambda event: event[2]):
        expected[user].append(item)
    assert histories(corpus(events)) == expected


def test_a_fingerprint_changes_with_items_owners_and_times():
    base = corpus([("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 3.0)]).sequences
    changed = [
        replace(base, items=base.items[::-1].copy() + 1),
        replace(base, offsets=np.array([0, 1, 3])),
        replace(base, times=base.times + 1),
        replace(base, times=None),
    ]
    prints = {sequences.fingerprint() for sequences in [base, *changed]}
    assert len(prints) == 5
    assert replace(base, items=base.items.copy()).fingerprint() == base.fingerprint()
    assert len(base.fingerprint()) == 16
