"""Flat settings find their groups; what does not fit is refused in words."""

import re
from collections import Counter

import pytest

from sasrec.configuration import resolve_settings
from sasrec.errors import SettingsError
from sasrec.models.sasrec import SASRecSettings
from sasrec.settings import DataSettings, EvaluationSettings, TrainingSettings

GROUPS = [DataSettings, SASRecSettings, TrainingSettings, EvaluationSettings]


def aliases() -> dict[str, str]:
    """Return RecBole's name to ours."""
    return {
        rule.json_schema_extra["recbole"]: name
        for group in GROUPS
        for name, rule in group.model_fields.items()
        if isinstance(rule.json_schema_extra, dict)
    }


def test_each_key_belongs_to_one_group_and_no_alias_collides() -> None:
    names = Counter(name for group in GROUPS for name in group.model_fields)
    assert [name for name, count in names.items() if count > 1] == []
    written = [
        rule.json_schema_extra["recbole"]
        for group in GROUPS
        for rule in group.model_fields.values()
        if isinstance(rule.json_schema_extra, dict)
    ]
    assert len(written) == len(set(written))
    for alias, name in aliases().items():
        assert alias == name or alias not in names


def test_recbole_names_mean_ours() -> None:
    values = {
        "MAX_ITEM_LIST_LENGTH": 20,
        "USER_ID_FIELD": "session",
        "train_batch_size": 7,
        "loss_type": "BPR",
        "eval_step": 2,
        "stopping_step": 3,
        "metric_decimal_place": 6,
        "topk": 5,
    }
    run = resolve_settings(values)
    assert (run.data.max_history, run.data.user_column) == (20, "session")
    assert (run.training.batch_size, run.training.loss) == (7, "BPR")
    assert (run.training.validate_every, run.training.patience) == (2, 3)
    assert (run.evaluation.decimals, run.evaluation.topk) == (6, (5,))


def test_nothing_given_gives_the_defaults() -> None:
    run = resolve_settings()
    assert run.training == TrainingSettings()
    assert run.data == DataSettings()
    assert resolve_settings(None) == resolve_settings({})


def test_written_settings_can_be_read_again() -> None:
    run = resolve_settings({"hidden_size": 32, "topk": [5, 10], "loss_type": "BPR"})
    written = run.as_json()
    flat = {key: value for group in run.groups() for key, value in written[group].items()}
    assert resolve_settings(flat, written["model_name"]) == run


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"learnign_rate": 1}, "unknown key 'learnign_rate'; did you mean 'learning_rate'?"),
        ({"train_batchsize": 1}, "unknown key 'train_batchsize'; did you mean 'train_batch_size'?"),
        ({"zzzzzz": 1}, "unknown key 'zzzzzz'"),
        (
            {"train_batch_size": 5, "batch_size": 5},
            "'train_batch_size' and 'batch_size' are the same setting; keep one",
        ),
        (
            {"hidden_size": 50, "n_heads": 4},
            "hidden_size 50 cannot be shared by n_heads 4; choose a multiple of 4, such as 48 or "
            "52",
        ),
        (
            {"hidden_size": 2, "n_heads": 4},
            "hidden_size 2 cannot be shared by n_heads 4; choose a multiple of 4, such as 4",
        ),
    ],
)
def test_exact_text(values: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(values)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        ({"hidden_act": "gelo"}, r"hidden_act is 'gelo': .*did you mean 'gelu'\?$"),
        ({"loss_type": "CEE"}, r"^loss_type is 'CEE': .*did you mean 'CE'\?$"),
        ({"learning_rate": -0.1}, r"^learning_rate is -0\.1: .*greater than 0"),
        ({"learning_rate": "fast"}, r"^learning_rate is 'fast': .*number"),
        ({"topk": 0}, r"^topk is 0: .*greater than 0"),
        ({"topk": []}, r"^topk is "),
        ({"train_batch_size": 0}, r"^train_batch_size is 0: "),
        ({"MAX_ITEM_LIST_LENGTH": 0}, r"^MAX_ITEM_LIST_LENGTH is 0: "),
        ({"metrics": ["ndcg", "reccall"]}, r"^unknown metric 'reccall'; did you mean 'recall'\?"),
        ({"valid_metric": "ndgc@10"}, r"did you mean 'ndcg'\?"),
        ({"separator": ""}, r"^separator is '': [^;]*$"),
        ({"valid_metric": "ndcg"}, r"write a metric as NAME@K"),
    ],
)
def test_value_is_named_as_written(values: dict[str, object], pattern: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(values)
    assert re.search(pattern, str(caught.value))
    assert "\n" not in str(caught.value)


def test_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown model 'sasrec'; did you mean 'SASRec'"):
        resolve_settings({}, "sasrec")
