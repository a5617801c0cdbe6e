"""The Python functions train, resume, evaluate and compare."""

import inspect
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import sasrec
from sasrec.errors import DataError, Interrupted, SettingsError, SeveralMistakesError
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.keywords import Keywords
from sasrec.settings.output import OutputSettings
from sasrec.settings.registry import MODELS
from sasrec.settings.training import TrainingSettings
from sasrec.training.bars import BarObserver, default_observer
from sasrec.training.progress import EpochResult, LogObserver

DATA = "synthetic:users=30,items=20,length=7"
FEW: dict[str, Any] = {
    "epochs": 3,
    "n_layers": 1,
    "hidden_size": 16,
    "n_heads": 1,
    "inner_size": 16,
}


class Impatient(LogObserver):
    """Simulates Ctrl-C after the first epoch, outside the training loop."""

    def finished_epoch(self, result: EpochResult) -> None:
        if result.epoch == 2:
            raise RuntimeError("the power is gone")


def frame() -> pl.DataFrame:
    rows = [(f"u{user}", f"i{(user + step) % 9}", step) for user in range(12) for step in range(8)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def weights(recommender: sasrec.Recommender) -> list[bytes]:
    return [value.numpy().tobytes() for value in recommender.model.state_dict().values()]


def test_keyword_settings_override_the_mapping() -> None:
    recommender = sasrec.train(DATA, FEW, epochs=1, topk=(3,))
    assert recommender.settings["training"]["epochs"] == 1
    assert next(iter(recommender.metrics["reports"][0]["test"])) == "recall@3"


def test_an_unknown_keyword_is_reported_with_a_suggestion() -> None:
    with pytest.raises(SettingsError, match="did you mean 'epochs'"):
        sasrec.train(DATA, epoch=3)  # type: ignore[call-arg]


def test_editors_know_every_setting() -> None:
    groups: list[Any] = [DataSettings, TrainingSettings, EvaluationSettings, OutputSettings]
    groups += [MODELS[name].Settings for name in MODELS.built_in]
    known = {key for group in groups for key in group.model_fields}
    assert set(Keywords.__annotations__) == known | {"preset"}


def test_every_public_name_is_found_and_documented() -> None:
    assert set(sasrec.__all__) <= set(dir(sasrec))
    for name in sasrec.__all__:
        assert inspect.getdoc(getattr(sasrec, name)), name


def test_an_evaluation_is_printed_as_tables() -> None:
    recommender = sasrec.train(DATA, FEW, epochs=1, topk=(3,), metrics=("ndcg", "hit"))
    found = sasrec.evaluate(recommender)
    tables = str(found).split("\n\n")
    assert tables[0].startswith("synthetic:users=30,items=20,length=7: 30 users, ")
    for part, table in zip(("validation", "test"), tables[1:], strict=True):
        title, head, own, *_ = table.splitlines()
        assert (title, head.split()) == (part, ["model", "NDCG@3", "Hit@3"])
        values = getattr(found.report, part)
        assert own.split() == ["SASRec", *(f"{values[key]:.4f}" for key in ("ndcg@3", "hit@3"))]
    assert repr(found).startswith("<Evaluation of SASRec on synthetic:users=30,items=20,length=7, ")
    assert f"test: ndcg@3 {found.report.test['ndcg@3']:.4f}, hit@3 " in repr(found)
    assert "array" not in repr(found) + repr(found.report)
    shown: list[str] = []
    found._repr_pretty_(SimpleNamespace(text=shown.append), cycle=False)
    assert shown == [str(found)]


def test_an_interrupted_training_is_resumed_from_python(tmp_path: Path) -> None:
    whole = sasrec.train(DATA, FEW, out=tmp_path / "whole")
    with pytest.raises(RuntimeError):
        sasrec.train(DATA, FEW, out=tmp_path / "cut", observer=Impatient())
    assert (tmp_path / "cut.training.safetensors").is_file()
    assert not (tmp_path / "cut").exists()
    resumed = sasrec.resume(tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    assert weights(sasrec.load(tmp_path / "cut")) == weights(whole)
    assert not (tmp_path / "cut.training.safetensors").exists()


def test_training_on_a_data_frame_is_resumed_if_the_frame_is_given(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        sasrec.train(frame(), FEW, out=tmp_path / "cut", observer=Impatient())
    with pytest.raises(DataError, match="used a data frame; pass the same data frame as data="):
        sasrec.resume(tmp_path / "cut")
    with pytest.raises(DataError, match="the data has changed since"):
        sasrec.resume(tmp_path / "cut", data=frame().head(80))
    resumed = sasrec.resume(tmp_path / "cut", data=frame())
    assert weights(resumed) == weights(sasrec.train(frame(), FEW))


def test_a_training_with_a_table_of_items_is_resumed_if_the_table_is_given(tmp_path: Path) -> None:
    items = pl.DataFrame({"item_id": [f"i{n}" for n in range(1, 21)], "price": range(20)})
    with pytest.raises(RuntimeError):
        sasrec.train(DATA, FEW, items=items, out=tmp_path / "cut", observer=Impatient())
    with pytest.raises(DataError, match="used a data frame of items; pass the same data frame as"):
        sasrec.resume(tmp_path / "cut")
    resumed = sasrec.resume(tmp_path / "cut", items=items)
    assert resumed.item_columns is not None
    assert resumed.item_columns.values.columns == ["price"]


def test_an_existing_model_is_reported_before_training(tmp_path: Path) -> None:
    sasrec.train(DATA, FEW, epochs=1, out=tmp_path / "model")
    with pytest.raises(sasrec.SasrecError, match="model"):
        sasrec.train(DATA, FEW, out=tmp_path / "model", observer=Impatient())
    sasrec.train(DATA, FEW, epochs=1, out=tmp_path / "model", overwrite=True)


def test_evaluation_returns_the_metrics_of_training_and_of_the_baselines() -> None:
    recommender = sasrec.train(DATA, FEW)
    found = sasrec.evaluate(recommender)
    saved = recommender.metrics["reports"]
    assert [each.test for each in found.reports] == [each["test"] for each in saved]
    *others, recent = [each.model for each in found.baselines]
    assert others == ["Popularity", "Markov"]
    assert recent.startswith("Popularity ")
    assert json.loads(json.dumps(found.as_json()))["baselines"][0]["model"] == "Popularity"


def test_evaluation_accepts_data_frames_and_refuses_training_settings() -> None:
    recommender = sasrec.train(frame(), FEW)
    with pytest.raises(DataError, match="give its data with --data"):
        sasrec.evaluate(recommender)
    found = sasrec.evaluate(recommender, frame(), topk=(2,), device="cpu")
    assert "ndcg@2" in found.report.test
    with pytest.raises(SettingsError, match=r"learning_rate in .* only changes training"):
        sasrec.evaluate(recommender, frame(), learning_rate=0.1)


def test_all_mistakes_of_an_evaluation_are_reported_together() -> None:
    recommender = sasrec.train(DATA, FEW)
    wrong = {"hidden_size": 3, "learning_rate": 0.1, "topk": 0, "clip_grad_norm": {"max_norm": 5}}
    with pytest.raises(SeveralMistakesError) as caught:
        sasrec.evaluate(recommender, settings=wrong)
    assert [text.partition(";")[0] for text in caught.value.mistakes] == [
        "hidden_size in the settings given only changes training",
        "learning_rate in the settings given only changes training",
        "clip_norm in the settings given as clip_grad_norm only changes training",
        "clip_norm_type in the settings given as clip_grad_norm only changes training",
        "the settings given: topk is 0: each value must be above 0",
    ]
    with pytest.raises(
        SettingsError, match=r"^n_heads in the settings given only changes training"
    ):
        sasrec.evaluate(recommender, n_heads=3)  # not that it cannot share a width


def test_a_comparison_from_python_is_saved_and_resumed(tmp_path: Path) -> None:
    found = sasrec.compare(DATA, "FPMC,BPR", epochs=1, out=tmp_path / "all")
    names = {entry.model for entry in found.entries}
    [recent] = names - {"FPMC", "BPR", "Popularity", "Markov"}
    assert recent.startswith("Popularity ")
    written = json.loads((tmp_path / "all" / "comparison.json").read_text())
    assert written == json.loads(json.dumps(found.as_json()))
    with pytest.raises(SettingsError, match="already holds a comparison"):
        sasrec.compare(DATA, "FPMC", epochs=1, out=tmp_path / "all")


def test_a_notebook_shows_a_bar_and_a_script_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(default_observer(4), LogObserver)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(default_observer(4), BarObserver)


def test_the_training_curve_is_a_figure() -> None:
    recommender = sasrec.train(DATA, FEW)
    figure = recommender.plot_training()
    assert "best at epoch" in figure.axes[0].get_title()
    assert len(figure.axes[0].lines[0].get_xdata()) == len(recommender.metrics["epochs"])


def test_ctrl_c_before_anything_was_saved_raises_interrupted(tmp_path: Path) -> None:
    class Pressed(LogObserver):
        def advanced(self, epoch: int, targets: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was saved"):
        sasrec.train(DATA, FEW, out=tmp_path / "model", observer=Pressed())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [[1], "epochs", 3])
def test_settings_must_be_a_mapping(wrong: Any) -> None:
    message = "settings must be a dict of names to values, not"
    for call in (sasrec.train, sasrec.compare, sasrec.tune):
        with pytest.raises(SettingsError, match=message):
            call(DATA, settings=wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sasrec.compare(DATA, ["BPR"], seeds=0), "^seeds is 0; it must be a whole number"),
        (lambda: sasrec.compare(DATA, ["BPR"], seeds=-1), "^seeds is -1"),
        (lambda: sasrec.compare(DATA, ["BPR"], seeds="2"), "^seeds is '2'"),
        (lambda: sasrec.compare(DATA, ["BPR"], seeds=1.5), "^seeds is 1.5"),
        (lambda: sasrec.compare(DATA, ["BPR"], protocol=None), "^unknown protocol None"),
        (lambda: sasrec.compare(DATA, 3), "^models is 3; it must be a list of model names"),
        (lambda: sasrec.compare(DATA, ["BPR"], out=3), "^out is 3; it must be a path"),
        (lambda: sasrec.tune(DATA, 3), "^space is 3; it must be a dict such as .*, or a file"),
        (lambda: sasrec.tune(DATA, out=3), "^out is 3; it must be a path"),
        (lambda: sasrec.tune(DATA, options=3), "^options is 3; it must be a sasrec.SearchOptions"),
        (lambda: sasrec.resume(3), "^folder is 3; it must be a path, as text or Path"),
        (lambda: sasrec.resume(None), "^folder is None; it must be a path"),
        (lambda: sasrec.resume("m", epochs="4"), "^epochs is '4'; it must be a whole number"),
        (lambda: sasrec.resume("m", epochs=2.5), "^epochs is 2.5; it must be a whole number"),
        (lambda: sasrec.train(DATA, out=3), "^out is 3; it must be a path"),
        (lambda: sasrec.load("m", models=3), "^models is 3; it must be a list of model classes"),
        (lambda: sasrec.load_plugin(None), "^path is None; it must be a path"),
        (lambda: sasrec.SearchOptions(minutes="x"), "^minutes is 'x'; it must be a number above 0"),
        (lambda: sasrec.SearchOptions(storage=3), "^storage is 3; it must be text"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(call: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        call()


def test_keywords_override_settings_under_recboles_names() -> None:
    found = sasrec.train(DATA, {"train_batch_size": 32}, batch_size=64, epochs=1, hidden_size=8)
    assert found.settings["training"]["batch_size"] == 64
    with pytest.raises(SettingsError, match=r"settings must be a dict of names to values"):
        sasrec.evaluate(found, DATA, [1])
    assert sasrec.evaluate(found, DATA, {"metric_decimal_place": 3}, decimals=2).decimals == 2
