"""Ranks and lists do not depend on the pieces they are computed in."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sasrec.data.batches import cases
from sasrec.data.batches.batching import Collator
from sasrec.data.batches.cases import EvaluationCases, grouped_batches
from sasrec.data.batches.windows import Windows
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split, leave_one_out
from sasrec.data.synthetic import hidden_markov
from sasrec.evaluation import products, scoring
from sasrec.evaluation.products import ranks_by_product, ranks_of_
from sasrec.evaluation.ranking import Ranking, rank_targets
from sasrec.evaluation.scoring import encode_batches
from sasrec.evaluation.top_items import top_items
from sasrec.models.contract import Catalogue
from sasrec.models.sasrec import SASRec, SASRecSettings

CPU = torch.device("cpu")
HISTORY = 6


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_corpus(hidden_markov(users=40, items=24, length=9, topics=4), "small")


@pytest.fixture(scope="module")
def split(corpus: Corpus) -> Split:
    return leave_one_out(corpus.sequences)


@pytest.fixture(scope="module")
def model(corpus: Corpus) -> SASRec:
    torch.manual_seed(3)
    size = SASRecSettings(hidden_size=8, inner_size=8, initializer_range=0.5)
    return SASRec(size, Catalogue(len(corpus.items), 0, HISTORY))


def ranked(model: SASRec, split: Split) -> Ranking:
    return rank_targets(model, EvaluationCases(split.sequences, split.test, HISTORY, CPU), top_k=5)


def scores_of(model: SASRec, history: np.ndarray) -> Tensor:
    """Return the scores [V] after one history, computed alone."""
    length = len(history)
    alone = Sequences(history.astype(np.int32), None, np.array([0, length]))
    none = np.zeros(1, dtype=np.int64)
    windows = Windows(np.array([0]), np.array([length]), none, none)
    [(_, _, states)] = encode_batches(model, grouped_batches(Collator(alone), windows, CPU))
    with torch.inference_mode():
        return (states @ model.item_table.T)[0]


def test_ranks_equal_a_loop_over_users(model: SASRec, split: Split) -> None:
    found = ranked(model, split)
    items, offsets = split.sequences.items, split.sequences.offsets
    cases = zip(split.test.users, split.test.stops, strict=True)
    for place, (user, stop) in enumerate(cases):
        scores = scores_of(model, items[max(offsets[user - 1], stop - HISTORY) : stop])
        target = int(items[stop])
        # Items with scores that differ only by rounding may be swapped.
        near = (scores[1:] - scores[target]).abs() < 1e-5
        better = int((scores[1:] > scores[target]).sum())
        assert abs(found.ranks[place] - better - 1) < near.sum()
        best = scores[1:].topk(5).values
        torch.testing.assert_close(scores[found.top[place]], best, atol=1e-5, rtol=0)


@pytest.mark.parametrize("score_bytes", [1, 4 * 25 * 3])
@pytest.mark.parametrize("positions", [1, 17])
def test_pieces_give_the_same_ranks_and_lists(
    model: SASRec,
    split: Split,
    monkeypatch: pytest.MonkeyPatch,
    score_bytes: int,
    positions: int,
) -> None:
    whole = ranked(model, split)
    monkeypatch.setattr(scoring, "SCORE_BYTES", score_bytes)
    monkeypatch.setattr(cases, "BATCH_POSITIONS", positions)
    pieces = ranked(model, split)
    np.testing.assert_array_equal(pieces.ranks, whole.ranks)
    np.testing.assert_array_equal(pieces.top, whole.top)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_disables_dropout_and_restores_the_mode(
    model: SASRec, split: Split, training: bool
) -> None:
    model.train(training)
    first, second = ranked(model, split), ranked(model, split)
    assert model.training is training
    np.testing.assert_array_equal(first.ranks, second.ranks)


def test_constant_scorer_ranks_every_target_last() -> None:
    scores = torch.zeros(4, 9)
    assert ranks_of_(scores, torch.arange(1, 5)).tolist() == [8] * 4


def test_all_nan_ranks_last() -> None:
    scores = torch.full((2, 5), torch.nan)
    assert ranks_of_(scores, torch.tensor([1, 4])).tolist() == [4, 4]
    assert sorted(top_items(scores, 4)[0].tolist()) == [1, 2, 3, 4]


@settings(deadline=None)
@given(
    values=st.lists(
        st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("nan"), float("inf"), -float("inf")]),
        min_size=2,
        max_size=9,
    ),
    data=st.data(),
)
def test_rank_is_one_more_than_the_number_of_others_not_lower(
    values: list[float], data: st.DataObject
) -> None:
    target = data.draw(st.integers(1, len(values) - 1))
    others = [value for place, value in enumerate(values) if place not in {0, target}]
    expected = 1 + sum(not value < values[target] for value in others)
    assert ranks_of_(torch.tensor([values]), torch.tensor([target])).tolist() == [expected]


@pytest.mark.parametrize(("rows", "items"), [(3, 4), (1, 1), (512, 4096)])
@pytest.mark.parametrize("kind", ["whole numbers", "equal items", "nan state", "nan item", "zero"])
def test_ranks_by_product_equal_ranks_of_scores(
    kind: str, rows: int, items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "PIECE_ROWS", rows)
    monkeypatch.setattr(products, "CHUNK_ITEMS", items)
    generator = torch.Generator().manual_seed(0)
    # Whole numbers, so that products are exact in any order of summation.
    states = torch.randint(-3, 4, (23, 5), generator=generator).float()
    table = torch.randint(-3, 4, (31, 5), generator=generator).float()
    targets = torch.randint(1, 31, (23,), generator=generator)
    if kind == "equal items":
        table[:] = table[7]
        states += 0.125  # exact in binary, so that equal vectors have equal products
    elif kind == "nan state":
        states[4] = torch.nan
    elif kind == "nan item":
        table[[3, 9]] = torch.nan
    elif kind == "zero":
        states[:] = 0
    found = ranks_by_product(states, targets, table)
    assert torch.equal(found, ranks_of_(states @ table.T, targets))
    if kind in {"equal items", "zero"}:
        assert (found == 30).all()


def test_padding_never_counts_and_is_never_listed() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(20, 12, generator=generator)
    targets = torch.arange(20) % 11 + 1
    for loud in (1e9, torch.inf, torch.nan, -torch.inf):
        louder = scores.clone()
        louder[:, 0] = loud
        assert torch.equal(ranks_of_(louder, targets), ranks_of_(scores, targets))
        assert top_items(louder, 11).min() >= 1


@pytest.mark.parametrize("top_k", [0, 5])
def test_seen_items_are_removed_by_every_ranking_method(
    model: SASRec, split: Split, top_k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "PIECE_ROWS", 7)
    monkeypatch.setattr(products, "CHUNK_ITEMS", 10)
    asked = EvaluationCases(split.sequences, split.test, HISTORY, CPU)
    found = rank_targets(model, asked, top_k=top_k, remove_seen=True)
    items, offsets = split.sequences.items, split.sequences.offsets
    repeated = 0
    for place, (user, stop) in enumerate(zip(split.test.users, split.test.stops, strict=True)):
        history, target = items[offsets[user - 1] : stop], int(items[stop])
        scores = scores_of(model, history[-HISTORY:]).clone()
        scores[torch.tensor(history)] = -torch.inf
        scores[0] = -torch.inf
        if target in history:
            repeated += 1
            assert found.ranks[place] == 24
        else:
            near = int(((scores - scores[target]).abs() < 1e-5).sum())
            better = int((scores > scores[target]).sum())
            assert abs(found.ranks[place] - better - 1) < near
        if top_k:
            assert not set(found.top[place]) & set(history.tolist())
    assert 0 < repeated < len(split.test)
