"""Events are sorted by user and time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data import ordering


@given(
    st.lists(
        st.tuples(
            st.integers(1, 4),
            st.one_of(
                st.integers(-3, 3).map(float),
                st.floats(-1e300, 1e300),
                st.integers(2**60, 2**60 + 2**12).map(float),
            ),
        ),
        max_size=40,
    ),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([1, 5, ordering.BLOCK]),
)
def test_events_are_ordered_as_by_two_keys(events, kind, block):
    users = np.unique([user for user, _ in events], return_inverse=True)[1].astype(np.int32) + 1
    with np.errstate(over="ignore"):
        times = np.array([time for _, time in events]).astype(kind)
    times = np.nan_to_num(times)
    offsets = np.concatenate(([0], np.cumsum(np.unique(users, return_counts=True)[1])))
    expected = np.lexsort((times, users))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "BLOCK", block)
        by_time = ordering.by_user_then_time(users, offsets, times)
        as_they_stand = ordering.by_user_then_time(users, offsets, None)
    assert by_time.tolist() == expected.tolist()
    assert as_they_stand.tolist() == np.argsort(users, kind="stable").tolist()
