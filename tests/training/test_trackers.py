import sys
from pathlib import Path

import pytest

from sasrec.data.corpus import build_corpus
from sasrec.data.synthetic import checkerboard
from sasrec.errors import SettingsError
from sasrec.experiment.run import run_experiment
from sasrec.settings.resolve import resolve_settings
from sasrec.training.progress import LogObserver
from sasrec.training.trackers import TrackedObserver

SMALL = {"hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1, "epochs": 3}


@pytest.mark.filterwarnings("ignore")  # warnings of TensorBoard itself
def test_tensorboard_receives_each_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    values = {**SMALL, "log_tensorboard": True, "checkpoint_dir": str(tmp_path)}
    corpus = build_corpus(checkerboard(users=10), "checkerboard")
    outcome = run_experiment(corpus, resolve_settings(values), observer=LogObserver())
    [folder] = {path.parent for path in tmp_path.rglob("events.out.tfevents*.0")} or {tmp_path}
    events = EventAccumulator(str(folder))
    events.Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert losses == pytest.approx([each.loss for each in outcome.trained.epochs])
    scores = [event.value for event in events.Scalars("ndcg@20")]
    assert scores == pytest.approx([each.score for each in outcome.trained.epochs])


@pytest.mark.filterwarnings("ignore")  # warnings of TensorBoard itself
def test_two_runs_are_two_curves(tmp_path: Path) -> None:
    values = {**SMALL, "log_tensorboard": True, "checkpoint_dir": str(tmp_path)}
    corpus = build_corpus(checkerboard(users=10), "checkerboard")
    for _ in range(3):  # even within one second
        run_experiment(corpus, resolve_settings(values), observer=LogObserver())
    folders = [path.parent for path in tmp_path.glob("sasrec/*/events.out.tfevents*")]
    assert len(folders) == len(set(folders)) == 3


def test_a_missing_tracker_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def tracked(name: str) -> TrackedObserver:
        return TrackedObserver(
            LogObserver(), trackers=[name], project="p", folder=tmp_path, settings={}
        )

    from accelerate import tracking

    monkeypatch.setattr(tracking, "get_available_trackers", lambda: ["tensorboard"])
    with pytest.raises(
        SettingsError, match=r"wandb is not installed; .*pip install accelerate tensorboard"
    ):
        tracked("wandb")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(
        SettingsError, match=r"needs Accelerate; .*pip install accelerate tensorboard"
    ):
        tracked("tensorboard")
