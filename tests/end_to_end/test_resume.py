"""A killed training can be resumed; two trainings cannot write to the same folder."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from forked import Started, ran, started
from sasrec.experiment.checkpoints import CheckpointWriter
from sasrec.experiment.plan import unfinished_plan
from sasrec.training.checkpoint import TrainState, load_state, save_state

DATA = "synthetic:users=200,items=40,length=14"
WORDS = ("train", "-d", DATA, "--hidden_size=16", "--inner_size=16", "--epochs=25", "-o", "model")
ENDLESS = (*WORDS[:-3], "--epochs=100000", "--patience=100000", *WORDS[-2:])


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


def begun(*words: str, cwd: Path, stderr: int = subprocess.DEVNULL) -> Started:
    return started("-m", "sasrec", *words, cwd=cwd, stderr=stderr)


def wait_for(path: Path, process: Started) -> None:
    for _ in range(1200):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.05)


def metrics(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    for each in values["epochs"]:
        del each["seconds"]
    return values


def test_a_killed_and_resumed_training_gives_the_same_result(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    assert command(*WORDS, cwd=whole).returncode == 0
    kept = cut / "model.training.safetensors"
    chance = random.Random(0)
    words = WORDS
    for _ in range(4):
        running = begun(*words, cwd=cut)
        wait_for(kept, running)
        time.sleep(chance.uniform(0, 0.4))
        if running.poll() is None:
            running.kill()
        running.wait()
        words = ("train", "--resume", "model")
        if not kept.exists():
            break
    if kept.exists():  # it may have been killed between saving the model and its end
        ended = command(*words, cwd=cut)
        assert ended.returncode == 0, ended.stderr
    assert metrics(cut / "model") == metrics(whole / "model")
    for name in ("model.safetensors", "settings.json"):
        assert (cut / "model" / name).read_bytes() == (whole / "model" / name).read_bytes()
    # A kill after the model was saved, while the curve is drawn, may leave the lock file.
    assert {path.name for path in cut.iterdir()} - {".model.lock"} == {"model"}


def test_sigterm_keeps_the_best_weights_and_the_checkpoint(tmp_path: Path) -> None:
    running = begun(*ENDLESS, cwd=tmp_path)
    wait_for(tmp_path / "model.training.safetensors", running)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == 130  # not the exit code of a mistake
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert (tmp_path / "model.training.safetensors").is_file()


# Runs the command with Ctrl-C pressed when a function is called.
INTERRUPTED_AT = """
import importlib, os, signal, sys, time
module, name = sys.argv[1].split(":")
def pressed(*given, **named):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
setattr(importlib.import_module(module), name, pressed)
from sasrec.cli.app import main
sys.argv = ["sasrec", *sys.argv[2:]]
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.mark.parametrize(
    ("where", "text", "left"),
    [
        (
            "sasrec.experiment.train_into:draw_curve",
            "interrupted after training; the model is saved in model",
            ["model"],
        ),
        (
            "sasrec.experiment.run:measured",
            "interrupted before the model was saved; 'sasrec train --resume model' resumes "
            "training from the last epoch",
            ["model.training.safetensors"],
        ),
        ("sasrec.experiment.prepared:make_split", "interrupted; nothing was saved", []),
    ],
)
def test_a_signal_outside_of_the_epochs_reports_what_is_saved(
    tmp_path: Path, where: str, text: str, left: list[str]
) -> None:
    words = [*WORDS[:-3], "--epochs=2", *WORDS[-2:]]
    ended = ran("-c", INTERRUPTED_AT, where, *words, cwd=tmp_path)
    assert ended.stderr.splitlines()[-1] == f"error: {text}"
    assert ended.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == left


def test_changes_since_the_interruption_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model.training.safetensors"
    running = begun(*ENDLESS, cwd=tmp_path)
    wait_for(path, running)
    running.kill()
    running.wait()
    now: dict[str, str] = dict(load_state(path)[1]["environment"])
    monkeypatch.setattr("sasrec.experiment.checkpoints.environment", lambda: now)
    unfinished_plan(tmp_path / "model")
    assert caplog.text == ""
    now |= {"threads": "77", "kernels": "none of these"}
    unfinished_plan(tmp_path / "model")
    output = caplog.text
    assert "-> 77" in output
    assert "-> none of these" in output
    assert "torch" not in output


