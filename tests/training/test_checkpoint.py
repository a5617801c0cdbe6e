"""A resumed training ends with the same weights and metrics as an uninterrupted one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.synthetic import hidden_markov
from sasrec.errors import ModelError
from sasrec.experiment.run import Outcome, run_experiment
from sasrec.settings.resolve import resolve_settings
from sasrec.training.checkpoint import TrainState, load_state, save_state
from sasrec.training.progress import LogObserver

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "inner_size": 16,
    "n_layers": 1,
    "n_heads": 2,
    "batch_size": 64,
    "max_history": 8,
    "epochs": 6,
}
CASES = {
    "softmax": {},
    "negatives": {"loss": "BPR", "negatives": "popularity", "negative_count": 3},
    "schedule": {"schedule": "cosine", "warmup_steps": 7, "optimiser": "adamw"},
    "decay": {"weight_decay": 0.1, "decay_matrices_only": True, "averaging": 0.0},
    "momentless": {"optimiser": "adagrad", "event_dropout_prob": 0.2},
    "times": {"relative_bias": "both"},
}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_corpus(hidden_markov(users=60, items=30, length=14, topics=4), "small")


class Killed(Exception):  # noqa: N818
    """Raised to simulate a killed process."""


def trained(corpus: Corpus, values: dict[str, Any], **rest: Any) -> Outcome:
    return run_experiment(
        corpus, resolve_settings({**SMALL, **values}), observer=LogObserver(), **rest
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("after", [1, 4])
def test_a_resumed_training_ends_with_the_same_weights_and_metrics(
    corpus: Corpus, case: str, after: int, tmp_path: Path
) -> None:
    whole = trained(corpus, CASES[case])
    path = tmp_path / "training.safetensors"

    def keep(state: TrainState) -> None:
        save_state(state, {"note": case}, path)
        if len(state.epochs) == after:
            raise Killed

    with pytest.raises(Killed):
        trained(corpus, CASES[case], keep=keep)
    state, about = load_state(path)
    assert (len(state.epochs), about) == (after, {"note": case})
    torch.manual_seed(999)  # other random numbers in the meantime do not matter
    again = trained(corpus, CASES[case], resume_from=state)
    ours, theirs = (each.recommender.model.state_dict() for each in (again, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert again.reports == whole.reports
    assert again.trained.best_epoch == whole.trained.best_epoch
    losses = [[each.loss for each in one.trained.epochs] for one in (again, whole)]
    assert losses[0] == losses[1]


def test_early_stopping_continues_after_resuming(corpus: Corpus, tmp_path: Path) -> None:
    values = {"epochs": 60, "patience": 2, "learning_rate": 0.05}
    whole = trained(corpus, values)
    stopped = len(whole.trained.epochs)
    assert stopped < 60
    path = tmp_path / "training.safetensors"
    states: list[int] = []

    def keep(state: TrainState) -> None:
        states.append(len(state.epochs))
        save_state(state, {}, path)
        if len(state.epochs) == stopped:  # killed after the last epoch, before the model is saved
            raise Killed

    with pytest.raises(Killed):
        trained(corpus, values, keep=keep)
    again = trained(corpus, values, resume_from=load_state(path)[0])
    assert states == list(range(1, stopped + 1))
    assert len(again.trained.epochs) == stopped
    assert again.trained.stopped_because == whole.trained.stopped_because
    assert again.reports == whole.reports


def test_a_state_of_another_model_is_refused(corpus: Corpus) -> None:
    states: list[TrainState] = []
    trained(corpus, {"epochs": 1}, keep=states.append)
    with pytest.raises(ModelError, match="does not fit this training"):
        trained(corpus, {"epochs": 2, "n_layers": 2}, resume_from=states[0])


def _set(state: TrainState, path: tuple[str, ...], value: object) -> None:
    place = state.facts
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda s: s.tensors.update({"weights.0": torch.zeros(1)}), "weights.0 has shape"),
        (
            lambda s: s.tensors["weights.0"].fill_(torch.nan),
            "contains NaN or infinity; start a new training",
        ),
        (
            lambda s: s.tensors["average.0"].fill_(torch.inf),
            "contains NaN or infinity; start a new training",
        ),
        (lambda s: s.tensors.pop("best.norm.weight"), "best.norm.weight"),
        (lambda s: s.tensors.update({"best.norm.weight": torch.zeros(2)}), "has shape"),
        (
            lambda s: [s.tensors.pop(k) for k in list(s.tensors) if k.startswith("optim")],
            "the state of the optimiser is missing",
        ),
        (lambda s: _set(s, ("epochs",), []), "it has no epochs"),
        (lambda s: _set(s, ("epochs",), [{"epoch": 1}]), "missing"),
        (lambda s: _set(s, ("epochs",), 3), "not iterable"),
        (lambda s: _set(s, ("best", "score"), "x"), "is not a number"),
        (lambda s: _set(s, ("best", "score"), None), "is not a number"),
        (lambda s: _set(s, ("best", "stale"), "x"), "is not a number"),
        (lambda s: _set(s, ("average_steps",), "x"), "is not a number"),
        (lambda s: _set(s, ("best",), {}), "epoch"),
        (lambda s: _set(s, ("order",), {}), "does not fit"),
    ],
)
def test_an_edited_state_is_refused(
    corpus: Corpus, edit: Callable[[TrainState], object], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "training.safetensors"
    trained(corpus, {"epochs": 1}, keep=lambda state: save_state(state, {}, path))
    state, _ = load_state(path)
    edit(state)
    with pytest.raises(ModelError, match="does not fit this training: ") as caught:
        trained(corpus, {"epochs": 2}, resume_from=state)
    assert reason in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "short", "other", "empty"])
def test_a_broken_file_is_reported(corpus: Corpus, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "training.safetensors"
    trained(corpus, {"epochs": 1}, keep=lambda state: save_state(state, {}, path))
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "short":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "other":
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(1)}, path)
    else:
        path.write_bytes(b"")
    with pytest.raises(
        ModelError,
        match=r"no such checkpoint|is damaged or not a|is not a checkpoint: it",
    ):
        load_state(path)


def test_a_failed_checkpoint_leaves_the_previous_one(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "training.safetensors"
    trained(corpus, {"epochs": 1}, keep=lambda state: save_state(state, {"n": 1}, path))
    before = path.read_bytes()

    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sasrec.system.writing.os.replace", full)
    with pytest.raises(ModelError, match=r"could not be saved.*No space left on device"):
        trained(corpus, {"epochs": 1}, keep=lambda state: save_state(state, {"n": 2}, path))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
