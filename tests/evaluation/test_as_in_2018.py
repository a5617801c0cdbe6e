"""candidates=paper100: sampling and ranking as in util.py of kang205/SASRec."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.splits import Split, leave_one_out
from sasrec.data.synthetic import hidden_markov
from sasrec.errors import DataError
from sasrec.evaluation.candidates import (
    candidates_as_in_2018,
    rank_among_samples,
    rank_as_in_2018,
    sampled_candidates,
)
from sasrec.evaluation.measure import evaluate_model
from sasrec.evaluation.protocol import EvaluationProtocol, describe_protocol
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import item_counts
from sasrec.settings.evaluation import EvaluationSettings

CPU = torch.device("cpu")


class Fixed(NextItemModel):
    """Gives each item the same score after every history."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self._scores = scores

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        return torch.zeros(len(batch.items if at is None else at), 1)

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        return self._scores.expand(len(hidden), -1).clone()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_corpus(hidden_markov(users=200, items=60, length=12), "small")


@pytest.fixture(scope="module")
def split(corpus: Corpus) -> Split:
    return leave_one_out(corpus.sequences)


def training_items(split: Split, user: int) -> set[int]:
    begin = split.sequences.offsets[user - 1]
    return set(split.sequences.items[begin : split.train_stops[user - 1]].tolist())


@pytest.mark.parametrize("part", ["validation", "test"])
def test_candidates_are_drawn_uniformly_outside_the_training_events(
    part: str, corpus: Corpus, split: Split
) -> None:
    cases, n_items = getattr(split, part), len(corpus.items)
    drawn = candidates_as_in_2018(split, cases, "paper2000", n_items)
    assert drawn.shape == (len(cases), 2000)
    np.testing.assert_array_equal(drawn, candidates_as_in_2018(split, cases, "paper2000", n_items))
    for user, row in zip(cases.users, drawn, strict=True):
        allowed = set(range(1, n_items + 1)) - training_items(split, user)
        assert (
            set(row.tolist()) == allowed
        )  # includes the target and, for test cases, the validation item
        counts = np.bincount(row)[sorted(allowed)]
        even = 2000 / len(allowed)
        assert abs(counts - even).max() < 6 * math.sqrt(even)  # six standard deviations


def test_the_rank_counts_a_higher_score_as_often_as_it_was_drawn(split: Split) -> None:
    n_items = int(split.sequences.items.max())
    scores = torch.arange(n_items + 1).float()
    scores[5] = scores[6] = 40.0
    targets = split.sequences.items[split.test.stops].astype(np.int64)
    samples = np.tile(np.array([40, 5, 6, 41, 41, 3]), (len(targets), 1))
    samples[:, 5] = targets
    cases = EvaluationCases(split.sequences, split.test, 50, CPU)
    found = rank_as_in_2018(Fixed(scores), cases, samples)
    numbers = scores.numpy()
    for rank, target in zip(found, targets, strict=True):
        assert rank == 1 + (numbers[samples[0, :5]] > numbers[target]).sum()
    ours = rank_among_samples(Fixed(scores), cases, samples[:, :5])
    assert (found != ours).any()


def test_nan_scores_count_against_the_target(split: Split) -> None:
    n_items = int(split.sequences.items.max())
    samples = np.ones((len(split.test), 4), dtype=np.int64)
    nothing = Fixed(torch.full((n_items + 1,), torch.nan))
    found = rank_as_in_2018(nothing, EvaluationCases(split.sequences, split.test, 9, CPU), samples)
    assert (found == 5).all()


def by_the_rule_of_2018(
    scores: np.ndarray, corpus: Corpus, split: Split, seed: int
) -> tuple[float, float]:
    """Return hit@10 and ndcg@10, computed with the loops of evaluate in util.py."""
    generator, hit, gain = np.random.default_rng(seed), 0, 0.0
    for user, stop in zip(split.test.users, split.test.stops, strict=True):
        rated = training_items(split, user)
        candidates = [int(split.sequences.items[stop])]
        for _ in range(100):
            drawn = int(generator.integers(1, len(corpus.items) + 1))
            while drawn in rated:
                drawn = int(generator.integers(1, len(corpus.items) + 1))
            candidates.append(drawn)
        rank = int((scores[candidates[1:]] > scores[candidates[0]]).sum())
        if rank < 10:
            hit += 1
            gain += 1 / math.log2(rank + 2)
    return hit / len(split.test), gain / len(split.test)


def test_metrics_agree_with_the_code_of_2018_within_sampling_noise() -> None:
    corpus = build_corpus(hidden_markov(users=1500, items=400, length=30), "wide")
    split = leave_one_out(corpus.sequences)
    scores = torch.rand(len(corpus.items) + 1, generator=torch.Generator().manual_seed(0))
    theirs = np.array(
        [by_the_rule_of_2018(scores.numpy(), corpus, split, seed) for seed in range(3)]
    )
    settings = EvaluationSettings(metrics=("hit", "ndcg"), candidates="paper100")
    protocol = EvaluationProtocol(
        split=split,
        settings=settings,
        counts=item_counts(split, len(corpus.items)),
        max_history=50,
        device=CPU,
    )
    report = evaluate_model("fixed", Fixed(scores), corpus, protocol)
    ours = [report.test["hit@10"], report.test["ndcg@10"]]
    # Sampling noise: the standard deviation of hit over 1,500 cases is sqrt(0.1 * 0.9 / 1500).
    assert ours == pytest.approx(theirs.mean(0), abs=4 * 0.0078)
    assert "one drawn twice counts twice, as in the code of 2018" in report.protocol
    assert report.protocol.endswith("ties count for the target")


def test_uniform_candidates_exclude_the_target(corpus: Corpus, split: Split) -> None:
    drawn = sampled_candidates(split, split.test, "uni100", len(corpus.items))
    targets = corpus.sequences.items[split.test.stops]
    assert (drawn != targets[:, None]).all()
    text = describe_protocol(corpus, EvaluationSettings(candidates="uni100"))
    assert "ranking against 100 items drawn uniformly," in text
    assert text.endswith("ties count against the target")


def test_a_user_with_all_items_in_training_is_refused() -> None:
    corpus = build_corpus(hidden_markov(users=30, items=4, length=40), "tiny")
    split = leave_one_out(corpus.sequences)
    with pytest.raises(DataError, match="has all 4 items in training, so no candidates"):
        candidates_as_in_2018(split, split.test, "paper100", len(corpus.items))
