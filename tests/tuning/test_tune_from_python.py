"""A search from Python does what the command does."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sasrec
from sasrec.errors import SettingsError, SeveralMistakesError
from sasrec.experiment import prepared
from sasrec.settings.files import yaml_file
from sasrec.tuning.options import SearchOptions

DATA = "synthetic:users=150,items=40,length=12"
SPACE = {"choice": {"learning_rate": [0.01, 0.003], "n_layers": [1, 2]}}
SMALL: dict[str, Any] = {"hidden_size": 16, "inner_size": 16, "epochs": 2}


def test_a_search_returns_settings_that_train_takes(tmp_path: Path) -> None:
    options = SearchOptions(seeds=2)
    found = sasrec.tune(DATA, SPACE, SMALL, out=tmp_path / "out", options=options)
    assert found.judged == 4
    assert set(found.settings) == {"learning_rate", "n_layers"}
    assert found.all_settings == {**found.settings, **SMALL, "preset": "best"}
    assert len(found.tests) == 2
    assert found.tests[0] != found.tests[1]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written >= {"best.yaml", "search.html", "study.journal"}
    assert yaml_file(tmp_path / "out" / "best.yaml").values == found.all_settings
    again = sasrec.train(DATA, found.all_settings, seed=2020)
    assert again.metrics["reports"][0]["test"] == found.tests[0]


def test_the_same_call_resumes_the_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sasrec")
    options = SearchOptions(algo="random", trials=2, seeds=0)
    first = sasrec.tune(DATA, SPACE, SMALL, out=tmp_path, options=options)
    more = SearchOptions(algo="random", trials=3, seeds=0)
    assert sasrec.tune(DATA, SPACE, SMALL, out=tmp_path, options=more).judged == 3
    assert first.judged == 2
    assert "resuming after 2 of 3 trials" in caplog.text


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space = {"choice": {"n_layers": [1]}}
    frame = pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 2] * 5, "item_id": [*range(15)] * 2})
    found = sasrec.tune(frame, space, SMALL, options=SearchOptions(seeds=0))
    assert found.settings == {"n_layers": 1}
    assert found.tests == []
    assert list(tmp_path.iterdir()) == []


def test_data_are_prepared_once_per_search(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, int] = {}

    def counted(name: str) -> None:
        function = getattr(prepared, name)

        def counting(*arguments: Any, **keywords: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return function(*arguments, **keywords)

        monkeypatch.setattr(prepared, name, counting)

    for name in ("make_split", "item_counts", "facts_of"):
        counted(name)
    sasrec.tune(DATA, SPACE, SMALL, epochs=1, options=SearchOptions(seeds=1))
    assert calls == {"make_split": 1, "item_counts": 1, "facts_of": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"space": {"choice": {"n_layerz": [1]}}},
            "the space: 'n_layerz' is not a setting; did you",
        ),
        ({"space": {"choice": {"topk": [[1]]}}}, "'topk' cannot be searched: it has no effect, or"),
        ({"space": SPACE, "model": "GRU5Rec"}, "did you mean 'GRU4Rec'"),
        ({"model": "GRU4Rec"}, "the built-in space is only for SASRec"),
        (
            {"space": SPACE, "options": SearchOptions(jobs=2)},
            "with several jobs, each process must open the data and the storage",
        ),
        (
            {
                "space": {"uniform": {"learning_rate": [0.001, 0.1]}},
                "options": SearchOptions(algo="exhaustive"),
            },
            "learning_rate is a range",
        ),
    ],
)
def test_mistakes_are_reported_before_training(words: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        sasrec.tune(DATA, **words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"algo": "tpee"}, "algo is 'tpee'; did you mean 'tpe'"),
        ({"prune": "hyperbend"}, "did you mean 'hyperband'"),
        ({"minutes": 0}, "minutes is 0; it must be a number above 0"),
        ({"trials": 0}, "trials is 0; it must be a whole number of at least 1"),
        ({"seeds": -1}, "seeds is -1; it must be a whole number of at least 0"),
    ],
)
def test_options_out_of_range_are_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SearchOptions(**words)


def test_several_jobs_need_data_and_storage_that_all_can_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with pytest.raises(
        SettingsError, match="with several jobs, each process must open the data and the storage"
    ):
        sasrec.tune(DATA, SPACE, SMALL, options=SearchOptions(jobs=2))
    with pytest.raises(SettingsError, match="jobs is 3, but this machine has only 2 cores"):
        SearchOptions(jobs=3)


def test_each_choice_and_each_option_is_checked_before_the_first_trial() -> None:
    space = {"choice": {"n_layers": [1, 0], "n_heads": [3], "hidden_act": ["gelu", "gelo"]}}
    with pytest.raises(SeveralMistakesError) as caught:
        sasrec.tune("x", space)
    assert [text.partition(":")[2][:25] for text in caught.value.mistakes] == [
        " n_layers is 0: it must b",
        " hidden_act is 'gelo': it",
    ]
    with pytest.raises(SeveralMistakesError) as caught:
        sasrec.SearchOptions(trials=0, minutes=-1, prune="nome")  # type: ignore[arg-type]
    assert len(caught.value.mistakes) == 3
