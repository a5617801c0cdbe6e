"""Settings are sorted into their groups; invalid ones are rejected with clear messages."""

import json
import re
from collections import Counter

import pytest

from sasrec.errors import SettingsError
from sasrec.models.sasrec import SASRecSettings
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.files import Layer
from sasrec.settings.origin import COMMAND_LINE, Origin
from sasrec.settings.output import OutputSettings
from sasrec.settings.recbole_keys import TRANSLATED, WITHOUT_EFFECT
from sasrec.settings.resolve import resolve_layers, resolve_settings
from sasrec.settings.training import TrainingSettings
from sasrec.settings.without_effect import EVALUATION, TRAINING

GROUPS = [DataSettings, SASRecSettings, TrainingSettings, EvaluationSettings, OutputSettings]


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


def test_recbole_names_set_our_settings() -> None:
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


def test_no_settings_give_the_defaults() -> None:
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
        (
            {"dataset": "x"},
            "unknown key 'dataset'; choose the data with --data, or run "
            "RecBole's files with 'sasrec recbole run'",
        ),
        (
            {"model": "x"},
            "unknown key 'model'; choose the model with --model, or run "
            "RecBole's files with 'sasrec recbole run'",
        ),
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
        ({"learning_rate": -0.1}, r"^learning_rate is -0\.1: .*must be above 0"),
        ({"learning_rate": "fast"}, r"^learning_rate is 'fast': .*number"),
        ({"topk": 0}, r"^topk is 0: .*must be above 0"),
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


def layers(*pairs: tuple[str, dict[str, object]]) -> list[Layer]:
    return [
        Layer(COMMAND_LINE, values)
        if where == "command line"
        else Layer(Origin("file", where), values, dict.fromkeys(values, 7))
        for where, values in pairs
    ]


def test_later_layers_override_earlier_ones_under_any_name() -> None:
    run = resolve_layers(
        layers(
            ("a.yaml", {"train_batch_size": 5, "epochs": 3, "stopping_step": 2}),
            ("b.yaml", {"batch_size": 6}),
            ("command line", {"epochs": 9}),
        ),
        preset="recbole",
    )
    assert (run.training.batch_size, run.training.epochs, run.training.patience) == (6, 9, 2)
    assert run.training.averaging == 0.0
    assert run.origins["batch_size"] == Origin("file", "b.yaml", 7)
    assert run.origins["patience"] == Origin("file", "a.yaml", 7, "stopping_step")
    assert str(run.origins["patience"]) == "a.yaml, line 7 as stopping_step"
    assert run.origins["averaging"] == Origin("preset", "recbole")
    assert run.origins["epochs"] == COMMAND_LINE
    assert "seed" not in run.origins


def test_preset_can_be_given_as_a_key() -> None:
    run = resolve_settings({"preset": "recbole", "patience": 3})
    assert (run.training.averaging, run.training.context, run.training.patience) == (0.0, 0.5, 3)
    stronger = layers(("a.yaml", {"preset": "none such"}), ("command line", {"preset": "recbole"}))
    assert resolve_layers(stronger).evaluation.valid_metric == "mrr@10"
    with pytest.raises(SettingsError, match=r"unknown preset 'recbloe'; did you mean 'recbole'"):
        resolve_settings({"preset": "recbloe"})


