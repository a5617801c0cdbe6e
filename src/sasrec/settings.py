"""The settings every run has: data, training, evaluation.

A model's own settings stand beside the model (``models/sasrec.py``); ``experiment.py`` joins the
groups and resolves what a user wrote. Each field carries its documentation in the string under
it, and its name in RecBole, where it has one, as ``recbole(...)``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
)


class Settings(BaseModel):
    """A closed, frozen group of settings: unknown keys are refused, values are checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


Activation = Literal["gelu", "relu", "swish", "tanh", "sigmoid"]
"""Names of activations, as RecBole spells them."""


def recbole(name: str) -> dict[str, Any]:
    """Return the field metadata that gives a setting its second name, the one RecBole uses.

    Args:
        name: RecBole's key, such as ``train_batch_size``.

    Returns:
        Metadata for ``Field(json_schema_extra=...)``.
    """
    return {"recbole": name}


def _listed(value: Any) -> Any:
    """Return ``topk: 10`` and ``metrics: ndcg`` as lists of one, as RecBole takes them."""
    return (value,) if isinstance(value, str | int) else value


Word = Annotated[str, StringConstraints(min_length=1)]
MetricName = Annotated[str, StringConstraints(to_lower=True, strip_whitespace=True, min_length=1)]


class DataSettings(Settings):
    """Which columns hold what, and how much history counts."""

    max_history: int = Field(50, ge=1, json_schema_extra=recbole("MAX_ITEM_LIST_LENGTH"))
    """Longest history the model looks at, in events; older events are left out."""
    user_column: Word = Field("user_id", json_schema_extra=recbole("USER_ID_FIELD"))
    """Column with the user's token."""
    item_column: Word = Field("item_id", json_schema_extra=recbole("ITEM_ID_FIELD"))
    """Column with the item's token."""
    time_column: Word = Field("timestamp", json_schema_extra=recbole("TIME_FIELD"))
    """Column with the time of the event; without it, events count in file order."""
    separator: Word = Field("\t", max_length=1, json_schema_extra=recbole("field_separator"))
    """One character between the columns of an atomic file."""
    data_path: Word = Field("dataset", json_schema_extra=recbole("data_path"))
    """Folder in which a data set is looked up by name, as NAME/NAME.inter."""


class TrainingSettings(Settings):
    """How weights are learned."""

    loss: Literal["CE", "BPR"] = Field("CE", json_schema_extra=recbole("loss_type"))
    """CE: softmax over the whole catalogue. BPR: the target against one uniform negative."""
    epochs: int = Field(300, ge=1, json_schema_extra=recbole("epochs"))
    """Most epochs to train; early stopping usually ends sooner."""
    batch_size: int = Field(2048, ge=1, json_schema_extra=recbole("train_batch_size"))
    """Targets (not users) per optimiser step."""
    learning_rate: float = Field(0.001, gt=0, allow_inf_nan=False)
    """Adam's learning rate."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Adam's L2 penalty on all weights."""
    context: float = Field(0.5, ge=0, lt=1)
    """Left context a target keeps at least, when its history is long enough, as a share of
    max_history. Histories longer than max_history are cut into windows; 0 cuts without overlap
    (fastest), 0.5 lets each window begin half a window earlier than its first target."""
    averaging: float = Field(0.99, ge=0, lt=1)
    """Decay of the moving average of the weights, by optimiser step; the average is what is
    validated, kept and used. 0 uses the weights of the last step, as RecBole does."""
    validate_every: int = Field(1, ge=1, json_schema_extra=recbole("eval_step"))
    """Epochs between validations."""
    patience: int = Field(10, ge=0, json_schema_extra=recbole("stopping_step"))
    """Training stops after more than this many validations in a row without a new best."""
    seed: int = Field(2020, ge=0, le=2**63 - 1, json_schema_extra=recbole("seed"))
    """Seed of every random number: weights, order, dropout, negatives."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes the GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16 computes matrix products in half width (autocast); weights, sums and everything
    evaluated stay float32. auto takes it where the processor multiplies bfloat16 itself."""


class EvaluationSettings(Settings):
    """What is measured, and how it is printed."""

    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(_listed)] = Field(
        ("recall", "mrr", "ndcg", "hit", "precision"), min_length=1
    )
    """Names of the metrics to report."""
    topk: Annotated[tuple[PositiveInt, ...], BeforeValidator(_listed)] = Field((10,), min_length=1)
    """Cut-offs K at which each metric is reported."""
    valid_metric: MetricName = "mrr@10"
    """The metric early stopping watches, as NAME@K."""
    decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("metric_decimal_place"))
    """Decimal places of printed metrics; saved values are not rounded."""
