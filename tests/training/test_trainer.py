import re
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.data.synthetic import checkerboard
from sasrec.errors import DeviceError, Interrupted, ModelError, SettingsError
from sasrec.experiment.fitting import training_batches
from sasrec.experiment.run import Outcome, run_experiment
from sasrec.losses import full
from sasrec.losses.objective import training_loss
from sasrec.losses.workspace import Workspace
from sasrec.models.contract import Catalogue
from sasrec.models.popularity import item_counts
from sasrec.models.sasrec import SASRec
from sasrec.settings.registry import LOSSES
from sasrec.settings.resolve import resolve_settings
from sasrec.settings.training import TrainingSettings
from sasrec.system import memory
from sasrec.system.device import pick_device, pick_precision
from sasrec.training.best import Best
from sasrec.training.loop import TrainingLoop
from sasrec.training.optimisers import decay_groups, make_optimiser, make_schedule
from sasrec.training.progress import EpochResult
from sasrec.training.trainer import Trained, Validation, fit

SMALL = {
    "hidden_size": 16,
    "inner_size": 32,
    "n_layers": 1,
    "n_heads": 1,
    "hidden_dropout_prob": 0.0,
    "attn_dropout_prob": 0.0,
    "batch_size": 128,
    "learning_rate": 0.01,
}


class Silent:
    def __init__(self) -> None:
        self.results: list[EpochResult] = []
        self.reason = ""

    def started(self, epochs: int, targets: int) -> None:
        pass

    def advanced(self, epoch: int, targets: int) -> None:
        pass

    def finished_epoch(self, result: EpochResult) -> None:
        self.results.append(result)

    def stopped(self, reason: str) -> None:
        self.reason = reason


@pytest.fixture(scope="module")
def board() -> Corpus:
    return build_corpus(checkerboard(), "checkerboard")


def run(corpus: Corpus, **values: object) -> Outcome:
    return run_experiment(corpus, resolve_settings({**SMALL, **values}), observer=Silent())


def fit_with_scores(scores: list[float], patience: int = 2) -> tuple[Trained, SASRec, list[Tensor]]:
    """Train on the checkerboard with given validation scores, and record the weights at each."""
    corpus = build_corpus(checkerboard(users=10), "checkerboard")
    split = leave_one_out(corpus.sequences)
    settings = resolve_settings({**SMALL, "patience": patience, "epochs": 20, "averaging": 0.0})
    torch.manual_seed(0)
    model = SASRec(settings.model, Catalogue(len(corpus.items), 0, 50))  # type: ignore[arg-type]
    seen: list[Tensor] = []
    following = iter(scores)

    def validate() -> float:
        seen.append(model.item_table.detach().clone())
        score = next(following)
        if np.isinf(score):
            raise KeyboardInterrupt
        return score

    loss = training_loss(
        settings.training, counts=item_counts(split, len(corpus.items)), device=torch.device("cpu")
    )
    loop = TrainingLoop(
        model,
        training_batches(split, settings),
        loss,
        settings=settings.training,
        observer=Silent(),
    )
    trained = fit(loop, validation=Validation(validate))
    return trained, model, seen


@pytest.mark.parametrize("loss", LOSSES)
def test_model_learns_the_checkerboard(board: Corpus, loss: str) -> None:
    outcome = run(board, loss=loss, epochs=60, metrics="hit", topk=1, patience=100)
    sasrec, popularity, *_ = outcome.reports
    assert sasrec.test["hit@1"] >= 0.95
    assert popularity.test["hit@1"] <= 0.2


def test_model_beats_popularity_on_hidden_markov_data() -> None:
    corpus = load_corpus("synthetic:users=600,items=60,topics=6", resolve_settings().data)
    outcome = run(corpus, epochs=12)
    sasrec, popularity, markov, *_ = (report.test["ndcg@10"] for report in outcome.reports)
    assert sasrec > 1.5 * popularity
    assert markov > 1.2 * popularity


def test_weights_depend_only_on_the_seed(board: Corpus) -> None:
    first, again, other = (run(board, epochs=2, seed=seed) for seed in (1, 1, 2))
    tables = [each.recommender.model.item_table for each in (first, again, other)]
    assert all(isinstance(table, Tensor) for table in tables)
    assert torch.equal(tables[0], tables[1])  # type: ignore[arg-type]
    assert not torch.equal(tables[0], tables[2])  # type: ignore[arg-type]


def test_stops_after_more_than_patience_checks_without_progress() -> None:
    trained, _, _ = fit_with_scores([0.1, 0.3, 0.2, 0.2, 0.2, 0.9], patience=2)
    assert (len(trained.epochs), trained.best_epoch) == (5, 2)
    assert trained.stopped_because == "no new best in 3 validations"


