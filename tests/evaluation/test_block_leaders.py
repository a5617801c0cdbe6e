"""Leaders by blocks are exactly those of the whole row."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec.evaluation import block_leaders
from sasrec.evaluation.block_leaders import candidates_by_blocks, padded_width
from sasrec.evaluation.top_items import TopCandidates


def padded(scores: torch.Tensor) -> torch.Tensor:
    wide = torch.full((len(scores), padded_width(scores.shape[1])), -torch.inf)
    wide[:, : scores.shape[1]] = scores
    return wide


def pairs(found: TopCandidates) -> list[tuple[int, int, float]]:
    rows, items, scores = found.rows.tolist(), found.items.tolist(), found.scores.tolist()
    assert rows == sorted(rows)
    return sorted(zip(rows, items, scores, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    n_items=st.integers(1, 3000),
    n_rows=st.integers(1, 5),
    k=st.integers(1, 12),
    n_values=st.integers(1, 400),
    excluded=st.floats(0, 1),
    margin=st.sampled_from([0.0, 0.001, 0.5, 3.0]),
    seed=st.integers(0, 2**16),
)
def test_blocks_give_the_candidates_of_the_whole_row(
    n_items: int, n_rows: int, k: int, n_values: int, excluded: float, margin: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Few different values, so that many items are equal.
    scores = torch.randint(n_values, (n_rows, n_items), generator=generator).float() / 7
    scores[torch.rand(n_rows, n_items, generator=generator) < excluded] = -torch.inf
    margins = torch.full((n_rows,), margin)
    found = candidates_by_blocks(padded(scores), k, margins)
    expected = TopCandidates.of(scores, min(k, n_items), margins)
    assert pairs(found) == pairs(expected)


def test_only_some_blocks_are_searched_if_no_score_is_close() -> None:
    scores = torch.randn(3, padded_width(5000), generator=torch.Generator().manual_seed(0))
    found = candidates_by_blocks(scores, 10, torch.zeros(3))
    assert len(found.rows) == 30
    assert scores.shape[1] // block_leaders.BLOCK > block_leaders.FEWEST_BLOCKS * 14
