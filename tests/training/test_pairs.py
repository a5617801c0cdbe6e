"""Epochs in compiled code take the same steps as autograd and Adam."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.data.corpus import build_corpus
from sasrec.data.splits import leave_one_out
from sasrec.data.synthetic import checkerboard
from sasrec.experiment.fitting import training_batches
from sasrec.kernels import library
from sasrec.kernels import pairs as kernel
from sasrec.losses.objective import training_loss
from sasrec.losses.sampled import bpr
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.popularity import item_counts
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import resolve_settings
from sasrec.training import flat
from sasrec.training.averaging import WeightAverage
from sasrec.training.loop import TrainingLoop

CPU = torch.device("cpu")
NAMES = ["BPR", "FMC", "FPMC", "TransRec"]
USERS, ITEMS = 12, 15
CORPUS = build_corpus(checkerboard(users=40), "checkerboard")
SPLIT = leave_one_out(CORPUS.sequences)

pytestmark = pytest.mark.skipif(not library.is_available(), reason="kernels were not built")


class RecordingObserver:
    def __init__(self) -> None:
        self.targets: list[int] = []

    def advanced(self, epoch: int, targets: int) -> None:
        self.targets.append(targets)


def model_named(name: str, width: int, n_users: int = USERS, n_items: int = ITEMS) -> NextItemModel:
    torch.manual_seed(1)
    settings = resolve_settings({"embedding_size": width}, name).model
    model: NextItemModel = MODELS[name](settings, Catalogue(n_items, n_users, 10))
    if name == "TransRec":
        nn.init.normal_(model.translation, std=0.1)  # type: ignore[arg-type]
    return model


def loop_of(name: str, observer: RecordingObserver | None = None, **values: object) -> TrainingLoop:
    run = resolve_settings({"batch_size": 64, "precision": "float32", **values}, name)
    model = model_named(name, 16, len(CORPUS.users), len(CORPUS.items))
    counts = item_counts(SPLIT, len(CORPUS.items))
    return TrainingLoop(
        model,
        training_batches(SPLIT, run),
        training_loss(run.training, counts=counts, device=CPU),
        settings=run.training,
        observer=observer or RecordingObserver(),  # type: ignore[arg-type]
    )


def some_events(count: int) -> Tensor:
    """Return random events: user and last item (sometimes unknown), target, and a negative."""
    rng = np.random.default_rng(count)
    users = rng.integers(0, USERS + 1, count)
    last = rng.integers(0, ITEMS + 1, count)
    targets = rng.integers(1, ITEMS + 1, count)
    negatives = (targets + rng.integers(0, ITEMS - 1, count)) % ITEMS + 1
    return torch.from_numpy(np.column_stack([users, last, targets, negatives]).astype(np.int32))


def plain_steps(
    model: NextItemModel, average: WeightAverage, events: Tensor, batch_size: int
) -> Iterator[float]:
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.98))
    for some in events.long().split(batch_size):
        users, last, targets, negatives = some.T.contiguous()
        batch = Batch(last, torch.arange(len(some) + 1), targets, users, None, 1)
        scorer = model.score if model.item_table is None else model.item_table
        loss = bpr(model(batch), targets, scorer, negatives[:, None])
        penalty = model.penalty()
        loss = loss if penalty is None else loss + penalty
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        average.update()
        yield loss.item()


def compiled_steps(
    model: NextItemModel, events: Tensor, batch_size: int
) -> tuple[Tensor, list[kernel.Table]]:
    form = model.pair_form()
    assert form is not None
    tables = [
        kernel.Table(table, *(torch.zeros_like(table) for _ in range(3)), table.clone())
        for table in form.tables
    ]
    rates = kernel.Rates(0.01, 0.9, 0.98, 1e-8, 0.9, form.under_root, form.length_weight)
    sizes = {"batch_size": batch_size, "steps": 0, "averages": 0}
    return kernel.train(tables, form.left_by, events, rates, **sizes), tables


@pytest.mark.parametrize("width", [2, 7, 16, 64, 100])
@pytest.mark.parametrize("name", NAMES)
def test_steps_equal_those_of_autograd_and_adam(name: str, width: int) -> None:
    events = some_events(230)
    ours, plain = model_named(name, width), model_named(name, width)
    losses, tables = compiled_steps(ours, events, batch_size=50)
    average = WeightAverage(list(plain.parameters()), 0.9)
    expected = list(plain_steps(plain, average, events, 50))
    # Adam divides a gradient by its size, so rounding matters for gradients near 0.
    assert losses.tolist() == pytest.approx(expected, rel=1e-4)
    for weight, right in zip(ours.parameters(), plain.parameters(), strict=True):
        assert (weight - right).norm() < 1e-4 * right.norm()
    assert all(not table.gradients.any() for table in tables)
    form = plain.pair_form()
    assert form is not None
    starts = {
        weight.data_ptr(): value
        for weight, value in zip(plain.parameters(), average.values, strict=True)
    }
    for table, own in zip(tables, form.tables, strict=True):
        right = starts[own.data_ptr()].view_as(own)
        assert (table.average - right).norm() < 1e-4 * right.norm()


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_threads_does_not_change_the_result(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "WORTH_SHARING", 0)
    events, before, found = some_events(230), torch.get_num_threads(), []
    try:
        for n_threads in (1, 2, 5):
            torch.set_num_threads(n_threads)
            model = model_named(name, 16)
            losses, _ = compiled_steps(model, events, batch_size=50)
            found.append((losses, [weight.clone() for weight in model.parameters()]))
    finally:
        torch.set_num_threads(before)
    for losses, weights in found[1:]:
        assert losses.tolist() == pytest.approx(found[0][0].tolist(), rel=1e-12)
        assert all(torch.equal(*pair) for pair in zip(weights, found[0][1], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_row_0_for_unknown_users_does_not_change(name: str) -> None:
    model = model_named(name, 16)
    compiled_steps(model, some_events(100), batch_size=50)
    form = model.pair_form()
    assert form is not None
    for table in form.tables:
        assert len(table) == 1 or not table[0].any()


@pytest.mark.parametrize(("column", "number"), [(0, USERS + 1), (1, -1), (2, 99), (3, ITEMS + 1)])
@pytest.mark.parametrize("name", ["FPMC", "TransRec"])
def test_rows_outside_the_table_are_refused(name: str, column: int, number: int) -> None:
    events = some_events(30)
    events[7, column] = number
    with pytest.raises(IndexError, match="the events refer to rows up to"):
        compiled_steps(model_named(name, 16), events, batch_size=10)


def test_a_batch_larger_than_the_data_needs_no_more_memory() -> None:
    losses, _ = compiled_steps(model_named("TransRec", 16), some_events(30), batch_size=2**40)
    assert losses.shape == (1,)


def test_weights_do_not_change_at_a_loss_that_is_not_finite() -> None:
    model, events = model_named("BPR", 16), some_events(150)
    spoilt = int(events[120, 2])
    with torch.no_grad():
        model.item_table[spoilt] = torch.inf  # type: ignore[index]
    first = int((events[:, 2:] == spoilt).any(1).nonzero()[0]) // 10
    losses, tables = compiled_steps(model, events, batch_size=10)
    assert len(losses) == first + 1
    assert losses[:-1].isfinite().all()
    assert not losses[-1].isfinite()
    assert all(not table.gradients.any() for table in tables)


@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_uses_every_target_once_and_lowers_the_loss(name: str) -> None:
    observer = RecordingObserver()
    loop = loop_of(name, observer, learning_rate=0.05)
    assert loop.own_epochs is not None
    first, _, targets = loop.epoch(1)
    assert targets == observer.targets[-1] == SPLIT.n_targets
    for number in range(2, 8):
        mean, _, targets = loop.epoch(number)
        assert targets == SPLIT.n_targets
    assert mean < 0.9 * first


def test_the_pairs_equal_those_of_the_plain_loop() -> None:
    loop = loop_of("FPMC")
    assert loop.own_epochs is not None
    ours = sorted(map(tuple, loop.own_epochs._events[:, :3].tolist()))
    plain = []
    for batch in loop.batches.epoch(np.random.default_rng(0)):
        at = batch.supervised
        users = torch.repeat_interleave(batch.users, batch.offsets.diff())
        parts = torch.stack([users[at], batch.items[at], batch.targets[at]], dim=1)
        plain += map(tuple, parts.tolist())
    assert ours == sorted(plain)


def test_optimiser_and_average_end_as_in_the_plain_loop() -> None:
    loop, plain = loop_of("FPMC"), loop_of("FPMC")
    plain.own_epochs = None
    loop.epoch(1)
    plain.epoch(1)
    ours, theirs = (each.optimiser.state_dict()["state"] for each in (loop, plain))
    assert {place: set(values) for place, values in ours.items()} == {
        place: set(values) for place, values in theirs.items()
    }
    steps = -(-SPLIT.n_targets // 64)
    assert int(ours[0]["step"]) == loop.average.steps == steps
    assert ours[0]["exp_avg"].shape == theirs[0]["exp_avg"].shape


def test_large_tables_with_own_memory_are_trained_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loops = [loop_of("TransRec")]
    monkeypatch.setattr(flat, "SMALL_ELEMENTS", 1)
    loops.append(loop_of("TransRec"))
    assert [len(loop.flat.weights) for loop in loops] == [1, 4]
    assert loops[0].epoch(1)[0] == loops[1].epoch(1)[0]
    for pair in zip(*(loop.model.parameters() for loop in loops), strict=True):
        assert torch.equal(*pair)
    averages = [torch.cat([v.flatten() for v in loop.average.values]) for loop in loops]
    assert torch.equal(*averages)


@pytest.mark.parametrize(
    "values",
    [
        {"weight_decay": 0.1},
        {"optimiser": "adamw"},
        {"learner": "sgd"},
        {"clip_norm": 1.0},
        {"warmup_steps": 5},
        {"loss": "BCE"},
        {"negative_count": 2},
        {"negative_candidates": 3},
        {"shared_negatives": True},
        {"negatives": "in_batch"},
    ],
    ids=str,
)
def test_unsupported_settings_are_left_to_pytorch(values: dict[str, object]) -> None:
    assert loop_of("FPMC", **values).own_epochs is None


def test_without_kernels_pytorch_trains() -> None:
    with library.at_most(library.NONE):
        assert loop_of("FPMC").own_epochs is None
    assert loop_of("FPMC").own_epochs is not None


def test_negatives_by_popularity_work_in_compiled_code() -> None:
    loop = loop_of("FPMC", negatives="popularity")
    assert loop.own_epochs is not None
    assert loop.epoch(1)[2] == SPLIT.n_targets


def test_windows_are_shuffled_and_their_pairs_stay_together() -> None:
    pairs = loop_of("FPMC").own_epochs
    assert pairs is not None
    first, second = (pairs._order(np.random.default_rng(seed)) for seed in (0, 1))
    assert sorted(first) == sorted(second) == list(range(SPLIT.n_targets))
    assert first.tolist() != second.tolist()
    breaks = (np.diff(first) != 1).sum() + 1
    assert breaks <= len(pairs._sizes)
