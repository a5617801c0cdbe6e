"""Training settings: the loss, its negatives, the optimiser, and the device."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, cast

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from sasrec.settings.fields import Settings, ignore_case, number_as_text, recbole, written_as
from sasrec.settings.registry import LOSSES

GPU_NUMBERS = r"([0-9]{1,4}( *, *[0-9]{1,4})*)?"


def _gpu_numbers(value: Any) -> Any:
    """Return GPU numbers as text; ``0,1`` arrives as a tuple, and None or ~ means no GPU."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None or value == "~" else number_as_text(value)


def _device(value: Any) -> Any:
    """Reject other names for a GPU with a hint; return all other values unchanged.

    Args:
        value: The value as given.

    Returns:
        The value, for pydantic to check.

    Raises:
        ValueError: The value is another name for a GPU, such as ``cuda:0``.
    """
    name, _, number = str(value).lower().partition(":")
    if name in {"gpu", "cuda"} and value != "cuda":
        chosen = f", and gpu_id to {number}" if number else ""
        raise ValueError(f"for a GPU set device to 'cuda'{chosen}")
    return value


Sampler = Literal["uniform", "popularity", "in_batch"]
"""Ways to draw negatives: uniformly, by popularity, or from the other targets of the batch."""


class LossTraits(Protocol):
    """The properties of a loss that settings depend on."""

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        ...

    @property
    def sampler(self) -> Sampler | None:
        """How its negatives are drawn by default; None if it needs no negatives."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """Training settings that it uses and some other losses ignore."""
        ...

    @property
    def needs_item_vectors(self) -> bool:
        """Whether scores must be dot products of hidden states and item vectors."""
        ...


def _loss_name(value: Any) -> str:
    """Return the registered name of a loss; upper and lower case are ignored.

    Args:
        value: The name as given.

    Returns:
        The registered name.

    Raises:
        PydanticCustomError: There is no loss with this name.
    """
    name = LOSSES.canonical_name(str(value))
    if name not in LOSSES:
        *others, last = map(repr, LOSSES)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError(
            "literal_error", "it must be one of {expected}", {"expected": expected}
        )
    return name


def no_item_vectors(model: str, loss: str) -> str:
    """Return the error text for a loss that needs dot products, with a model without them.

    Args:
        model: Name of the model.
        loss: Name of the loss.

    Returns:
        The error text.
    """
    return f"{model} does not score by dot product, so loss {loss} cannot be used; choose BPR"


class TrainingSettings(Settings):
    """How the model is trained: loss, negatives, optimiser, early stopping, device."""

    loss: Annotated[str, BeforeValidator(_loss_name)] = Field(
        "CE", json_schema_extra=recbole("loss_type")
    )
    """CE: softmax over the whole catalogue. The other losses compare the target with sampled
    negatives: BPR (pairwise), BCE (SASRec paper), gBCE (gSASRec), SSM (sampled softmax), BPRmax
    and TOP1max (GRU4Rec+)."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """With CE: share of the label that is spread evenly over all items."""
    gbce_calibration: float = Field(0.75, ge=0, le=1)
    """With gBCE: the parameter t of gSASRec, from 0 (plain BCE) to 1 (calibrated probabilities)."""
    score_penalty: float = Field(1.0, ge=0, allow_inf_nan=False)
    """With BPRmax: weight of the penalty on the squared scores of negatives."""
    correct_sampling: bool = True
    """With SSM: correct the score of each negative by the log of its sampling frequency (logQ)."""
    negatives: Literal["auto", "none", "uniform", "popularity", "in_batch"] = "auto"
    """How negatives are drawn, for losses that need them: uniform, by popularity, or in_batch (the
    other targets of the batch). auto is uniform for losses that need negatives."""
    negative_count: int = Field(1, ge=1, le=1_000_000)
    """Number of negatives for each target, or for each batch with shared_negatives."""
    shared_negatives: bool = False
    """Draw one set of negatives for the whole batch, which is much faster; in_batch always does."""
    negative_alpha: float = Field(1.0, ge=0, allow_inf_nan=False)
    """With popularity: exponent; an item is drawn in proportion to its training count to this
    power."""
    negative_candidates: int = Field(0, ge=0, le=10_000)
    """If above 0: for each negative, draw this many candidates and keep the one with the highest
    score."""
    epochs: int = Field(300, ge=1, json_schema_extra=recbole("epochs"))
    """Maximum number of epochs; early stopping usually ends training sooner."""
    batch_size: int = Field(2048, ge=1, json_schema_extra=recbole("train_batch_size"))
    """Number of targets (not users) in an optimiser step."""
    shuffle: bool = Field(True, json_schema_extra=recbole("shuffle"))
    """Shuffle the windows in each epoch."""
    optimiser: Annotated[
        Literal["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"], ignore_case(str.lower)
    ] = Field("adam", json_schema_extra=recbole("learner"))
    """Optimiser; sparse_adam is the same as adam here, because all gradients are dense."""
    learning_rate: float = Field(0.001, gt=0, allow_inf_nan=False)
    """Learning rate of the optimiser."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """L2 penalty on the weights (with adamw: decoupled decay)."""
    decay_matrices_only: bool = False
    """Apply weight_decay only to the matrices of linear layers, not to item and position vectors,
    biases and normalisation."""
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    """With adam and adamw: decay rate of the mean squared gradient (the code of the SASRec paper
    uses 0.98)."""
    warmup_steps: int = Field(0, ge=0)
    """Number of first steps in which the learning rate rises linearly from near 0."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up: constant, or falling along half a cosine to 0 at the last of
    `epochs`."""
    clip_norm: float | None = Field(None, gt=0)
    """Maximum norm of the gradient of all weights together; larger gradients are scaled down to it.
    None does not clip."""
    clip_norm_type: float = Field(2.0, gt=0)
    """Order of the norm for clip_norm; inf is the largest absolute element."""
    context: float = Field(0.25, ge=0, lt=1)
    """Histories longer than max_history are cut into windows. This is how many events before its
    first target a window begins, as a share of max_history: 0 cuts without overlap (fastest), 0.25
    gives each target at least a quarter of max_history as context, if its history is that long."""
    averaging: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, per optimiser step; the averaged weights are
    validated, saved and used. 0 uses the weights of the last step, as RecBole does."""
    validate_every: int = Field(1, ge=0, json_schema_extra=recbole("eval_step"))
    """Validate every N epochs; 0 never validates and trains for all epochs."""
    patience: int = Field(20, ge=0, json_schema_extra=recbole("stopping_step"))
    """Stop training after more than this many validations in a row without a new best result."""
    seed: int = Field(2020, ge=0, le=2**63 - 1, json_schema_extra=recbole("seed"))
    """Seed of all random numbers: initial weights, order of windows, dropout, negatives."""
    deterministic: bool = Field(True, json_schema_extra=recbole("reproducibility"))
    """On a GPU, use only deterministic operations, so that the same seed gives the same result; on
    a CPU, this is always so."""
    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_device)] = "auto"
    """Device to compute on; auto uses a GPU if there is one."""
    gpu_id: Annotated[
        str,
        BeforeValidator(_gpu_numbers),
        written_as(GPU_NUMBERS, "be the number of a GPU, or numbers separated by commas: 0 or 0,1"),
    ] = Field("0", json_schema_extra=recbole("gpu_id"))
    """Number of the GPU to use, if a GPU is used; with several processes, numbers separated by
    commas. Empty means no GPU."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16 computes matrix products in half precision (autocast); weights, sums and evaluation
    stay in float32. auto uses bfloat16 if the processor supports bfloat16 products in hardware."""

    @property
    def loss_traits(self) -> LossTraits:
        """The properties of the loss that settings depend on."""
        traits: LossTraits = LOSSES[self.loss]
        return traits

    @property
    def sampler(self) -> Sampler | None:
        """How negatives are drawn, with ``auto`` resolved; None for a loss without negatives."""
        default = self.loss_traits.sampler
        if default is None or self.negatives in {"auto", "none"}:
            return default
        return cast("Sampler", self.negatives)

    @model_validator(mode="after")
    def _negatives_fit_the_loss(self) -> TrainingSettings:
        if self.sampler is None and self.negatives not in {"auto", "none"}:
            raise ValueError(
                f"loss_type {self.loss} compares with all items and uses no negatives; set "
                "train_neg_sample_args to None, or loss_type to BPR"
            )
        if self.sampler is not None and self.negatives == "none":
            raise ValueError(
                f"loss_type {self.loss} needs negatives; set train_neg_sample_args to "
                "{'distribution': 'uniform', 'sample_num': 1}, or loss_type to CE"
            )
        if self.label_smoothing and "label_smoothing" not in self.loss_traits.uses:
            raise ValueError(f"label_smoothing needs loss CE, not {self.loss}; set it to 0")
        if self.negative_candidates and (self.shared_negatives or self.sampler == "in_batch"):
            raise ValueError(
                "negative_candidates selects the hardest items for each target separately, so they "
                "cannot be shared; set negative_candidates to 0, or shared_negatives to False"
            )
        return self
