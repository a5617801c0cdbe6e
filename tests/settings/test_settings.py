import math

import pytest
from pydantic import Field, ValidationError

from sasrec.errors import SettingsError
from sasrec.models.sasrec import SASRecSettings
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.resolve import resolve_settings
from sasrec.settings.training import TrainingSettings

GROUPS = [DataSettings, TrainingSettings, EvaluationSettings, SASRecSettings]


@pytest.mark.parametrize("group", GROUPS)
def test_unknown_keys_are_refused(group):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        group(no_such_key=1)


@pytest.mark.parametrize("group", GROUPS)
def test_settings_are_frozen(group):
    name = next(iter(group.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(group(), name, getattr(group(), name))


@pytest.mark.parametrize("group", GROUPS)
def test_every_field_is_documented(group):
    undocumented = [name for name, field in group.model_fields.items() if not field.description]
    assert undocumented == []


def test_recbole_names_are_kept_as_metadata():
    names = {
        field.json_schema_extra["recbole"]: name
        for group in GROUPS
        for name, field in group.model_fields.items()
        if field.json_schema_extra
    }
    assert names["MAX_ITEM_LIST_LENGTH"] == "max_history"
    assert names["train_batch_size"] == "batch_size"
    assert names["stopping_step"] == "patience"


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        (DataSettings, "max_history", 0),
        (DataSettings, "user_column", ""),
        (DataSettings, "separator", "a\nb"),
        (TrainingSettings, "loss", "hinge"),
        (TrainingSettings, "epochs", 0),
        (TrainingSettings, "batch_size", 0),
        (TrainingSettings, "learning_rate", 0),
        (TrainingSettings, "learning_rate", math.inf),
        (TrainingSettings, "weight_decay", -0.1),
        (TrainingSettings, "weight_decay", math.nan),
        (TrainingSettings, "context", 1),
        (TrainingSettings, "context", -0.1),
        (TrainingSettings, "validate_every", -1),
        (TrainingSettings, "patience", -1),
        (TrainingSettings, "seed", -1),
        (TrainingSettings, "seed", 2**63),
        (TrainingSettings, "device", "tpu"),
        (TrainingSettings, "precision", "float16"),
        (EvaluationSettings, "metrics", ()),
        (EvaluationSettings, "topk", 0),
        (EvaluationSettings, "topk", ()),
        (EvaluationSettings, "decimals", 16),
        (SASRecSettings, "hidden_size", 0),
        (SASRecSettings, "n_layers", 0),
        (SASRecSettings, "n_heads", 0),
        (SASRecSettings, "hidden_dropout_prob", 1.0),
        (SASRecSettings, "attn_dropout_prob", -0.1),
        (SASRecSettings, "hidden_act", "gleu"),
        (SASRecSettings, "layer_norm_eps", -1e-12),
        (SASRecSettings, "initializer_range", 0),
    ],
)
def test_values_out_of_range_are_refused(group, key, value):
    with pytest.raises(ValidationError, match=key):
        group(**{key: value})


def test_a_single_cutoff_or_metric_becomes_a_list():
    settings = EvaluationSettings(topk=5, metrics="NDCG")
    assert settings.topk == (5,)
    assert settings.metrics == ("ndcg",)


def test_case_is_ignored_in_metric_names():
    settings = EvaluationSettings(metrics=["Recall", " MRR "], valid_metric="MRR@10")
    assert settings.metrics == ("recall", "mrr")
    assert settings.valid_metric == "mrr@10"


@pytest.mark.parametrize(
    ("width", "heads", "near"),
    [(50, 4, "48 or 52"), (3, 4, "such as 4"), (65, 2, "64 or 66")],
)
def test_a_width_that_heads_cannot_share_suggests_the_nearest_multiples(width, heads, near):
    expected = (
        f"hidden_size {width} cannot be shared by n_heads {heads}.*multiple of {heads}.*{near}"
    )
    with pytest.raises(ValidationError, match=expected):
        SASRecSettings(hidden_size=width, n_heads=heads)


@pytest.mark.parametrize("key", ["candidates", "valid_candidates"])
def test_paper_candidates_cannot_be_ranked_by_user(key):
    with pytest.raises(SettingsError, match=rf"^{key} is 'paper100'.*sampled_by is 'user'"):
        resolve_settings({key: "paper100", "sampled_by": "user"})
    resolve_settings({key: "paper100", "metrics": ("ndcg",)})


def test_defaults_are_checked_too():
    class Broken(Settings):
        share: float = Field(2.0, lt=1)

    with pytest.raises(ValidationError, match="less than 1"):
        Broken()
