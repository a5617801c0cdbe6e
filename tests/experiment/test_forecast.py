"""A forecast changes nothing, and --dry-run writes nothing."""

import json
from pathlib import Path

import pytest
import torch

import sasrec
from forked import ran
from sasrec.data.sources import load_corpus
from sasrec.errors import SettingsError
from sasrec.experiment import forecast as forecasting
from sasrec.experiment.forecast import Forecast, forecast_of, forecast_unless_short, in_words
from sasrec.experiment.prepared import prepare
from sasrec.experiment.run import run_prepared
from sasrec.settings.resolve import resolve_settings
from sasrec.training.progress import LogObserver

DATA = "synthetic:users=120,items=40,length=12"
SMALL = {"hidden_size": 16, "epochs": 2, "batch_size": 128}


@pytest.mark.parametrize("model", ["SASRec", "GRU4Rec", "BPR", "BERT4Rec"])
def test_a_forecast_does_not_change_the_weights(model: str) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    weights = []
    for forecasts in (0, 1):
        settings = {"hidden_size": 16, "epochs": 2} if model != "BPR" else {"epochs": 2}
        run = resolve_settings(settings, model)
        prepared = prepare(load_corpus(DATA, run.data), run)
        for _ in range(forecasts):
            forecast_of(prepared)
        network = run_prepared(prepared, observer=LogObserver()).recommender.model
        weights.append(network.state_dict())
    assert torch.equal(before, torch.random.get_rng_state())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_a_forecast_has_all_numbers() -> None:
    found = sasrec.forecast(DATA, SMALL)
    assert found.training_seconds > 0
    assert found.validation_seconds > 0
    assert (found.epochs, found.typical_epochs, found.validate_every) == (2, 2, 1)
    assert found.memory_bytes > 50e6
    assert found.gpu_bytes is None
    assert found.as_json()["most_seconds"] == pytest.approx(2 * found.epoch_seconds)
    assert sasrec.forecast(DATA, model="gru4rec", epochs=3, validate_every=0).typical_epochs is None


def test_training_without_validation_is_forecast_without_it() -> None:
    found = sasrec.forecast(DATA, {**SMALL, "split": "none"})
    assert (found.validation_seconds, found.typical_epochs) == (0.0, None)
    assert "typical" not in str(found)
    with pytest.raises(SettingsError, match="with split=none there is no validation"):
        sasrec.forecast(DATA, {"split": "none"})


def test_short_trainings_are_not_measured_long(monkeypatch: pytest.MonkeyPatch) -> None:
    run = resolve_settings(SMALL, "SASRec")
    prepared = prepare(load_corpus(DATA, run.data), run)
    monkeypatch.setattr(forecasting, "SHORT", 1e9)
    assert forecast_unless_short(prepared) is None
    monkeypatch.setattr(forecasting, "SHORT", 0.0)
    assert forecast_unless_short(prepared) is not None


def test_a_forecast_is_a_sentence() -> None:
    found = Forecast(10.4, 1.6, 300, 101, 1, 1_234_000_000)
    assert str(found) == (
        "an epoch takes about 12 s with 1.6 s of validation, a typical training of 101 epochs "
        "20 min, 300 epochs 60 min at most; memory about 1.2 GB"
    )
    assert found.typical_seconds == pytest.approx(101 * 12)
    seldom = Forecast(10.0, 5.0, 300, None, 5, 900_000_000, 2_000_000_000)
    assert seldom.epoch_seconds == 11.0
    assert str(seldom).endswith("memory about 900 MB, on the GPU 2.0 GB")
    assert [in_words(each) for each in (0.04, 12, 600, 7200)] == [
        "0.0 s",
        "12 s",
        "10 min",
        "2.0 h",
    ]


def trained(folder: Path, *words: str) -> tuple[int, str, str]:
    small = [f"--{key.replace('_', '-')}={value}" for key, value in SMALL.items()]
    found = ran("-m", "sasrec", "train", "-d", DATA, *small, *words, cwd=folder)
    return found.returncode, found.stdout, found.stderr


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    code, out, _ = trained(tmp_path, "--dry-run", "--out", "m")
    assert code == 0
    assert out.startswith("forecast: an epoch takes about ")
    assert out.count("\n") == 1
    code, out, _ = trained(tmp_path, "--dry-run", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_finds_the_mistakes_of_the_training(tmp_path: Path) -> None:
    code, out, err = trained(tmp_path, "--out", "m")
    assert code == 0
    assert "forecast" not in out + err  # an epoch is short
    held = sorted(each.name for each in tmp_path.iterdir())
    code, _, err = trained(tmp_path, "--out", "m", "--dry-run")
    assert code == 2
    assert "m already holds a model" in err
    assert trained(tmp_path, "--out", "m", "--dry-run", "--overwrite")[0] == 0
    code, _, err = trained(tmp_path, "--dry-run", "--split=never")
    assert (code, "split" in err) == (2, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == held
