import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.corpus import build_corpus
from sasrec.data.interactions import from_frame
from sasrec.data.make_split import make_split
from sasrec.data.sequences import Sequences
from sasrec.data.splits import leave_one_out, ratio_counts, split_by_counts
from sasrec.data.time_splits import global_ratio_counts, recbole_time_counts, split_by_time
from sasrec.errors import DataError
from sasrec.settings.evaluation import EvaluationSettings


def sequences(lengths):
    items = np.arange(1, sum(lengths) + 1, dtype=np.int32)
    return Sequences(items, None, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))


def parts(lengths):
    """Return each user's training items, validation target and test target."""
    split = leave_one_out(sequences(lengths))
    items, first = split.sequences.items, split.sequences.offsets[:-1]
    validation = dict(zip(split.validation.users, items[split.validation.stops], strict=True))
    test = dict(zip(split.test.users, items[split.test.stops], strict=True))
    return [
        (items[begin:stop].tolist(), validation.get(user), test.get(user))
        for user, (begin, stop) in enumerate(zip(first, split.train_stops, strict=True), start=1)
    ]


def test_short_histories_get_a_test_target_before_a_validation_target():
    assert parts([1, 2, 3, 4, 5]) == [
        ([1], None, None),
        ([2, 3], None, None),
        ([4, 5], None, 6),
        ([7, 8], 9, 10),
        ([11, 12, 13], 14, 15),
    ]


def test_training_items_are_those_before_each_users_targets():
    split = leave_one_out(sequences([1, 2, 3, 4, 5]))
    assert split.train_items().tolist() == [1, 2, 3, 4, 5, 7, 8, 11, 12, 13]
    assert split.n_targets == 0 + 1 + 1 + 1 + 2
    assert (len(split.validation), len(split.test)) == (2, 3)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12).filter(lambda some: max(some) > 2))
def test_every_event_is_used_once(lengths):
    used = [
        item
        for train, *targets in parts(lengths)
        for item in [*train, *(target for target in targets if target is not None)]
    ]
    assert sorted(used) == list(range(1, sum(lengths) + 1))


def test_without_three_events_there_is_nothing_to_test_on():
    with pytest.raises(DataError, match=r"at least 3 events \(the longest history has 2 events\)"):
        leave_one_out(sequences([1, 2, 2]))


def few(names, times):
    """Return a corpus of users with events at some times."""
    events = [
        (f"{name}{number}", f"i{place}", float(time))
        for number, (name, each) in enumerate(zip(names, times, strict=True))
        for place, time in enumerate(each)
    ]
    frame = pl.DataFrame(events, schema=["user", "item", "time"], orient="row")
    return build_corpus(from_frame(frame, time="time"), "few")


def timed(lengths, times):
    some = sequences(lengths)
    return Sequences(some.items, np.array(times, dtype=np.float64), some.offsets)


@pytest.mark.parametrize(("leave_out", "expected"), [("valid_only", (2, 0)), ("test_only", (0, 2))])
def test_only_validation_or_only_test_targets_may_be_left_out(leave_out, expected):
    split = leave_one_out(sequences([2, 3, 5]), leave_out)
    assert (len(split.validation), len(split.test)) == expected
    assert split.n_targets == 1 + 1 + 3


def test_shares_are_rounded_down_but_not_to_zero():
    # Targets 0, 1, 2, 3, 10, 25; RecBole gives a part with a share above zero at least one, the
    # last part first, as long as training keeps more than one.
    counts = ratio_counts(sequences([1, 2, 3, 4, 11, 26]), (0.8, 0.1, 0.1))
    assert counts.tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [1, 0, 1],
        [1, 1, 1],
        [8, 1, 1],
        [21, 2, 2],
    ]


def test_shares_of_all_targets_are_split_by_time():
    some = timed([3, 3], [0, 1, 4, 0, 2, 3])
    assert global_ratio_counts(some, (0.5, 0.25, 0.25)).tolist() == [[1, 0, 1], [1, 1, 0]]


def test_targets_after_the_quantile_are_for_the_test():
    some = timed([4, 4], [0, 1, 2, 9, 0, 1, 2, 3])
    # Times of targets 1 2 9 1 2 3; the quantile at 0.8 is 3.
    assert recbole_time_counts(some, (0.4, 0.4, 0.2)).tolist() == [[1, 1, 1], [1, 2, 0]]


def test_a_split_by_time_needs_times():
    for counts in (recbole_time_counts, split_by_time, global_ratio_counts):
        with pytest.raises(DataError, match="a split by time needs times"):
            counts(sequences([3]), (0.8, 0.1, 0.1))