def test_equal_to_the_best_counts_as_progress() -> None:
    trained, _, _ = fit_with_scores([0.3, 0.2, 0.2, 0.3, 0.1, 0.1, 0.1], patience=2)
    assert (len(trained.epochs), trained.best_epoch) == (7, 4)


def test_best_weights_are_kept_not_the_last() -> None:
    trained, model, seen = fit_with_scores([0.1, 0.3, 0.2, 0.2, 0.2], patience=2)
    assert trained.best_epoch == 2
    assert torch.equal(model.item_table, seen[1])
    assert not torch.equal(model.item_table, seen[-1])


def test_interruption_keeps_the_best_so_far() -> None:
    trained, model, seen = fit_with_scores([0.1, 0.3, 0.2, float("inf")])
    assert trained.interrupted
    assert torch.equal(model.item_table, seen[1])


def test_interruption_before_the_first_validation_is_reported() -> None:
    with pytest.raises(Interrupted, match="nothing was saved"):
        fit_with_scores([float("inf")])


def test_a_loss_that_is_not_finite_stops_training_with_advice(board: Corpus) -> None:
    observer = Silent()
    with pytest.raises(ModelError) as caught:
        run_experiment(
            board,
            resolve_settings({**SMALL, "learning_rate": 1e30, "epochs": 5}),
            observer=observer,
        )
    assert re.search(
        r"the loss of step 2 of epoch 1 is nan, at a learning rate of 1e\+30; "
        r"largest gradients: [\w.]+ [\d.e+-]+, [\w.]+ [\d.e+-]+, [\w.]+ [\d.e+-]+; "
        r"try a smaller learning_rate, clip_norm=1, or precision=float32",
        str(caught.value),
    )
    assert observer.reason == "an error"


def test_the_error_lists_the_largest_weights_if_there_are_no_gradients(board: Corpus) -> None:
    settings = resolve_settings({"learning_rate": 1e30, "epochs": 5}, "FPMC")
    with pytest.raises(ModelError) as caught:
        run_experiment(board, settings, observer=Silent())
    assert re.search(
        r"the loss of step \d+ of epoch \d+ is nan, at a learning rate of 1e\+30; "
        r"largest (weights|gradients): [\w.]+ [\d.e+-]+, ",
        str(caught.value),
    )


def test_one_warning_for_a_loss_above_that_of_random_weights(
    board: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    run(board, preset="recbole", learning_rate=1e3, epochs=3)
    [said] = [each.getMessage() for each in caplog.records if "diverges" in each.getMessage()]
    assert re.fullmatch(
        r"the mean loss of epoch 1 is [\d.e+]+, and with random weights it was \d\.\d+: training "
        r"diverges at a learning rate of 1e\+03; try a smaller learning_rate, .*",
        said,
    )
    caplog.clear()
    run(board, preset="recbole", epochs=3)
    assert not [each for each in caplog.records if "diverges" in each.getMessage()]


def test_weights_that_are_not_finite_are_never_the_best() -> None:
    model = torch.nn.Linear(2, 1)
    best = Best(model)  # type: ignore[arg-type]
    assert best.consider(1, 0.1)
    kept = best.weights["weight"].clone()
    with torch.no_grad():
        model.bias.fill_(torch.nan)
    assert not best.consider(2, 0.9)
    best.keep_latest(3)
    assert (best.epoch, best.score, best.stale) == (1, 0.1, 1)
    best.restore()
    assert torch.equal(model.weight, kept)
    assert model.bias.isfinite().all()


def test_only_weights_that_are_not_finite_is_an_error() -> None:
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.fill_(torch.inf)
    best = Best(model)  # type: ignore[arg-type]
    best.consider(1, 0.5)
    with pytest.raises(ModelError, match="no model to keep; try a smaller learning_rate"):
        best.restore()


def test_bfloat16_learns_like_float32(board: Corpus) -> None:
    losses = [
        run(board, precision=precision, epochs=5).trained.epochs[-1].loss
        for precision in ("float32", "bfloat16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)  # 8 bits of mantissa
    assert losses[1] != losses[0]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bfloat16"),
        ({"bf16": True}, "bfloat16"),
        ({"avx512_bf16": False, "avx2": True}, "float32"),
        ({}, "float32"),
    ],
)
def test_bfloat16_is_chosen_only_if_the_processor_has_it(
    flags: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    cpu = torch.device("cpu")
    assert pick_precision("auto", cpu) == expected
    assert [pick_precision(name, cpu) for name in ("float32", "bfloat16")] == [
        "float32",
        "bfloat16",
    ]


def test_the_precision_used_is_recorded(board: Corpus) -> None:
    recorded = run(board, epochs=1, precision="bfloat16").recommender.environment
    assert (recorded["precision"], recorded["device"]) == ("bfloat16", "cpu")


CHANGES: dict[str, object] = {
    "loss": "BPR",
    "epochs": 3,
    "batch_size": 64,
    "learning_rate": 0.002,
    "weight_decay": 0.1,
    "context": 0.0,
    "averaging": 0.5,
    "seed": 7,
    "optimiser": "sgd",
    "clip_norm": 0.01,
    "shuffle": False,
    "label_smoothing": 0.2,
    "adam_beta2": 0.9,
    "warmup_steps": 5,
    "schedule": "cosine",
}
OF_NEGATIVES: dict[str, object] = {
    "negatives": "popularity",
    "negative_count": 3,
    "negative_candidates": 4,
    "shared_negatives": True,
}
# Each of these has its own test in this file.
ELSEWHERE = {
    "validate_every",
    "patience",
    "device",
    "precision",
    "gpu_id",
    "deterministic",
    "negative_alpha",
    "clip_norm_type",
    "gbce_calibration",
    "correct_sampling",
    "score_penalty",
    "decay_matrices_only",
}


def test_no_training_setting_is_without_a_test() -> None:
    assert set(CHANGES) | set(OF_NEGATIVES) | ELSEWHERE == set(TrainingSettings.model_fields)


@pytest.mark.parametrize(("key", "value"), [*CHANGES.items(), ("max_history", 8)])
def test_every_setting_changes_the_weights(board: Corpus, key: str, value: object) -> None:
    few = {"epochs": 2, "max_history": 5}  # shorter than the histories, so that context matters
    usual, changed = (run(board, **{**few, **extra}) for extra in ({}, {key: value}))
    tables = [each.recommender.model.item_table for each in (usual, changed)]
    assert not torch.equal(tables[0], tables[1])  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "value"), OF_NEGATIVES.items())
