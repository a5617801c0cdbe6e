"""Data are read, split and counted once per run, for every command and function."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sasrec
from sasrec.cli.app import app
from sasrec.comparison import start
from sasrec.experiment import evaluate, prepared, train, train_into

DATA = "synthetic:users=30,items=20,length=7"
FEW = {"epochs": 1, "n_layers": 1, "hidden_size": 16, "n_heads": 1, "inner_size": 16}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Number of times that data are read, split, counted and examined."""
    counter: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        original: Callable[..., object] = getattr(module, name)

        def call(*given: object, **named: object) -> object:
            counter[name] += 1
            return original(*given, **named)

        monkeypatch.setattr(module, name, call)

    for module in (train, train_into, evaluate, start):
        counted(module, "load_corpus")
    for name in ("make_split", "item_counts", "facts_of"):
        counted(prepared, name)
    import sasrec.models.popularity

    counted(sasrec.models.popularity, "item_counts")
    return counter


ONCE = {"load_corpus": 1, "make_split": 1, "item_counts": 1, "facts_of": 1}


def test_training_prepares_its_data_once(calls: Counter[str]) -> None:
    sasrec.train(DATA, FEW)
    assert calls == ONCE


def test_the_command_prepares_its_data_once(calls: Counter[str], tmp_path: Path) -> None:
    words = [f"--{key}={value}" for key, value in FEW.items()]
    out = str(tmp_path / "model")
    app(["train", "-d", DATA, "--out", out, *words], standalone_mode=False)
    assert calls == ONCE


def test_an_evaluation_prepares_its_data_once(calls: Counter[str]) -> None:
    recommender = sasrec.train(DATA, FEW)
    calls.clear()
    sasrec.evaluate(recommender)
    assert calls == ONCE


def test_a_comparison_prepares_its_data_once(calls: Counter[str]) -> None:
    sasrec.compare(DATA, ["FPMC", "BPR"], {"epochs": 1}, seeds=2)
    assert calls == ONCE