def test_a_second_training_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = begun(*ENDLESS, cwd=tmp_path)
    wait_for(tmp_path / "model.training.safetensors", first)
    second = command(*WORDS, "--overwrite", cwd=tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.returncode == 2
    assert "another training is writing to model" in second.stderr
    third = command("train", "--resume", "model", "--seed=3", cwd=tmp_path)
    assert "takes data and settings from the interrupted training" in third.stderr


def test_a_resumed_training_may_have_fewer_epochs_but_not_more(tmp_path: Path) -> None:
    kept = tmp_path / "model.training.safetensors"
    running = begun(*ENDLESS, cwd=tmp_path)
    wait_for(kept, running)
    running.kill()
    running.wait()
    anew = begun(*ENDLESS, cwd=tmp_path, stderr=subprocess.PIPE)
    assert anew.stderr is not None
    output = anew.stderr.readline()
    anew.kill()
    anew.communicate()
    assert "is the checkpoint of an unfinished training" in str(output)
    longer = command("train", "--resume", "model", "--epochs=1000000", cwd=tmp_path)
    assert longer.returncode == 2
    done = len(load_state(kept)[0].epochs)
    assert f"epochs is 1000000; to resume, it must be from {done} (epochs done) to 100000" in (
        longer.stderr
    )
    assert command("train", "--resume", "model", "--epochs=0", cwd=tmp_path).returncode == 2
    ended = command("train", "--resume", "model", f"--epochs={done}", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(metrics(tmp_path / "model")["epochs"]) == done
    assert not kept.exists()


def test_the_best_epoch_before_a_failure_can_be_saved(tmp_path: Path) -> None:
    words = ("train", "-d", DATA, "-o", "model", "--preset=recbole", "--learning_rate=1e30")
    wrong = command(*words, "--train_batch_size=1000000", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "the loss of step 1 of epoch 2 is nan" in wrong.stderr
    output = "'sasrec train --resume model --epochs 1' saves them as a model"
    assert output in wrong.stderr
    ended = command("train", "--resume", "model", "--epochs", "1", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "model" / "model.safetensors").is_file()
    first = command(*words, "--train_batch_size=300", cwd=tmp_path / "model")
    assert first.returncode == 2
    assert "saves them" not in first.stderr


def test_a_failure_without_a_usable_epoch_offers_no_resume(tmp_path: Path) -> None:
    result = {"epoch": 1, "loss": 1.0, "seconds": 1.0, "targets": 9, "score": None}
    kept = CheckpointWriter({}, tmp_path / "model.training.safetensors", None)
    for is_best, good in ((False, 0), (True, 1)):
        epochs = [{**result, "is_best": is_best, "checks_left": 9}]
        kept(TrainState({}, {"epochs": epochs}))
        assert kept.good == good


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train",), "no data are given; add --data"),
        (("train", "--resume", "nowhere"), "no such checkpoint"),
        (("train", "--resume", "nowhere", "-d", DATA), "takes data and settings from"),
        (("train", "--resume", "nowhere", "-m", "GRU4Rec"), "takes data and settings from"),
        (("train", "--resume", "."), "no such checkpoint"),
        (("train", "--resume", "/"), "/ is not a model folder"),
        (("train", "--resume", "m.training.safetensors"), "m.training.safetensors: no such"),
    ],
)
def test_mistakes_end_in_one_line(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ended = command(*words, cwd=tmp_path)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stderr.count("error:") == 1


def test_a_training_cannot_be_resumed_on_other_data(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    rows = [f"u{user},i{(user + step) % 9},{step}" for user in range(40) for step in range(8)]
    path.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    words = [DATA if word == "shop" else word for word in ENDLESS]
    words[words.index(DATA)] = "shop.csv"
    running = begun(*words, cwd=tmp_path)
    wait_for(tmp_path / "model.training.safetensors", running)
    running.kill()
    running.wait()
    path.write_text("\n".join(["user_id,item_id,timestamp", *rows[:-5]]) + "\n")
    ended = command("train", "--resume", "model", cwd=tmp_path)
    assert ended.returncode == 2
    assert "has changed since the training was interrupted" in ended.stderr


def test_a_checkpoint_does_not_say_where_files_are_written(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    words = [*WORDS, "--save_dataset=True", f"--dataset_save_path={elsewhere}"]
    killed = ("-c", INTERRUPTED_AT, "sasrec.experiment.run:measured", *words)
    assert ran(*killed, cwd=tmp_path).returncode == 130
    assert elsewhere.is_dir()  # as given
    shutil.rmtree(elsewhere)
    ended = command("train", "--resume", "model", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert not elsewhere.exists()


def test_a_checkpoint_makes_no_folder_for_logs(tmp_path: Path) -> None:
    words = [*WORDS[:-3], "--epochs=2", *WORDS[-2:], "--keep_training=True"]
    killed = ("-c", INTERRUPTED_AT, "sasrec.experiment.run:measured", *words)
    assert ran(*killed, cwd=tmp_path).returncode == 130
    path = tmp_path / "model.training.safetensors"
    state, about = load_state(path)
    about["settings"]["output"] |= {"log_tensorboard": True, "checkpoint_dir": "planted"}
    save_state(state, about, path)
    ended = command("train", "--resume", "model", cwd=tmp_path)
    assert ended.returncode == 2
    assert "asks for TensorBoard logs in 'planted', which does not exist" in ended.stderr
    assert not (tmp_path / "planted").exists()
