"""All mistakes in settings are reported together, each with its file, line and key."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from sasrec.comparison.compare import settings_of_all
from sasrec.errors import SettingsError, SeveralMistakesError
from sasrec.settings.files import (
    Layer,
    layer_from_options,
    layers_with_mistakes,
    read_layers,
    yaml_file,
)
from sasrec.settings.origin import PYTHON
from sasrec.settings.presets import DataFacts
from sasrec.settings.resolve import adapted, resolve_layers, resolve_settings


def mistakes_in(values: dict[str, object], model: str = "SASRec") -> list[str]:
    """Return the mistakes that are reported for some settings."""
    try:
        resolve_settings(values, model)
    except SeveralMistakesError as error:
        return list(error.mistakes)
    except SettingsError as error:
        return [str(error)]
    return []


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two files with three mistakes."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("epochs: 3\nlearnign_rate: 0.1\nhidden_act: gelo\n")
    Path("b.yaml").write_text("# more\nMAX_ITEM_LIST_LENGTH: 0\n")
    return ["a.yaml", "b.yaml"]


def test_mistakes_in_two_files_and_on_the_command_line_are_reported_together(
    files: list[str],
) -> None:
    with pytest.raises(SeveralMistakesError) as caught:
        resolve_layers(read_layers(files, ["--n_layer=2", "--seed=x"]))
    unknown, on_line, length, activation, seed = caught.value.mistakes
    assert unknown == (
        "unknown key 'learnign_rate' in a.yaml, line 2; did you mean 'learning_rate'?"
    )
    assert on_line == "unknown key 'n_layer' on the command line; did you mean 'n_layers'?"
    assert length.startswith("b.yaml, line 2: MAX_ITEM_LIST_LENGTH is 0: ")
    assert activation.startswith("a.yaml, line 3: hidden_act is 'gelo': ")
    assert seed.startswith("seed is 'x': ")


def test_a_single_mistake_is_a_plain_settings_error() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings({"learnign_rate": 1})
    assert type(caught.value) is SettingsError
    assert str(caught.value) == "unknown key 'learnign_rate'; did you mean 'learning_rate'?"


def test_several_mistakes_are_counted_and_can_be_pickled() -> None:
    error = SeveralMistakesError(["one", "two"])
    assert str(error) == "2 mistakes in the settings:\n  one\n  two"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.mistakes) == (SeveralMistakesError, ("one", "two"))


def test_contradictions_are_reported_with_wrong_values_and_unknown_keys() -> None:
    mistakes = mistakes_in(
        {
            "hidden_size": 50,
            "n_heads": 4,
            "item_column": "user_id",
            "epochs": 0,
            "zzzzzz": 1,
        }
    )
    assert len(mistakes) == 4
    assert mistakes[0] == "unknown key 'zzzzzz'"
    assert "user_column, item_column and time_column must be three different columns" in mistakes[1]
    assert "hidden_size 50 cannot be shared by n_heads 4" in mistakes[2]
    assert mistakes[3].startswith("epochs is 0: ")


def test_all_contradictions_in_a_group_are_reported() -> None:
    mistakes = mistakes_in(
        {
            "loss": "CE",
            "negatives": "uniform",
            "negative_candidates": 5,
            "shared_negatives": True,
            "load_col": {"inter": ["a"]},
            "unload_col": {"inter": ["b"]},
            "item_column": "user_id",
        }
    )
    assert [text[:40] for text in mistakes] == [
        "user_column, item_column and time_column",
        "load_col and unload_col both contain 'in",
        "loss_type CE compares with all items and",
        "negative_candidates selects the hardest ",
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_size": "wide", "n_heads": 3},  # 64, the default, cannot be shared by three
        {"hidden_sise": 48, "n_heads": 3},
        {"loss": "BPRR", "negatives": "uniform"},  # CE, the default, draws no negatives
        {"preset": "gsasrce", "label_smoothing": 0.1, "negatives": "uniform"},
    ],
)
def test_a_wrong_value_does_not_make_others_look_wrong(values: dict[str, object]) -> None:
    assert len(mistakes_in(values)) == 1


def test_contradictions_name_the_files_of_their_settings(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("seed: 1\nhidden_size: 50\n")
    second.write_text("n_heads: 4\n")
    with pytest.raises(SettingsError) as caught:
        resolve_layers([yaml_file(first), yaml_file(second)])
    places = f"{first}, line 2 and {second}, line 1: hidden_size 50 cannot be shared by n_heads 4"
    assert str(caught.value).startswith(places)
    first.write_text("loss_type: BPR\ntrain_neg_sample_args: null\n")
    with pytest.raises(
        SettingsError, match=r"a\.yaml, line 1 and .*a\.yaml, line 2: loss_type BPR"
    ):
        resolve_layers([yaml_file(first)])


def test_wrong_presets_and_metrics_name_their_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("preset: bset\nmetrics: [ndgc, recal]\nvalid_metric: mrr\n")
    with pytest.raises(SeveralMistakesError) as caught:
        resolve_layers([yaml_file(file)])
    assert [text.partition(";")[0] for text in caught.value.mistakes] == [
        f"{file}, line 1: unknown preset 'bset'",
        f"{file}, line 2: unknown metric 'ndgc'",
        f"{file}, line 2: unknown metric 'recal'",
        f"{file}, line 3: 'mrr' has no cut-off from 1 to 99999",
    ]


def test_mistakes_in_recbole_keys_are_reported_with_the_others() -> None:
    mistakes = mistakes_in(
        {
            "eval_args": {"split": {"XS": 1}},
            "train_neg_sample_args": 3,
            "use_gpu": "perhaps",
            "stopping_step": -1,
            "train_batch_size": 64,
            "batch_size": 32,
        }
    )
    assert [text.partition(" is ")[0].partition(";")[0] for text in mistakes[:3]] == [
        "eval_args: unknown split 'XS'",
        "train_neg_sample_args",
        "use_gpu",
    ]
    assert mistakes[3] == "'train_batch_size' and 'batch_size' are the same setting; keep one"
    assert mistakes[4].startswith("stopping_step is -1: ")


def test_model_and_evaluation_settings_are_checked_together() -> None:
    mistakes = mistakes_in({"loss": "CE", "metrics": "gauc", "candidates": "uni9"}, "TransRec")
    assert "gauc needs full ranking" in mistakes[0]
    assert "TransRec does not score by dot product" in mistakes[1]


def test_unreadable_options_and_files_are_reported_together(files: list[str]) -> None:
    Path("a.yaml").write_text("a: 1\nb: 2\na: 3\nb: 4\n")
    with pytest.raises(SeveralMistakesError) as caught:
        read_layers(["a.yaml", "none.yaml"], ["seed=3", "--epochs=1", "--epochs=2", "--topk"])
    assert caught.value.mistakes == (
        "a.yaml, line 3: 'a' is already set in line 1; keep one",
        "a.yaml, line 4: 'b' is already set in line 2; keep one",
        "none.yaml cannot be read: No such file or directory",
        "'seed=3' is not an option; did you mean --seed=3?",
        "--epochs is given twice, as 1 and 2; keep one",
        "'--topk' has no value; write --topk=value",
    )


def test_unreadable_options_and_files_are_reported_with_wrong_values(files: list[str]) -> None:
    given = layers_with_mistakes(["a.yaml", "none.yaml"], ["--seed", "--n_heads=3"])
    with pytest.raises(SeveralMistakesError) as caught:
        resolve_layers(given)
    assert [text[:40] for text in caught.value.mistakes] == [
        "unknown key 'learnign_rate' in a.yaml, l",
        "none.yaml cannot be read: No such file o",
        "'--seed' has no value; write --seed=valu",
        "a.yaml, line 3: hidden_act is 'gelo': it",
    ]  # not that 3 heads cannot share the width, which the unreadable file may set


def test_mistakes_of_all_compared_models_are_reported_once() -> None:
    given = [Layer(PYTHON, {"epochz": 1, "n_heads": 0, "embedding_size": 0})]
    with pytest.raises(SeveralMistakesError) as caught:
        settings_of_all(given, ["SASRec", "BPR", "FPMC"])
    assert [text.partition(":")[0] for text in caught.value.mistakes] == [
        "unknown key 'epochz'; did you mean 'epochs'?",
        "n_heads is 0",
        "embedding_size is 0",
    ]


def test_a_file_named_like_a_preset_keeps_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    many = DataFacts(items=3_000, targets=900_000, histories=np.full(6_000, 150))
    for name in ("preset best.yaml", "SASRec as in its paper", "the model's settings.yaml"):
        Path(name).write_text("max_history: 7\n")
        run = resolve_layers([yaml_file(name)], preset="best")
        assert adapted(run, many).data.max_history == 7
        assert run.given() == {"max_history": 7}


def test_a_file_named_like_another_source_is_reported_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("command line", "settings"):
        Path(name).write_text("epochs: 0\nepcohs: 1\n")
        with pytest.raises(SeveralMistakesError) as caught:
            resolve_layers([yaml_file(name)])
        unknown, wrong = caught.value.mistakes
        assert unknown.startswith(f"unknown key 'epcohs' in {name}, line 2; ")
        assert wrong.startswith(f"{name}, line 1: epochs is 0: ")


def test_keys_after_a_mistake_on_the_command_line_are_still_read() -> None:
    with pytest.raises(SettingsError, match="'x' is not an option") as caught:
        layer_from_options(["x", "--seed=1"])
    assert type(caught.value) is SettingsError
