"""Tests that need a GPU; skipped if there is none."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.splits import leave_one_out
from sasrec.data.synthetic import hidden_markov
from sasrec.evaluation.products import ranks_by_product
from sasrec.evaluation.ranking import rank_targets
from sasrec.experiment.fitting import training_batches
from sasrec.experiment.run import run_experiment
from sasrec.losses.full import softmax_cross_entropy, softmax_cross_entropy_plain
from sasrec.losses.objective import training_loss
from sasrec.models.contract import Catalogue
from sasrec.models.parts.packed import packed_attention, packed_attention_plain
from sasrec.models.popularity import item_counts
from sasrec.models.sasrec import SASRec
from sasrec.settings.resolve import resolve_settings
from sasrec.training.loop import TrainingLoop
from sasrec.training.progress import LogObserver

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
GPU, CPU = torch.device("cuda", 0), torch.device("cpu")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_corpus(hidden_markov(users=400, items=80, length=20, topics=8), "synthetic")


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.bfloat16, 2e-2), (torch.float32, 1e-4)], ids=["half", "full"]
)
def test_packed_attention_equals_plain_attention_with_gradients(causal, dtype, tolerance):
    torch.manual_seed(0)
    offsets = torch.tensor([0, 1, 8, 30, 50], device=GPU)
    wide = torch.randn(50, 3, 2, 32, device=GPU, dtype=torch.float64)
    weights = torch.randn(50, 2, 32, device=GPU, dtype=torch.float64)

    def outcome(parts: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = torch.autograd.grad((found.double() * weights).sum(), parts)
        return found.double(), gradient.double()

    exact = wide.clone().requires_grad_()
    expected = outcome(exact, packed_attention_plain(exact, offsets, causal=causal))
    narrow = wide.to(dtype).requires_grad_()
    fast = packed_attention(narrow, offsets, longest=22, dropout=0.0, causal=causal)
    for found, wanted in zip(outcome(narrow, fast), expected, strict=True):
        assert (found - wanted).norm() / wanted.norm() < tolerance


def test_packed_attention_has_the_requested_dropout():
    torch.manual_seed(0)
    offsets = torch.arange(0, 2001, 20, device=GPU)
    parts = torch.randn(2000, 3, 2, 32, device=GPU, dtype=torch.bfloat16)
    parts[:, 2] = 1  # equal values, so that the output of a row is the sum of its attention weights
    dropped = packed_attention(parts, offsets, longest=20, dropout=0.5, causal=True)
    assert dropped.float().mean().item() == pytest.approx(1.0, abs=0.05)
    assert dropped.float().std() > 0.1


@pytest.mark.parametrize(("positions", "items"), [(700, 500), (1000, 9000), (64, 80_000)])
def test_the_softmax_equals_the_plain_one(positions, items):
    torch.manual_seed(0)
    hidden, table = torch.randn(positions, 64, device=GPU), torch.randn(items, 64, device=GPU)
    targets = torch.randint(1, items, (positions,), device=GPU)
    outcomes = []
    for loss in (softmax_cross_entropy, softmax_cross_entropy_plain):
        one, other = hidden.clone().requires_grad_(), table.clone().requires_grad_()
        value = loss(one, targets, other)
        value.backward()
        outcomes.append((value, one.grad, other.grad))
    for found, wanted in zip(*outcomes, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("removed", [False, True])
def test_ranks_by_product_equal_those_on_the_cpu(removed):
    torch.manual_seed(0)
    # Small whole numbers: products are exact on both devices, and there are many ties.
    states = torch.randint(-2, 3, (5000, 8)).float()
    table = torch.randint(-2, 3, (40_000, 8)).float()
    targets = torch.randint(1, 40_000, (5000,))
    pairs = (torch.arange(5000), torch.randint(1, 40_000, (5000,))) if removed else None
    expected = ranks_by_product(states, targets, table, pairs)
    moved = None if pairs is None else (pairs[0].to(GPU), pairs[1].to(GPU))
    found = ranks_by_product(states.to(GPU), targets.to(GPU), table.to(GPU), moved)
    assert torch.equal(found.cpu(), expected)


def loop_of(corpus: Corpus, device: torch.device, **values: object) -> TrainingLoop:
    run = resolve_settings(
        {"hidden_size": 64, "batch_size": 512, "hidden_dropout_prob": 0.0, **values}
        | {"attn_dropout_prob": values.get("attn_dropout_prob", 0.0), "precision": "float32"}
    )
    split = leave_one_out(corpus.sequences)
    torch.manual_seed(0)
    model = SASRec(run.model, Catalogue(len(corpus.items), 0, run.data.max_history))  # type: ignore[arg-type]
    model.to(device)
    return TrainingLoop(
        model,
        training_batches(split, run, with_times=model.needs_times, device=device),
        training_loss(run.training, counts=item_counts(split, len(corpus.items)), device=device),
        settings=run.training,
        observer=LogObserver(),
    )


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"block": "pre_norm", "positions": "reversed", "output_norm": True},
        {"positions": "rotary", "norm": "rms", "feed_forward": "swiglu"},
        {"relative_bias": "both", "time_dropout_prob": 0.0},
    ],
    ids=["recbole", "reversed", "rotary", "bias"],
)
def test_an_epoch_on_the_gpu_equals_one_on_the_cpu(corpus, values):
    on_cpu, on_gpu = (loop_of(corpus, device, **values).epoch(1)[0] for device in (CPU, GPU))
    assert on_gpu == pytest.approx(on_cpu, rel=1e-3)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("loss", ["CE", "BPR", "SSM"])
def test_a_step_never_synchronises(corpus, loss):
    loop = loop_of(corpus, GPU, loss=loss, attn_dropout_prob=0.3)
    loop.epoch(1)
    batches = list(loop.batches.epoch(np.random.default_rng(0)))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            loop.step(batch.to(GPU))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_whole_run_learns_and_ranks_as_on_the_cpu(corpus):
    run = resolve_settings({"epochs": 15, "device": "cuda", "learning_rate": 0.003})
    outcome = run_experiment(corpus, run, observer=LogObserver())
    ours, popularity = outcome.reports[0].test["ndcg@10"], outcome.reports[1].test["ndcg@10"]
    assert ours > 1.3 * popularity
    split = leave_one_out(corpus.sequences)
    model = outcome.recommender.model
    ranks = []
    for device in (GPU, CPU):
        cases = EvaluationCases(split.sequences, split.test, 50, device)
        found = rank_targets(model.to(device), cases)
        ranks.append(found.ranks)
    assert (ranks[0] != ranks[1]).mean() < 0.05  # rounding can swap nearly equal scores
