"""RecBole's keys: each works as in RecBole, is listed as without effect, or is refused."""

from pathlib import Path

import numpy as np
import pytest

from sasrec.data.sources import load_corpus
from sasrec.errors import SettingsError
from sasrec.evaluation.metrics import Lists, tail_percentage
from sasrec.recbole import Config
from sasrec.settings.resolve import resolve_settings


@pytest.fixture(autouse=True)
def no_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command line and the current folder are empty."""
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("value", ["~", None, ""])
def test_no_gpu_can_be_written_as_in_recbole(value: object) -> None:
    assert resolve_settings({"gpu_id": value}).training.gpu_id == ""


@pytest.mark.parametrize(
    ("use_gpu", "device", "taken"),
    [(False, "cpu", "cpu"), (True, "cuda", "cuda"), (True, "auto", "auto")],
)
def test_use_gpu_and_device_may_agree(use_gpu: bool, device: str, taken: str) -> None:
    for values in (
        {"use_gpu": use_gpu, "device": device},
        {"device": device, "use_gpu": use_gpu},
    ):
        assert resolve_settings(values).training.device == taken


@pytest.mark.parametrize(("use_gpu", "device"), [(True, "cpu"), (False, "cuda")])
def test_use_gpu_and_device_may_not_contradict(use_gpu: bool, device: str) -> None:
    with pytest.raises(SettingsError, match="'use_gpu' and 'device' are the same setting"):
        resolve_settings({"use_gpu": use_gpu, "device": device})


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("gpu", "for a GPU set device to 'cuda'$"),
        ("GPU", "for a GPU set device to 'cuda'$"),
        ("cuda:1", "for a GPU set device to 'cuda', and gpu_id to 1"),
    ],
)
def test_other_names_of_a_gpu_suggest_the_right_one(written: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        resolve_settings({"device": written})


def test_repeatable_false_names_the_setting_that_does_it() -> None:
    with pytest.raises(SettingsError, match=r"repeatable is False.*set remove_seen=True"):
        resolve_settings({"repeatable": False})


@pytest.mark.parametrize(("separator", "between"), [("::", "::"), ("\\t", "\t"), ("||", "||")])
def test_column_separators_may_have_several_characters(
    separator: str, between: str, tmp_path: Path
) -> None:
    rows = [["user_id:token", "item_id:token", "timestamp:float"]]
    rows += [["a", "x:1", "3"], ["a", "y", "1"], ["b", "z", "2.5"]]
    path = tmp_path / "shop.inter"
    path.write_text("".join(between.join(row) + "\n" for row in rows))
    corpus = load_corpus(path, resolve_settings({"field_separator": separator}).data)
    assert corpus.items.entries.to_list() == ["x:1", "y", "z"]
    assert corpus.sequences.items.tolist() == [2, 1, 3]
    assert corpus.sequences.times is not None
    assert corpus.sequences.times.tolist() == [1, 3, 2.5]


def test_an_invalid_value_overridden_later_is_not_refused() -> None:
    Path("weak.yaml").write_text(
        "eval_args: {order: RO, split: {RS: [0.8, 0.1, 0.1]}}\nrepeatable: false\n"
        "train_neg_sample_args: {distribution: uniform, sample_num: 7}\nloss_type: BPR\n"
    )
    Path("strong.yaml").write_text(
        "eval_args: {order: TO, split: {LS: test_only}}\nrepeatable: true\n"
        "train_neg_sample_args: {distribution: popularity}\n"
    )
    run = Config("SASRec", "shop", ["weak.yaml", "strong.yaml"]).run
    assert run.evaluation.leave_out == "test_only"
    assert run.training.negatives == "popularity"
    assert run.training.negative_count == 1  # RecBole replaces the whole dict
    with pytest.raises(SettingsError, match=r"weak.yaml, line 1: eval_args: order is 'RO'"):
        Config("SASRec", "shop", ["strong.yaml", "weak.yaml"])


def test_the_tail_has_the_given_length() -> None:
    lists = {
        tail: Lists(np.array([[1, 2], [3, 4]]), np.array([0, 1, 2, 3, 4]), 4, tail)
        for tail in (0.1, 0.5, 1.0, 3.0)
    }
    shares = {tail: tail_percentage(each, 2) for tail, each in lists.items()}
    assert shares == {0.1: 0.25, 0.5: 0.5, 1.0: 1.0, 3.0: 0.75}
    settings = {"tail_ratio": 0.2, "metrics": ["TailPercentage"]}
    assert resolve_settings(settings).evaluation.tail_ratio == 0.2
    assert resolve_settings({"tail_ratio": None}).evaluation.tail_ratio == 0.1


def test_keys_without_effect_are_listed() -> None:
    given = {
        "preload_weight": {"item_id": "emb"},
        "alias_of_item_id": ["item_id_list"],
        "alias_of_user_id": ["friend_id"],
        "tail_ratio": 0.2,
    }
    run = Config("SASRec", "shop", config_dict=given).run
    assert run.without_effect == tuple(sorted(given))