def test_every_setting_of_negatives_changes_the_weights(
    board: Corpus, key: str, value: object
) -> None:
    usual, changed = (run(board, loss="BPR", epochs=2, **extra) for extra in ({}, {key: value}))
    tables = [each.recommender.model.item_table for each in (usual, changed)]
    assert not torch.equal(tables[0], tables[1])  # type: ignore[arg-type]


def test_a_cosine_ends_at_zero_with_small_batches_of_long_windows(board: Corpus) -> None:
    settings = {"schedule": "cosine", "epochs": 3, "batch_size": 2, "validate_every": 0}
    run_settings = resolve_settings(settings)
    batches = training_batches(leave_one_out(board.sequences), run_settings)
    counted = sum(1 for _ in batches.epoch(np.random.default_rng(1)))
    assert batches.n_targets / 2 > 1.5 * counted
    assert batches.n_steps == pytest.approx(counted, rel=0.1)


def test_rates_rise_evenly_and_then_fall_like_half_a_cosine() -> None:
    settings = TrainingSettings(warmup_steps=4, schedule="cosine", learning_rate=0.1)
    weight = nn.Parameter(torch.zeros(1))
    optimiser = make_optimiser([weight], settings)
    schedule = make_schedule(optimiser, settings, total_steps=12)
    assert schedule is not None
    rates = []
    for _ in range(13):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert rates[8] == pytest.approx(0.05)
    assert rates[12] == pytest.approx(0)
    assert make_schedule(optimiser, TrainingSettings(), total_steps=12) is None


def test_only_matrices_of_linear_layers_decay_if_asked(board: Corpus) -> None:
    model = run(board, epochs=1).recommender.model
    decaying, others = decay_groups(model, TrainingSettings(decay_matrices_only=True))
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert {names[id(weight)].rpartition(".")[0] for weight in decaying} == {
        f"blocks.0.{part}"
        for part in (
            "attention.query_key_value",
            "attention.output",
            "feed_forward.up",
            "feed_forward.down",
        )
    }
    assert all(weight.dim() == 2 for weight in decaying)
    assert len(decaying) + len(others) == len(names)
    # Strong decay reduces the decaying weights to nearly 0, while the others learn.
    heavy = {"weight_decay": 500, "learning_rate": 1e-3, "optimiser": "adamw", "epochs": 6}
    some = run(board, decay_matrices_only=True, **heavy).recommender.model
    every = run(board, **heavy).recommender.model
    for outcome, decays in ((some, False), (every, True)):
        left = outcome.item_table
        assert left is not None
        assert (left.abs().max() < 0.01) == decays
        assert outcome.blocks[0].feed_forward.up.weight.abs().max() < 0.01  # type: ignore[union-attr, index]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"])
def test_every_optimiser_lowers_the_loss(board: Corpus, name: str) -> None:
    rate = 1.0 if name == "sgd" else 0.01
    epochs = run(board, optimiser=name, learning_rate=rate, epochs=8).trained.epochs
    assert epochs[-1].loss < epochs[0].loss


