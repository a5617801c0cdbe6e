from collections import Counter
from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.windows import case_windows
from sasrec.data.sequences import Sequences
from sasrec.data.splits import leave_one_out
from sasrec.models.markov import count_transitions
from sasrec.models.popularity import item_counts

N_ITEMS = 6
HISTORIES = st.lists(
    st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=12), min_size=1, max_size=8
).filter(lambda histories: max(map(len, histories)) > 2)


def split_of(histories):
    items = np.array([item for history in histories for item in history], dtype=np.int32)
    offsets = np.concatenate(([0], np.cumsum([len(some) for some in histories], dtype=np.int64)))
    return leave_one_out(Sequences(items, None, offsets))


def training_histories(split):
    items, first = split.sequences.items.tolist(), split.sequences.offsets[:-1]
    return [items[begin:stop] for begin, stop in zip(first, split.train_stops, strict=True)]


def slow_scores(split, last):
    """Count in plain Python."""
    histories = training_histories(split)
    followed = Counter(
        after for history in histories for before, after in pairwise(history) if before == last
    )
    popularity = Counter(item for history in histories for item in history)
    total = sum(popularity.values())
    return [followed[item] + popularity[item] / (total + 1) for item in range(N_ITEMS + 1)]


@given(HISTORIES)
def test_scores_equal_a_count_in_plain_python(histories):
    split = split_of(histories)
    model = count_transitions(split, item_counts(split, N_ITEMS))
    states = torch.arange(1, N_ITEMS + 1)[:, None].double()
    expected = torch.tensor([slow_scores(split, last) for last in range(1, N_ITEMS + 1)])
    # Counts are small whole numbers; the prior rounds in float32.
    assert torch.allclose(model.score(states), expected, rtol=0, atol=1e-6)


def test_the_last_item_is_the_state_and_candidates_can_be_scored():
    split = split_of([[1, 2, 1, 2, 3], [2, 3, 2, 3, 1]])
    model = count_transitions(split, item_counts(split, N_ITEMS))
    batch = Collator(split.sequences).batch(case_windows(split.sequences, split.test, 50))
    hidden = model.encode(batch)[batch.last]
    assert hidden[:, 0].tolist() == [2, 3]
    candidates = torch.tensor([[3, 1], [2, 6]])
    assert torch.equal(model.score(hidden, candidates), model.score(hidden).gather(1, candidates))


def test_popularity_breaks_ties_and_never_outweighs_a_transition():
    # 1 is followed once by 2; 3 is by far the most popular, and never follows 1.
    split = split_of([[1, 2, 6, 6], [3] * 40])
    scores = count_transitions(split, item_counts(split, N_ITEMS)).score(torch.tensor([[1.0]]))[0]
    assert scores.argsort(descending=True)[:2].tolist() == [2, 3]


def test_validation_and_test_events_are_not_counted():
    split = split_of([[1, 2, 3, 4]])
    scores = count_transitions(split, item_counts(split, N_ITEMS)).score(
        torch.tensor([[2.0], [3.0]])
    )
    assert (scores[:, [3, 4]] == 0).all()


def test_transitions_do_not_cross_users():
    split = split_of([[1, 2, 5, 5], [3, 4, 5, 5]])
    scores = count_transitions(split, item_counts(split, N_ITEMS)).score(torch.tensor([[2.0]]))[0]
    assert scores.max() < 1


def test_counts_are_saved_with_the_model():
    split = split_of([[1, 2, 1, 2, 3]])
    model = count_transitions(split, item_counts(split, N_ITEMS))
    assert set(model.state_dict()) == {"starts", "followers", "counts", "prior"}


def test_large_item_numbers_keep_their_identity():
    # Item numbers pass through the state; 2**24 + 1 is no float32.
    split = split_of([[1, 2, 3]])
    batch = Collator(split.sequences).batch(case_windows(split.sequences, split.test, 5))
    assert (
        count_transitions(split, item_counts(split, N_ITEMS)).encode(batch).dtype == torch.float64
    )