def test_eval_args_are_replaced_as_a_whole() -> None:
    first = {"split": {"RS": [7, 2, 1]}, "group_by": None, "mode": "uni9"}
    run = resolve_layers(
        layers(
            ("a.yaml", {"eval_args": first}),
            ("command line", {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO"}}),
        )
    )
    assert (run.evaluation.split, run.evaluation.candidates) == ("leave_one_out", "full")


def test_mistakes_name_their_source() -> None:
    with pytest.raises(SettingsError, match=r"^a\.yaml, line 7: eval_args is 5"):
        resolve_layers(layers(("a.yaml", {"eval_args": 5})))
    with pytest.raises(SettingsError, match=r"unknown key 'epcohs' in a\.yaml, line 7; did you"):
        resolve_layers(layers(("a.yaml", {"epcohs": 3})))
    with pytest.raises(SettingsError, match=r"^a\.yaml, line 7: train_batch_size is 0: "):
        resolve_layers(layers(("a.yaml", {"train_batch_size": 0})))
    with pytest.raises(SettingsError, match="unknown preset 'recbol'; did you mean 'recbole'"):
        resolve_layers([], preset="recbol")


@pytest.mark.parametrize(
    ("values", "idle"),
    [
        ({"negative_count": 4}, ("negative_count",)),
        ({"negative_count": 4, "loss": "BPR"}, ()),
        ({"negative_count": 4, "loss": "SSM", "negatives": "in_batch"}, ("negative_count",)),
        ({"train_neg_sample_args": None}, ()),
        ({"ratios": (0.7, 0.1, 0.2), "label_smoothing": 0.1}, ("ratios",)),
        ({"ratios": (0.7, 0.1, 0.2), "split": "ratio", "leave_out": "test_only"}, ("leave_out",)),
        (
            {"eval_step": 0, "stopping_step": 3, "adam_beta2": 0.9, "learner": "sgd"},
            ("adam_beta2", "stopping_step"),
        ),
        ({"preset": "esasrec"}, ()),
        ({"eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user"}}, ()),
        ({"eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "mode": "full"}}, ()),
    ],
)
def test_settings_without_effect_because_of_others_are_listed(
    values: dict[str, object], idle: tuple[str, ...]
) -> None:
    assert resolve_settings(values).without_effect == idle


def test_every_rule_for_settings_without_effect_names_a_setting() -> None:
    assert set(TRAINING) <= set(TrainingSettings.model_fields)
    assert set(EVALUATION) <= set(EvaluationSettings.model_fields)


def test_keys_without_effect_are_accepted_and_listed() -> None:
    run = resolve_settings({"worker": 4, "eval_batch_size": 1, "POSITION_FIELD": "p"})
    assert run.without_effect == ("POSITION_FIELD", "eval_batch_size", "worker")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("eval_args", {"split": {"LS": "test_only"}}, {"leave_out": "test_only"}),
        (
            "eval_args",
            {"split": {"RS": [8, 1, 1]}, "group_by": None, "order": "TO", "mode": "uni100"},
            {"split": "ratio", "ratios": (8, 1, 1), "ratio_by": "all", "candidates": "uni100"},
        ),
        (
            "eval_args",
            {"split": {"TS": [0.8, 0.1, 0.1]}, "mode": {"valid": "pop50", "test": "full"}},
            {"split": "recbole_time", "candidates": "full", "valid_candidates": "pop50"},
        ),
        ("eval_args", {"mode": "uni7"}, {"split": "ratio", "ratios": (0.8, 0.1, 0.1)}),
        (
            "eval_args",
            {"split": {"LS": "valid_only"}, "mode": {"valid": "uni7"}},
            {"split": "leave_one_out", "candidates": "uni7", "valid_candidates": "uni7"},
        ),
        ("gpu_id", (0, 1), {"gpu_id": "0,1"}),
        ("gpu_id", None, {"gpu_id": ""}),
        ("normalize_all", None, {"rounded_times": "float32"}),
        ("state", "info", {"log_level": "INFO"}),
        ("learner", "AdamW", {"optimiser": "adamw"}),
        ("train_neg_sample_args", None, {"negatives": "none"}),
        ("clip_grad_norm", {"max_norm": 5}, {"clip_norm": 5.0, "clip_norm_type": 2.0}),
        ("clip_grad_norm", None, {"clip_norm": None}),
        ("use_gpu", False, {"device": "cpu"}),
        ("gpu_id", 1, {"gpu_id": "1"}),
        ("enable_amp", True, {"precision": "bfloat16"}),
        ("repeatable", True, {}),
        ("val_interval", {"rating": "[3,inf)"}, {"value_intervals": {"rating": "[3,inf)"}}),
        ("val_interval", None, {"value_intervals": {}}),
        ("user_inter_num_interval", [20, 100], {"user_interactions": "[20,100]"}),
        ("learner", "adagrad", {"optimiser": "adagrad"}),
        ("eval_step", 0, {"validate_every": 0}),
        ("load_col", {"inter": ["a", "b"]}, {"load_columns": {"inter": ("a", "b")}}),
        ("benchmark_filename", ["a", "b", "c"], {"split_files": ("a", "b", "c")}),
        ("normalize_all", True, {"rounded_times": "scaled"}),
        ("normalize_field", ["timestamp"], {"scaled_columns": ("timestamp",)}),
        ("loss_decimal_place", 2, {"loss_decimals": 2}),
    ],
)
def test_recbole_keys_become_our_settings(
    key: str, value: object, expected: dict[str, object]
) -> None:
    run = resolve_settings({key: value})
    ours = {name: value for group in run.groups().values() for name, value in group}
    assert {name: ours[name] for name in expected} == expected


def test_negatives_of_recbole_become_ours() -> None:
    args = {
        "distribution": "popularity",
        "sample_num": 3,
        "alpha": 0.5,
        "dynamic": True,
        "candidate_num": 4,
    }
    training = resolve_settings({"loss_type": "BPR", "train_neg_sample_args": args}).training
    assert (training.negatives, training.negative_count) == ("popularity", 3)
    assert (training.negative_alpha, training.negative_candidates) == (0.5, 4)
    args["dynamic"] = False
    training = resolve_settings({"loss_type": "BPR", "train_neg_sample_args": args}).training
    assert training.negative_candidates == 0


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"loss_type": "CE", "train_neg_sample_args": {"distribution": "uniform"}},
            "loss_type CE compares with all items and uses no negatives",
        ),
        ({"loss_type": "BPR", "train_neg_sample_args": None}, "loss_type BPR needs negatives"),
        ({"train_neg_sample_args": {"distrbution": "uniform"}}, "did you mean 'distribution'?"),
        ({"train_neg_sample_args": {"distribution": "unifrom"}}, "did you mean 'uniform'?"),
        ({"train_neg_sample_args": 3}, "it must be a dict"),
        ({"eval_args": {"split": {"XS": 1}}}, "unknown split 'XS'"),
        ({"eval_args": {"split": {"RS": [1]}}}, "it needs three shares"),
        ({"eval_args": {"split": "LS"}}, "write {'LS': 'valid_and_test'}"),
        ({"eval_args": {"order": "RO"}}, "sequential models need 'TO'"),
        ({"eval_args": {"group_by": "item"}}, "choose 'user' or 'none'"),
        ({"eval_args": {"mode": "labeled"}}, "mode 'labeled' is not available"),
        ({"eval_args": {"mode": "unix"}}, "mode is 'unix'; choose 'full'"),
        ({"eval_args": {"mode": {}}}, "give 'valid', 'test' or both"),
        ({"eval_args": {"split": {"RS": [0, 0, 0]}}}, "share of training must be above 0"),
        ({"eval_args": {"split": {"TS": [1, -1, 1]}}}, "must be finite and not negative"),
        ({"eval_args": {"mode": "uni999999"}}, "mode is 'uni999999'"),
        ({"valid_metric": "mrr@99999999999"}, "has no cut-off from 1 to 99999"),
        ({"user_inter_num_interval": 5}, "an interval is text, such as '[5,inf)'"),
        ({"benchmark_filename": ["../x", "b", "c"]}, "benchmark_filename"),
        ({"gpu_id": "0,x"}, "gpu_id"),
        ({"preset": ["recbole"]}, "unknown preset ['recbole']"),
        (
            {"loss_type": "BPR", "train_neg_sample_args": {"dynamic": True}},
            "dynamic needs a candidate_num of at least 1",
        ),
        ({"repeatable": False}, "set remove_seen=True"),
        ({"use_gpu": "perhaps"}, "it must be True or False"),
        ({"clip_grad_norm": {"norm_type": 2}}, "has no max_norm"),
        ({"load_col": {"inter": ["a"]}, "unload_col": {"inter": ["b"]}}, "both contain 'inter'"),
        ({"USER_ID_FIELD": "x", "ITEM_ID_FIELD": "x"}, "'x' is used twice"),
        ({"eval_args": {"mode": "uni9"}, "metrics": "itemcoverage"}, "needs full ranking"),
    ],
)
def test_contradictions_are_rejected(values: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(values)
    assert text in str(caught.value)


def test_every_key_of_recboles_defaults_is_known() -> None:
    # The keys of its overall.yaml and dataset/sample.yaml, version 1.2.1.
    keys = [
        "gpu_id",
        "worker",
        "use_gpu",
        "seed",
        "state",
        "reproducibility",
        "data_path",
        "checkpoint_dir",
        "show_progress",
        "save_dataset",
        "dataset_save_path",
        "save_dataloaders",
        "dataloaders_save_path",
        "log_wandb",
        "wandb_project",
        "shuffle",
        "epochs",
        "train_batch_size",
        "learner",
        "learning_rate",
        "train_neg_sample_args",
        "eval_step",
        "stopping_step",
        "clip_grad_norm",
        "weight_decay",
        "loss_decimal_place",
        "require_pow",
        "enable_amp",
        "enable_scaler",
        "transform",
        "eval_args",
        "repeatable",
        "metrics",
        "topk",
        "valid_metric",
        "valid_metric_bigger",
        "eval_batch_size",
        "metric_decimal_place",
        "field_separator",
        "seq_separator",
        "USER_ID_FIELD",
        "ITEM_ID_FIELD",
        "RATING_FIELD",
        "TIME_FIELD",
        "seq_len",
        "LABEL_FIELD",
        "threshold",
        "NEG_PREFIX",
        "ITEM_LIST_LENGTH_FIELD",
        "LIST_SUFFIX",
        "MAX_ITEM_LIST_LENGTH",
        "POSITION_FIELD",
        "HEAD_ENTITY_ID_FIELD",
        "TAIL_ENTITY_ID_FIELD",
        "RELATION_ID_FIELD",
        "ENTITY_ID_FIELD",
        "kg_reverse_r",
        "entity_kg_num_interval",
        "relation_kg_num_interval",
        "load_col",
        "unload_col",
        "unused_col",
        "rm_dup_inter",
        "val_interval",
        "filter_inter_by_user_or_item",
        "user_inter_num_interval",
        "item_inter_num_interval",
        "alias_of_user_id",
        "alias_of_item_id",
        "alias_of_entity_id",
        "alias_of_relation_id",
        "preload_weight",
        "normalize_field",
        "normalize_all",
        "benchmark_filename",
        "n_layers",
        "n_heads",
        "hidden_size",
        "inner_size",
        "hidden_dropout_prob",
        "attn_dropout_prob",
        "hidden_act",
        "layer_norm_eps",
        "initializer_range",
        "loss_type",
    ]
    known = {*aliases(), *TRANSLATED, *WITHOUT_EFFECT}
    known |= {name for group in GROUPS for name in group.model_fields}
    assert [key for key in keys if key not in known] == []
    assert set(WITHOUT_EFFECT) & (set(aliases()) | set(TRANSLATED)) == set()


def test_infinity_survives_json() -> None:
    run = resolve_settings({"clip_norm_type": float("inf"), "clip_norm": 1})
    text = json.dumps(run.as_json(), allow_nan=False)
    again = resolve_settings(json.loads(text)["training"])
    assert again.training.clip_norm_type == float("inf")


def test_a_loss_that_does_not_fit_the_model_is_rejected_before_training() -> None:
    with pytest.raises(SettingsError, match="TransRec does not score by dot product, so loss CE"):
        resolve_settings({"loss": "CE"}, "TransRec")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ratios": [0.8, 0.2]}, r"ratios is \[0.8, 0.2\]: a value is missing"),
        ({"split_files": ["train"]}, "it must have at least 2 values, not 1"),
        ({"split_files": list("abcd")}, "it must have at most 3 values, not 4"),
        ({"split_files": "train"}, "it must be a list, in square brackets"),
        ({"value_intervals": {"rating": {"min": 2}}}, "it must be text"),
    ],
)
def test_values_of_a_wrong_type_have_plain_messages(settings, text):
    with pytest.raises(SettingsError, match=text):
        resolve_settings(settings)
