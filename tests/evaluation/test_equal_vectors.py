"""Items with equal vectors get exactly equal scores, whatever the sizes of the pieces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases
from sasrec.evaluation.candidates import rank_among_samples
from sasrec.evaluation.products import CHUNK_ITEMS, ranks_by_product
from sasrec.evaluation.ranking import rank_targets
from sasrec.models.contract import NextItemModel

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2], autouse=True)
def threads(request: pytest.FixtureRequest):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def all_last(n_rows: int, n_entries: int, width: int, seed: int, dtype=torch.float32) -> bool:
    """Return whether every target ranks last if all items have the same vector."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(n_rows, width, generator=generator, dtype=dtype)
    table = torch.randn(1, width, generator=generator, dtype=dtype).repeat(n_entries, 1)
    targets = torch.randint(1, n_entries, (n_rows,), generator=generator)
    targets[:: max(1, n_rows // 3)] = n_entries - 1  # some are the last item
    return bool((ranks_by_product(states, targets, table) == n_entries - 1).all())


@pytest.mark.parametrize("width", [1, 3, 8, 50, 64, 100, 128])
@pytest.mark.parametrize("n_rows", [1, 2, 5, 7, 11, 64, 513])
def test_equal_vectors_tie_within_one_chunk(n_rows: int, width: int) -> None:
    for n_entries in [2, 3, 4, 5, 13, 41, 64, 65, 127, 1683]:
        assert all_last(n_rows, n_entries, width, 0), n_entries


@pytest.mark.parametrize("beyond", [-1, 0, 1, 2, 3, 5, 63, 64, 65, 100])
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_equal_vectors_tie_around_chunk_boundaries(chunks: int, beyond: int) -> None:
    for n_rows in (1, 3, 5, 11, 100):
        for width in (50, 64):
            assert all_last(n_rows, chunks * CHUNK_ITEMS + beyond, width, n_rows)


@settings(max_examples=25)
@given(
    n_rows=st.integers(1, 600),
    n_entries=st.integers(2, 9000),
    width=st.integers(1, 130),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_equal_vectors_tie_at_any_size(
    n_rows: int, n_entries: int, width: int, seed: int, dtype: torch.dtype
) -> None:
    assert all_last(n_rows, n_entries, width, seed, dtype)


class Same(NextItemModel):
    """All items have the same vector."""

    def __init__(self, n_items: int, width: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self._table = torch.randn(1, width, generator=generator).repeat(n_items + 1, 1)
        self._states = torch.randn(n_items + 1, width, generator=generator)

    @property
    def item_table(self) -> Tensor:
        return self._table

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        return self._states[batch.items if at is None else batch.items[at]]


@pytest.mark.parametrize("n_items", [5, 41, 1682, 4097])
@pytest.mark.parametrize("n_users", [1, 7])
def test_equal_vectors_rank_last_also_with_lists_or_samples(n_items: int, n_users: int) -> None:
    items = np.random.default_rng(0).integers(1, n_items + 1, 4 * n_users).astype(np.int32)
    items[-1] = n_items
    sequences = Sequences(items, None, np.arange(0, 4 * n_users + 1, 4))
    ends = Cases(np.arange(1, n_users + 1), np.arange(3, 4 * n_users, 4))
    cases = EvaluationCases(sequences, ends, 9, CPU)
    model = Same(n_items, 50)
    for top_k in (0, 3):
        ranks = rank_targets(model, cases, top_k=top_k).ranks
        assert (ranks == n_items).all()
    targets = cases.targets
    others = (targets[:, None] + np.arange(1, n_items) - 1) % n_items + 1
    assert (rank_among_samples(model, cases, others) == n_items).all()
