import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.sequences import Sequences
from sasrec.data.splits import leave_one_out
from sasrec.errors import DataError


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


def test_short_histories_give_the_test_first_then_validation():
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
    with pytest.raises(DataError, match=r"no user has three events \(the longest history has 2\)"):
        leave_one_out(sequences([1, 2, 2]))
