import numpy as np
import pytest
import torch

from sasrec.data.batches import cases
from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.corpus import build_corpus
from sasrec.data.splits import leave_one_out
from sasrec.data.synthetic import hidden_markov
from sasrec.evaluation import scoring
from sasrec.evaluation.candidates import rank_among_samples, sampled_candidates
from sasrec.evaluation.products import ranks_of_
from sasrec.evaluation.ranking import rank_targets
from sasrec.evaluation.top_items import top_items
from sasrec.models.markov import count_transitions
from sasrec.models.popularity import item_counts

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "rank"),
    [
        ([9.0, 3.0, 2.0, 1.0], 1),
        ([0.0, 2.0, 3.0, 1.0], 2),
        ([0.0, 1.0, 1.0, 1.0], 3),  # a constant scorer ranks the target last
        ([0.0, 2.0, 2.0, 1.0], 2),  # ties count against the target
        ([0.0, NAN, 2.0, 1.0], 3),  # a target with a NaN score ranks last
        ([0.0, 2.0, NAN, 1.0], 2),  # another item with a NaN score counts as better
        ([NAN, 2.0, 1.0, 1.0], 1),  # padding is ignored
    ],
)
def test_rank_of_item_1(scores: list[float], rank: int) -> None:
    assert ranks_of_(torch.tensor([scores]), torch.tensor([1])).tolist() == [rank]


def test_padding_is_never_recommended() -> None:
    scores = torch.tensor([[9.0, 1.0, 3.0, NAN]])
    assert top_items(scores, 3).tolist() == [[2, 1, 3]]


@pytest.mark.parametrize("limit", [1, 500, 2**30])
def test_ranks_do_not_depend_on_the_batch_size(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SCORE_BYTES", limit)
    monkeypatch.setattr(cases, "BATCH_POSITIONS", limit)
    corpus = build_corpus(hidden_markov(users=50, items=20, length=9), "small")
    split = leave_one_out(corpus.sequences)
    model = count_transitions(split, item_counts(split, len(corpus.items)))
    asked = EvaluationCases(split.sequences, split.test, 50, torch.device("cpu"))
    found = rank_targets(model, asked, top_k=4)
    items = split.sequences.items
    for place, stop in enumerate(split.test.stops):
        last = torch.tensor([[float(items[stop - 1])]])
        scores = model.score(last)[0].numpy()
        target = scores[items[stop]]
        assert found.ranks[place] == (scores[1:] >= target).sum()
        np.testing.assert_allclose(scores[found.top[place]], np.sort(scores[1:])[::-1][:4])


def test_ranks_among_all_other_items_equal_full_ranking() -> None:
    corpus = build_corpus(hidden_markov(users=50, items=20, length=9), "small")
    split = leave_one_out(corpus.sequences)
    n_items = len(corpus.items)
    model = count_transitions(split, item_counts(split, n_items))
    targets = corpus.sequences.items[split.test.stops]
    others = np.array([[i for i in range(1, n_items + 1) if i != t] for t in targets])
    asked = EvaluationCases(split.sequences, split.test, 50, torch.device("cpu"))
    full = rank_targets(model, asked).ranks
    repeated = np.concatenate([others, others[:, :5]], axis=1)  # an item twice counts once
    for samples in (others, repeated):
        ranks = rank_among_samples(model, asked, samples)
        np.testing.assert_array_equal(ranks, full)


@pytest.mark.parametrize("kind", ["uni30", "pop30"])
def test_sampled_candidates_are_reproducible_and_exclude_the_target(kind: str) -> None:
    corpus = build_corpus(hidden_markov(users=50, items=20, length=9), "small")
    split = leave_one_out(corpus.sequences)
    drawn = sampled_candidates(split, split.test, kind, len(corpus.items))
    assert drawn.shape == (len(split.test), 30)
    assert (drawn >= 1).all()
    assert (drawn != corpus.sequences.items[split.test.stops][:, None]).all()
    again = sampled_candidates(split, split.test, kind, len(corpus.items))
    np.testing.assert_array_equal(drawn, again)


def test_popular_candidates_are_more_popular() -> None:
    skewed = hidden_markov(users=300, items=60, topics=1, predictability=0.0)
    corpus = build_corpus(skewed, "skewed")
    split = leave_one_out(corpus.sequences)
    counts = np.bincount(corpus.sequences.items, minlength=len(corpus.items) + 1)
    even, popular = (
        counts[sampled_candidates(split, split.test, kind, len(corpus.items))].mean()
        for kind in ("uni20", "pop20")
    )
    assert popular > 1.5 * even
