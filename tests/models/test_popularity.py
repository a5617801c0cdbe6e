from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.windows import case_windows
from sasrec.data.sequences import Sequences
from sasrec.data.splits import leave_one_out
from sasrec.models.popularity import Popularity, item_counts

N_ITEMS = 6


def split_of(histories):
    items = np.array([item for history in histories for item in history], dtype=np.int32)
    offsets = np.concatenate(([0], np.cumsum([len(some) for some in histories], dtype=np.int64)))
    return leave_one_out(Sequences(items, None, offsets))


@given(
    st.lists(
        st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=12), min_size=1, max_size=8
    ).filter(lambda histories: max(map(len, histories)) > 2)
)
def test_counts_equal_a_count_of_training_events_in_plain_python(histories):
    expected = Counter()
    for history in histories:
        kept_back = min(2, max(len(history) - 2, 0))
        expected.update(history[: len(history) - kept_back])
    counts = item_counts(split_of(histories), N_ITEMS)
    assert counts.tolist() == [expected[item] for item in range(N_ITEMS + 1)]


def test_everybody_gets_the_same_scores():
    split = split_of([[1, 2, 1, 4, 5], [2, 1, 3, 3]])
    model = Popularity(torch.from_numpy(item_counts(split, N_ITEMS)))
    batch = Collator(split.sequences).batch(case_windows(split.sequences, split.test, 50))
    scores = model.score(model.encode(batch)[batch.last])
    assert scores.tolist() == [[0, 3, 2, 0, 0, 0, 0]] * 2


def test_candidates_get_their_counts():
    model = Popularity(torch.tensor([0, 3, 1, 2]))
    assert model.score(torch.ones(2, 1), torch.tensor([[1, 2], [3, 1]])).tolist() == [
        [3, 1],
        [2, 3],
    ]