def test_long_gradients_are_clipped_by_the_chosen_norm(board: Corpus) -> None:
    by_length, by_element = (
        run(board, epochs=2, clip_norm=0.01, clip_norm_type=kind).recommender.model.item_table
        for kind in (2.0, float("inf"))
    )
    assert not torch.equal(by_length, by_element)  # type: ignore[arg-type]


def test_no_validation_trains_all_epochs_and_keeps_the_last(board: Corpus) -> None:
    trained = run(board, epochs=4, validate_every=0, patience=0).trained
    assert (len(trained.epochs), trained.best_epoch) == (4, 4)


def test_unknown_devices_and_gpus_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="device is 'gpu'; choose"):
        pick_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto", "1,0") == torch.device("cuda", 1)
    problem = "gpu_id is '2', but this machine has 2 GPUs; the largest number is 1"
    with pytest.raises(DeviceError, match=problem):
        pick_device("cuda", "2")


def test_validation_happens_when_asked(board: Corpus) -> None:
    trained = run(board, epochs=5, validate_every=2).trained
    assert [each.score is not None for each in trained.epochs] == [False, True, False, True, True]


def test_a_missing_gpu_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no usable GPU"):
        pick_device("cuda")
    assert pick_device("auto") == torch.device("cpu")


def test_curve_is_a_picture(board: Corpus, tmp_path: Path) -> None:
    from sasrec.training.curve import draw_curve

    draw_curve(run(board, epochs=2).recommender.metrics, "mrr@10", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_more_patience_trains_longer() -> None:
    scores = [0.3, 0.1, 0.1, 0.1, 0.1, 0.1]
    lengths = [len(fit_with_scores(scores, patience=patience)[0].epochs) for patience in (0, 1, 3)]
    assert lengths == [2, 3, 5]


def test_a_nan_score_is_never_the_best() -> None:
    trained, _, _ = fit_with_scores([0.1, float("nan"), float("nan")], patience=1)
    assert trained.best_epoch == 1
    with pytest.raises(ModelError, match="in every epoch the validation score"):
        fit_with_scores([float("nan")] * 3, patience=1)


def test_interruption_says_which_epoch_is_kept() -> None:
    trained, _, _ = fit_with_scores([0.1, 0.3, float("inf")])
    assert trained.stopped_because == "interrupted; the weights of epoch 2 are kept"
    assert (trained.best_epoch, len(trained.epochs)) == (2, 2)


def test_without_validation_the_last_epoch_is_kept() -> None:
    corpus = build_corpus(checkerboard(length=3), "three events a user")
    trained = run(corpus, epochs=3).trained
    assert (trained.best_epoch, trained.stopped_because) == (3, "reached 3 epochs")
    assert [each.score for each in trained.epochs] == [None] * 3


def test_metrics_depend_only_on_the_seed(board: Corpus) -> None:
    first, again, other = (run(board, epochs=3, seed=seed) for seed in (1, 1, 2))
    assert first.reports == again.reports
    losses = [[each.loss for each in one.trained.epochs] for one in (first, again, other)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_training_neither_uses_nor_changes_global_random_states(board: Corpus) -> None:
    torch.manual_seed(1)
    first = run(board, epochs=1)
    torch.manual_seed(2)
    np.random.seed(3)
    before, before_numpy = torch.get_rng_state(), np.random.get_state()[1]
    second = run(board, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], before_numpy)
    assert first.reports == second.reports


def test_a_metric_where_lower_is_better_is_minimised(board: Corpus) -> None:
    outcome = run(board, epochs=6, valid_metric="averagepopularity@3", averaging=0.0)
    scores = [each.score for each in outcome.trained.epochs]
    assert all(score is not None and score > 0 for score in scores)
    best = min(score for score in scores if score is not None)
    assert scores[outcome.trained.best_epoch - 1] == best
    assert outcome.trained.epochs[0].merit == -scores[0]


def test_loss_against_negatives_needs_two_items() -> None:
    corpus = build_corpus(checkerboard(users=3, items=2), "one item a user")
    assert run(corpus, loss="BPR", epochs=1).trained.best_epoch == 1
    settings = resolve_settings({"loss": "BPR"}).training
    with pytest.raises(SettingsError, match="at least two items"):
        training_loss(settings, counts=np.array([0, 3]), device=torch.device("cpu"))


def test_a_run_leaves_no_state_behind(board: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Workspace]] = []

    class Watched(Workspace):
        def __init__(self) -> None:
            super().__init__()
            made.append(weakref.ref(self))

    monkeypatch.setattr(full, "Workspace", Watched)
    run(board, epochs=1)
    assert len(made) == 1
    assert made[0]() is None
    assert memory._owners == 0
    assert not torch.are_deterministic_algorithms_enabled()
