"""Useless or broken models get no good metrics, and ties or NaN never help a target."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.splits import leave_one_out
from sasrec.data.synthetic import checkerboard
from sasrec.evaluation.measure import evaluate_model
from sasrec.evaluation.protocol import EvaluationProtocol
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import item_counts
from sasrec.settings.evaluation import EvaluationSettings

ITEMS = 20
METRICS = ("recall", "mrr", "ndcg", "hit", "precision", "map")


class Scorer(NextItemModel):
    """Computes scores by a function of the states; a state is the number of the last item."""

    def __init__(self, scores) -> None:
        super().__init__()
        self._scores = scores

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        states = batch.items.float()[:, None]
        return states if at is None else states[at]

    def score(self, hidden: Tensor, items: Tensor | None = None) -> Tensor:
        return self._scores(hidden[:, 0].long())


class Tabled(NextItemModel):
    """Computes scores by products with an item table, for the fast path of ranking."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self._table = table

    @property
    def item_table(self) -> Tensor:
        return self._table

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        states = torch.ones(len(batch.items), self._table.shape[1])
        return states if at is None else states[at]


@pytest.fixture(scope="module")
def board() -> Corpus:
    return build_corpus(checkerboard(users=40, items=ITEMS), "board")


def measured(model: NextItemModel, corpus: Corpus, **settings: object) -> dict[str, float]:
    split = leave_one_out(corpus.sequences)
    protocol = EvaluationProtocol(
        split=split,
        settings=EvaluationSettings(**{"metrics": METRICS, "topk": (10,), **settings}),  # type: ignore[arg-type]
        counts=item_counts(split, len(corpus.items)),
        max_history=50,
        device=torch.device("cpu"),
    )
    return evaluate_model("it", model, corpus, protocol).test


CONSTANT = [
    Scorer(lambda states: torch.zeros(len(states), ITEMS + 1)),
    Scorer(lambda states: torch.full((len(states), ITEMS + 1), torch.inf)),
    Scorer(lambda states: torch.full((len(states), ITEMS + 1), -torch.inf)),
    Scorer(lambda states: torch.full((len(states), ITEMS + 1), torch.nan)),
    Tabled(torch.ones(ITEMS + 1, 3)),
    Tabled(torch.zeros(ITEMS + 1, 3)),
    Tabled(torch.full((ITEMS + 1, 3), torch.nan)),
]


@pytest.mark.parametrize("remove_seen", [False, True])
@pytest.mark.parametrize("model", CONSTANT, ids=range(len(CONSTANT)))
def test_an_uninformative_scorer_gets_no_score(
    model: NextItemModel, board: Corpus, remove_seen: bool
) -> None:
    seen = {"remove_seen": remove_seen}
    found = measured(model, board, **seen)
    assert found == dict.fromkeys(found, 0.0)


def test_nan_scores_of_other_items_do_not_raise_a_target(board: Corpus) -> None:
    targets = board.sequences.items[leave_one_out(board.sequences).test.stops]
    table = torch.full((ITEMS + 1, 2), torch.nan)
    table[int(targets[0])] = (
        1  # the only item whose score is not NaN; it is the target of some users
    )
    found = measured(Tabled(table), board)
    assert found == dict.fromkeys(found, 0.0)


def test_a_target_with_a_nan_score_ranks_last(board: Corpus) -> None:
    targets = set(board.sequences.items[leave_one_out(board.sequences).test.stops].tolist())
    table = torch.zeros(ITEMS + 1, 2)
    table[list(targets)] = torch.nan
    found = measured(Tabled(table), board)
    assert found == dict.fromkeys(found, 0.0)


def test_a_target_in_the_history_ranks_last_if_seen_items_are_removed() -> None:
    corpus = build_corpus(checkerboard(users=40, items=8, length=12), "round")  # items repeat
    table = torch.zeros(9, 2)
    targets = corpus.sequences.items[leave_one_out(corpus.sequences).test.stops]
    table[targets.astype(np.int64)] = 1
    assert measured(Tabled(table), corpus)["recall@10"] > 0
    found = measured(Tabled(table), corpus, remove_seen=True)
    assert found["mrr@10"] < 0.2  # all seen items are tied at the end: rank 8 of 8
    assert found["mrr@10"] == pytest.approx(1 / 8)


def test_items_with_equal_vectors_count_against_each_other(board: Corpus) -> None:
    table = torch.zeros(ITEMS + 1, 2)
    table[:12] = 1  # eleven items tied at the top: none of them is among the first ten
    found = measured(Tabled(table), board)
    assert found == dict.fromkeys(found, 0.0)
    table[11] = 0  # ten items tied at the top: each counts as the tenth
    found = measured(Tabled(table), board)
    cases = leave_one_out(board.sequences).test
    targets = board.sequences.items[cases.stops]
    share = float(np.mean(targets <= 10))
    assert found["recall@10"] == pytest.approx(share)
    assert found["mrr@10"] == pytest.approx(share / 10)


def test_removed_items_do_not_inflate_gauc_or_list_metrics(board: Corpus) -> None:
    popular = Scorer(lambda last: torch.arange(ITEMS + 1.0).expand(len(last), -1).clone())
    settings = {
        "remove_seen": True,
        "metrics": ("gauc", "itemcoverage", "recall"),
        "topk": (ITEMS,),
    }
    found = measured(popular, board, **settings)
    split = leave_one_out(board.sequences)
    events, bounds = board.sequences.items, board.sequences.offsets
    shares, recommended = [], set()
    for user, stop in zip(split.test.users, split.test.stops, strict=True):
        seen = set(events[bounds[user - 1] : stop].tolist())
        left = sorted(set(range(1, ITEMS + 1)) - seen, reverse=True)
        recommended |= set(left)
        target = int(events[stop])
        if target not in seen and len(left) > 1:
            shares.append(1 - left.index(target) / (len(left) - 1))
        else:
            shares.append(0.0)
    assert found["gauc"] == pytest.approx(np.mean(shares))
    assert found[f"itemcoverage@{ITEMS}"] == pytest.approx(len(recommended) / ITEMS)
