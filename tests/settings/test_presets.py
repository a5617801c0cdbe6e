"""Each preset can be resolved, differs from the defaults, and gives a model that can be trained."""

from dataclasses import replace

import numpy as np
import pytest

from sasrec.data.corpus import build_corpus
from sasrec.data.sequences import Sequences
from sasrec.data.splits import leave_one_out
from sasrec.data.synthetic import checkerboard
from sasrec.experiment.facts import facts_of
from sasrec.experiment.run import run_experiment
from sasrec.settings.files import Layer
from sasrec.settings.origin import COMMAND_LINE, PYTHON, Origin
from sasrec.settings.presets import PRESETS, DataFacts
from sasrec.settings.resolve import adapted, resolve_layers, resolve_settings
from sasrec.training.progress import LogObserver

MANY = DataFacts(items=3_000, targets=900_000, histories=np.full(6_000, 150))
TIMED = replace(MANY, times_informative=True)
FEW = DataFacts(items=1_000, targets=20_000, histories=np.full(4_000, 6))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_resolves_names_its_source_and_is_not_the_default(name: str) -> None:
    run, plain = resolve_settings(preset=name), resolve_settings()
    assert run.preset == name
    assert run.groups() != plain.groups()
    assert run.as_json()["preset"] == name
    assert len(PRESETS[name].source) > 10


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains(name: str) -> None:
    corpus = build_corpus(checkerboard(users=30), "checkerboard")
    few = {"epochs": 1, "batch_size": 64}
    outcome = run_experiment(corpus, resolve_settings(few, preset=name), observer=LogObserver())
    assert outcome.trained.epochs[0].loss > 0
    assert outcome.recommender.settings["preset"] == name


def test_the_best_preset_adapts_to_the_data() -> None:
    run = resolve_settings(preset="best")
    few, many = adapted(run, FEW), adapted(run, MANY)
    assert (few.data.max_history, many.data.max_history) == (50, 100)
    assert few.model.n_layers < many.model.n_layers  # type: ignore[attr-defined]
    assert few.model.hidden_size < many.model.hidden_size  # type: ignore[attr-defined]
    timed = adapted(run, TIMED)
    assert timed.model.relative_bias == "time"  # type: ignore[attr-defined]
    assert many.model.relative_bias == "none"  # type: ignore[attr-defined]
    assert few.origins["max_history"] == Origin("adapted preset", "best")
    assert few.groups() != many.groups()


def test_values_of_the_user_are_never_adapted() -> None:
    own = {"max_history": 7, "hidden_size": 12, "n_heads": 3}
    run = adapted(resolve_settings(own, preset="best"), MANY)
    assert run.data.max_history == 7
    assert run.origins["max_history"] == PYTHON
    assert run.model.model_dump(include=set(own)) == {"hidden_size": 12, "n_heads": 3}


def test_a_width_that_heads_cannot_share_gets_one_head() -> None:
    run = adapted(resolve_settings({"hidden_size": 7}, preset="best"), MANY)
    assert run.model.model_dump(include={"hidden_size", "n_heads"}) == {
        "hidden_size": 7,
        "n_heads": 1,
    }


def test_presets_that_do_not_depend_on_the_data_are_unchanged() -> None:
    run = resolve_layers([Layer(COMMAND_LINE, {"preset": "paper"})], preset="best")
    assert adapted(run, MANY) is run
    assert adapted(resolve_settings(), MANY) == resolve_settings()


def test_facts_describe_the_training_part_only() -> None:
    corpus = build_corpus(checkerboard(users=30, length=9), "checkerboard")
    split = leave_one_out(corpus.sequences)
    facts = facts_of(split, n_items=len(corpus.items))
    assert facts.histories.tolist() == [7] * 30
    assert facts.targets == 30 * 6
    assert facts.items == len(corpus.items)
    assert not facts.times_informative  # all events are one step apart


@pytest.mark.parametrize(
    ("times", "tell"),
    [
        ([0, 1, 2, 3, 4], False),
        ([7, 17, 27, 37, 47], False),
        ([0, 1, 2, 9, 20], False),  # only validation and test are unevenly spaced
        ([0, 1, 5, 6, 7], True),
        (None, False),
    ],
)
def test_times_are_informative_if_training_events_are_unevenly_spaced(
    times: list[int] | None, tell: bool
) -> None:
    items = np.array([1, 2, 3, 1, 2], dtype=np.int32)
    moments = None if times is None else np.array(times, dtype=np.float64)
    split = leave_one_out(Sequences(items, moments, np.array([0, 5])))
    assert facts_of(split, n_items=3).times_informative == tell
