"""Settings of training: the loss, its negatives, the optimiser, and where to compute."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, cast

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from sasrec.settings.fields import Settings, in_case, recbole, worded
from sasrec.settings.registry import LOSSES

GPU_NUMBERS = r"^(\d{1,4}( *, *\d{1,4})*)?$"


def _gpu_numbers(value: Any) -> Any:
    """Return ``0,1``, which a command line reads as a pair, as text again; None or ~ is no GPU."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None or value == "~" else worded(value)


def _device(value: Any) -> Any:
    """Return the name of a device; say what is meant by other names for a GPU.

    Args:
        value: As given.

    Returns:
        The value, for pydantic to judge.

    Raises:
        ValueError: It is a name that others have for a GPU.
    """
    name, _, number = str(value).lower().partition(":")
    if name in {"gpu", "cuda"} and value != "cuda":
        chosen = f", and gpu_id to {number}" if number else ""
        raise ValueError(f"for a GPU set device to 'cuda'{chosen}")
    return value


Sampler = Literal["uniform", "popularity", "in_batch"]
"""Ways to draw negatives: evenly, by popularity, or the other targets of the batch."""


class LossTraits(Protocol):
    """What settings need to know of a loss."""

    @property
    def name(self) -> str:
        """What users write."""
        ...

    @property
    def sampler(self) -> Sampler | None:
        """How its negatives are drawn unless the user says otherwise; None if it needs none."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """Training settings that it reads and that not all losses do."""
        ...

    @property
    def needs_item_vectors(self) -> bool:
        """Whether scores must be dot products of states and item vectors."""
        ...


def _loss_name(value: Any) -> str:
    """Return a loss's name as it is registered; upper and lower case do not matter.

    Args:
        value: As given.

    Returns:
        The name.

    Raises:
        PydanticCustomError: No loss is called so.
    """
    name = LOSSES.called(str(value))
    if name not in LOSSES:
        *others, last = map(repr, LOSSES)
        expected = f"{', '.join(others)} or {last}"
        raise PydanticCustomError(
            "literal_error", "Input should be {expected}", {"expected": expected}
        )
    return name


def no_item_vectors(model: str, loss: str) -> str:
    """Return why a loss that needs dot products is refused, for a model that scores otherwise.

    Args:
        model: Which model.
        loss: Name of the loss.

    Returns:
        The text of the error.
    """
    return f"{model} does not score by dot product, so loss {loss} cannot be used; choose BPR"


class TrainingSettings(Settings):
    """How weights are learned."""

    loss: Annotated[str, BeforeValidator(_loss_name)] = Field(
        "CE", json_schema_extra=recbole("loss_type")
    )
    """CE: softmax over the whole catalogue. The others set the target against sampled negatives:
    BPR (pairs), BCE (the original paper's), gBCE (gSASRec's), SSM (sampled softmax), BPRmax and
    TOP1max (GRU4Rec+'s)."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """With CE: share of the label that is given evenly to all items."""
    gbce_calibration: float = Field(0.75, ge=0, le=1)
    """With gBCE: gSASRec's t, 0 for plain BCE to 1 for calibrated probabilities."""
    score_penalty: float = Field(1.0, ge=0, allow_inf_nan=False)
    """With BPRmax: weight of the negatives' squared scores."""
    correct_sampling: bool = True
    """With SSM: correct each negative's score by the logarithm of how often it is drawn (logQ)."""
    negatives: Literal["auto", "none", "uniform", "popularity", "in_batch"] = "auto"
    """How negatives are drawn, for a loss that needs them: evenly, by popularity, or the other
    targets of the batch; auto is uniform where needed."""
    negative_count: int = Field(1, ge=1, le=1_000_000)
    """Negatives drawn for each target, or for each batch if shared."""
    shared_negatives: bool = False
    """Draw one set of negatives for a whole batch, which is much faster; in_batch always does."""
    negative_alpha: float = Field(1.0, ge=0, allow_inf_nan=False)
    """With popularity: the power of an item's training count it is drawn with."""
    negative_candidates: int = Field(0, ge=0, le=10_000)
    """Above 0, so many are drawn for each negative and the one that scores highest is taken."""
    epochs: int = Field(300, ge=1, json_schema_extra=recbole("epochs"))
    """Most epochs to train; early stopping usually ends sooner."""
    batch_size: int = Field(2048, ge=1, json_schema_extra=recbole("train_batch_size"))
    """Targets (not users) per optimiser step."""
    shuffle: bool = Field(True, json_schema_extra=recbole("shuffle"))
    """Take windows in a new order each epoch."""
    optimiser: Annotated[
        Literal["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"], in_case(str.lower)
    ] = Field("adam", json_schema_extra=recbole("learner"))
    """How gradients become steps; sparse_adam is Adam here, as our gradients are dense."""
    learning_rate: float = Field(0.001, gt=0, allow_inf_nan=False)
    """The optimiser's learning rate."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """L2 penalty on the weights (with adamw: decoupled decay)."""
    decay_matrices_only: bool = False
    """Let weight_decay work on the matrices of linear layers only, not on item and position
    vectors, biases and normalisation."""
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    """With adam and adamw: decay of the mean square of the gradient (the paper's code: 0.98)."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the learning rate rises from near 0 at first."""
    schedule: Literal["constant", "cosine"] = "constant"
    """How the learning rate goes on: constant, or falling like half a cosine to 0 at `epochs`."""
    clip_norm: float | None = Field(None, gt=0)
    """Longest gradient of all weights together; a longer one is shortened. None never does."""
    clip_norm_type: float = Field(2.0, gt=0)
    """Which norm clip_norm measures; inf is the largest element."""
    context: float = Field(0.25, ge=0, lt=1)
    """Left context a target keeps at least, when its history is long enough, as a share of
    max_history. Histories longer than max_history are cut into windows; 0 cuts without overlap
    (fastest), 0.25 lets each window begin a quarter of it before its first target."""
    averaging: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, by optimiser step; the average is what is
    validated, kept and used. 0 uses the weights of the last step, as RecBole does."""
    validate_every: int = Field(1, ge=0, json_schema_extra=recbole("eval_step"))
    """Epochs between validations; 0 never validates and trains all epochs."""
    patience: int = Field(20, ge=0, json_schema_extra=recbole("stopping_step"))
    """Training stops after more than this many validations in a row without a new best."""
    seed: int = Field(2020, ge=0, le=2**63 - 1, json_schema_extra=recbole("seed"))
    """Seed of every random number: weights, order, dropout, negatives."""
    deterministic: bool = Field(True, json_schema_extra=recbole("reproducibility"))
    """On a GPU, use only operations that give the same result again; a CPU always does."""
    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_device)] = "auto"
    """Where to compute; auto takes the GPU if there is one."""
    gpu_id: Annotated[
        str,
        BeforeValidator(_gpu_numbers),
        StringConstraints(pattern=GPU_NUMBERS),
    ] = Field("0", json_schema_extra=recbole("gpu_id"))
    """Number of the GPU to take, if one is taken; with several processes, numbers with commas.
    Empty takes none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16 computes matrix products in half width (autocast); weights, sums and everything
    evaluated stay float32. auto takes it where the processor multiplies bfloat16 itself."""

    @property
    def loss_traits(self) -> LossTraits:
        """What the loss needs and reads."""
        traits: LossTraits = LOSSES[self.loss]
        return traits

    @property
    def sampler(self) -> Sampler | None:
        """How negatives are drawn, ``auto`` resolved; None for a loss without negatives."""
        default = self.loss_traits.sampler
        if default is None or self.negatives in {"auto", "none"}:
            return default
        return cast("Sampler", self.negatives)

    @model_validator(mode="after")
    def _negatives_fit_the_loss(self) -> TrainingSettings:
        if self.sampler is None and self.negatives not in {"auto", "none"}:
            raise ValueError(
                f"loss_type {self.loss} compares with all items and takes no negatives; set "
                "train_neg_sample_args to None, or loss_type to BPR"
            )
        if self.sampler is not None and self.negatives == "none":
            raise ValueError(
                f"loss_type {self.loss} needs negatives; set train_neg_sample_args to "
                "{'distribution': 'uniform', 'sample_num': 1}, or loss_type to CE"
            )
        if self.label_smoothing and "label_smoothing" not in self.loss_traits.uses:
            raise ValueError(f"label_smoothing goes with loss CE, not {self.loss}; set it to 0")
        if self.negative_candidates and (self.shared_negatives or self.sampler == "in_batch"):
            raise ValueError(
                "negative_candidates choose the hardest for each target, so they cannot be shared; "
                "set negative_candidates to 0, or shared_negatives to False"
            )
        return self
