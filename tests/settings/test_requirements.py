"""Texts for wrong values are plain, whatever the setting and whatever the value."""

import re
from collections.abc import Mapping
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from sasrec.errors import SettingsError, SeveralMistakesError
from sasrec.settings.layers import classes_of
from sasrec.settings.registry import METRICS, MODELS
from sasrec.settings.requirements import message_of
from sasrec.settings.resolve import resolve_settings

TECHNICAL = re.compile(
    r"(Input|String|Tuple|List|Dictionary|Value|Dict|Number|Set) should|\bmatch pattern|pydantic"
    r"|\^\(|\\d|\[\^|\$'|greater than|valid (integer|number|string|tuple|boolean|dict)"
)
FIELDS = sorted(
    {
        (model, name)
        for model in MODELS.built_in
        for group, kind in classes_of(model).items()
        for name in kind.model_fields
        if group == "model" or model == "SASRec"
    }
)
SIMPLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.just(10**400),
    st.floats(),
    st.sampled_from(["", "a", "\n", "many", "1.5", "a/b", "::::::", "-1", "uni0", "[1,"]),
    st.just(object()),
    st.just("\ud800"),
)
VALUES = st.one_of(
    SIMPLE, st.lists(SIMPLE, max_size=4), st.dictionaries(SIMPLE, st.lists(SIMPLE), max_size=2)
)


def mistakes_in(values: Mapping[str, object], model: str) -> list[str]:
    """Return the mistakes that are reported for some settings."""
    try:
        resolve_settings(values, model)
    except SeveralMistakesError as error:
        return list(error.mistakes)
    except SettingsError as error:
        return [str(error)]
    return []


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FIELDS), VALUES)
def test_no_text_for_any_value_is_technical(field: tuple[str, str], value: object) -> None:
    model, name = field
    for text in mistakes_in({name: value}, model):
        assert not TECHNICAL.search(text.replace(repr(value), "")), text


@pytest.mark.parametrize("field", FIELDS, ids="-".join)
@pytest.mark.parametrize("value", [object(), -1, float("nan"), "", "many", [], [{}], {"a": {}}])
def test_usual_mistakes_have_plain_texts(field: tuple[str, str], value: object) -> None:
    model, name = field
    for text in mistakes_in({name: value}, model):
        assert not TECHNICAL.search(text), text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"epochs": "many"}, "epochs is 'many': it must be a whole number"),
        ({"epochs": 1.5}, "epochs is 1.5: it must be a whole number"),
        ({"epochs": 0}, "epochs is 0: it must be at least 1"),
        ({"learning_rate": 0}, "learning_rate is 0: it must be above 0"),
        ({"learning_rate": "inf"}, "learning_rate is 'inf': it must be finite"),
        ({"label_smoothing": 1}, "label_smoothing is 1: it must be below 1"),
        ({"n_layers": 1001}, "n_layers is 1001: it must be at most 1000"),
        ({"shuffle": "perhaps"}, "shuffle is 'perhaps': it must be True or False"),
        ({"metrics": 5}, "metrics is 5: each value must be text"),
        ({"metrics": "ndcg,"}, "metrics is '': each value must not be empty"),
        ({"metrics": []}, "metrics is []: it must have at least 1 value, not 0"),
        ({"user_column": ""}, "user_column is '': it must not be empty"),
        (
            {"gpu_id": "x"},
            "gpu_id is 'x': it must be the number of a GPU, or numbers separated by commas: 0 or "
            "0,1",
        ),
        (
            {"candidates": "uni"},
            "candidates is 'uni': it must be full, uniN, popN or paperN, with N from 1 to 99999, "
            "such as uni100",
        ),
        ({"precision": "x"}, "precision is 'x': it must be one of 'auto', 'float32' or 'bfloat16'"),
        (
            {"load_columns": {"inter": 5}},
            "load_columns is 5: it must be '*' or be a list, in square brackets",
        ),
    ],
)
def test_exact_text(values: dict[str, object], text: str) -> None:
    assert mistakes_in(values, "SASRec") == [text]


def test_texts_of_types_that_only_plug_ins_use_lose_their_technical_beginning() -> None:
    class Group(BaseModel):
        """A group with a type that no built-in setting has."""

        at: complex
        kind: Literal["a"]

    with pytest.raises(ValidationError) as caught:
        Group(at="x", kind="b")
    at, kind = caught.value.errors()
    assert message_of([at]).startswith("it must be a valid python complex")
    assert message_of([kind]) == "it must be 'a'"


def test_metrics_in_a_set_are_ordered_like_the_known_metrics() -> None:
    run = resolve_settings({"metrics": {"ndcg", "recall", "mrr", "hit"}, "topk": {20, 5, 10}})
    known = [name for name in METRICS if name in {"ndcg", "recall", "mrr", "hit"}]
    assert list(run.evaluation.metrics) == known
    assert run.evaluation.topk == (5, 10, 20)