def test_a_split_by_time_gives_the_requested_shares_in_order_of_time():
    # Sessions of three events, one after the other: two targets each.
    times = [10 * session + step for session in range(100) for step in range(3)]
    some = timed([3] * 100, times)
    split = split_by_time(some, (0.8, 0.1, 0.1))
    assert (split.n_targets, len(split.validation), len(split.test)) == (160, 20, 20)
    trained = [
        some.times[start:stop]
        for start, stop in zip(split.train_starts, split.train_stops, strict=True)
    ]
    assert np.concatenate(trained).max() < some.times[split.validation.stops].min()
    assert some.times[split.validation.stops].max() < some.times[split.test.stops].min()
    # First events of later sessions are not training events, except one before the first target.
    assert len(split.train_items()) == 240 + 1
    assert split.remarks == ()


@given(
    st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=6), min_size=1, max_size=8),
    st.tuples(st.integers(1, 8), st.integers(0, 3), st.integers(1, 3)),
)
def test_no_validation_target_is_earlier_than_training_or_later_than_the_test(users, ratios):
    some = timed(list(map(len, users)), [time for each in users for time in sorted(each)])
    try:
        split = split_by_time(some, ratios)
    except DataError:
        return
    spans = zip(split.train_starts, split.train_stops, strict=True)
    trained = np.concatenate([some.times[start:stop] for start, stop in spans])
    later = [some.times[split.validation.stops], some.times[split.test.stops]]
    assert split.n_targets + len(later[0]) + len(later[1]) == sum(map(len, users)) - len(users)
    for first, second in itertools.combinations([trained, *later], 2):
        assert not len(first) or not len(second) or first.max() < second.min()


def test_events_at_the_same_time_stay_together_and_shares_are_reported(caplog):
    corpus = few(["ab"] * 2, [[1, 2, 2, 2, 3], [1, 2, 2, 2, 4]])
    split = make_split(corpus, EvaluationSettings(split="time", ratios=(0.5, 0.25, 0.25)))
    assert (split.n_targets, len(split.validation), len(split.test)) == (6, 0, 2)
    [remark] = split.remarks
    assert (remark.kind, remark.count) == ("shares", 2)
    assert "split 0.75/0.00/0.25 into training, validation and test" in remark.text
    assert "test instead of 0.50/0.25/0.25: targets with the same time stay" in caplog.text


@pytest.mark.parametrize(
    ("settings", "obtained"),
    [
        ({"split": "ratio"}, "0.50/0.00/0.50"),
        ({"split": "recbole_time"}, "0.45/0.45/0.10"),
        ({"split": "ratio", "ratio_by": "all"}, None),
        ({"split": "time"}, None),
        ({}, None),
    ],
)
def test_shares_of_short_sessions_are_as_requested_or_reported(settings, obtained):
    times = [[10 * session + step for step in range(3)] for session in range(100)]
    split = make_split(few(["u"] * 100, times), EvaluationSettings(**settings))
    assert [obtained in remark.text for remark in split.remarks] == ([True] if obtained else [])


def test_equal_times_cannot_be_split_by_time():
    with pytest.raises(DataError, match="all events have the same time, so they cannot be split"):
        split_by_time(timed([3, 3], [5] * 6), (0.8, 0.1, 0.1))


@pytest.mark.parametrize(
    ("counts", "text"),
    [([[0, 1, 1]], "no target to train on"), ([[2, 0, 0]], "no target to validate or test on")],
)
def test_a_split_without_a_part_is_refused(counts, text):
    with pytest.raises(DataError, match=text):
        split_by_counts(sequences([3]), np.array(counts))


@given(st.lists(st.integers(1, 30), min_size=1), st.tuples(*[st.integers(0, 5)] * 3).filter(sum))
def test_splitting_by_shares_loses_no_targets(lengths, ratios):
    counts = ratio_counts(sequences(lengths), ratios)
    assert (counts >= 0).all()
    assert (counts.sum(1) == np.array(lengths) - 1).all()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ratios": (0.5, 0.25, 0.25)}, "ratios has no effect on split=leave_one_out"),
        ({"split": "ratio", "leave_out": "test_only"}, "leave_out has no effect on split=ratio"),
    ],
)
def test_settings_without_effect_on_a_split_are_reported(settings, text):
    frame = pl.DataFrame({"user": ["a"] * 30, "item": ["x"] * 30, "time": range(30)})
    corpus = build_corpus(from_frame(frame, time="time"), "d")
    split = make_split(corpus, EvaluationSettings(**settings))
    assert text in [remark.text for remark in split.remarks]


def test_a_split_of_all_targets_does_not_recommend_itself():
    frame = pl.DataFrame({"user": ["a"] * 50, "item": ["x"] * 50, "time": range(50)})
    corpus = build_corpus(from_frame(frame, time="time"), "d")
    split = make_split(corpus, EvaluationSettings(split="ratio", ratio_by="all"))
    [remark] = split.remarks
    assert remark.text.endswith("parts are rounded down to whole targets, but not to zero")
