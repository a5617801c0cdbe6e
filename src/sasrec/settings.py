"""The settings every run has: data, training, evaluation.

A model's own settings stand beside the model (``models/sasrec.py``); ``experiment.py`` joins the
groups and resolves what a user wrote. Each field carries its documentation in the string under
it, and its name in RecBole, where it has one, as ``recbole(...)``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from sasrec.errors import did_you_mean
from sasrec.written import WrittenFloat, WrittenInt, spelling


class Settings(BaseModel):
    """A closed, frozen group of settings: unknown keys are refused, values are checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


Activation = Literal["gelu", "relu", "swish", "tanh", "sigmoid"]
"""Names of activations, as RecBole spells them."""
Norm = Literal["layer", "rms"]
"""Names of normalisations."""


def check_heads(width: int, heads: int) -> None:
    """Refuse a width that attention heads cannot share.

    Args:
        width: Of hidden states.
        heads: Number of heads.

    Raises:
        ValueError: It is no multiple.
    """
    if width % heads:
        below, above = width // heads * heads, (width // heads + 1) * heads
        near = f"{below} or {above}" if below else str(above)
        raise ValueError(
            f"hidden_size {width} cannot be shared by n_heads {heads}; "
            f"choose a multiple of {heads}, such as {near}"
        )


def recbole(name: str) -> dict[str, Any]:
    """Return the field metadata that gives a setting its second name, the one RecBole uses.

    Args:
        name: RecBole's key, such as ``train_batch_size``.

    Returns:
        Metadata for ``Field(json_schema_extra=...)``.
    """
    return {"recbole": name}


def _listed(value: Any) -> Any:
    """Return ``topk: 10`` and ``metrics: ndcg,map`` as lists; RecBole takes single values too."""
    if isinstance(value, str):
        return tuple(value.split(","))
    return (value,) if isinstance(value, int) else value


GPU_NUMBERS = r"^(\d{1,4}( *, *\d{1,4})*)?$"
CANDIDATES = r"^(full|(uni|pop|paper)[1-9][0-9]{0,4})$"


def _worded(value: Any) -> Any:
    """Return a number as the text it was before it was read as a literal."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return spelling(value) if is_number else value


def _gpu_numbers(value: Any) -> Any:
    """Return ``0,1``, which a command line reads as a pair, as text again; None or ~ is no GPU."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None or value == "~" else _worded(value)


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


def _separator(value: Any) -> Any:
    r"""Return a separator in which ``\t``, as a command line passes it on, is a tab."""
    return value.replace("\\t", "\t") if isinstance(value, str) else value


def _in_case(change: Callable[[str], str]) -> BeforeValidator:
    """Return a validator that forgives upper and lower case, as RecBole does."""
    return BeforeValidator(lambda value: change(value) if isinstance(value, str) else value)


LossName = Literal["CE", "BPR", "BCE", "gBCE", "SSM", "BPRmax", "TOP1max"]
"""Names of losses."""


def _loss_name(value: Any) -> Any:
    """Return a loss's name as we spell it; upper and lower case do not matter."""
    known = {name.lower(): name for name in get_args(LossName)}
    return known.get(value.lower(), value) if isinstance(value, str) else value


Word = Annotated[str, BeforeValidator(_worded), StringConstraints(min_length=1)]
PartName = Annotated[str, BeforeValidator(_worded), StringConstraints(pattern=r"^[^/\\\x00]+$")]
Separator = Annotated[
    str,
    BeforeValidator(_separator),
    StringConstraints(pattern=r"^[\x00-\x09\x0b\x0c\x0e-\x7f]{1,4}$"),
]
CutOff = Annotated[int, Field(gt=0, le=100_000)]
MetricName = Annotated[str, StringConstraints(to_lower=True, strip_whitespace=True, min_length=1)]


def _spelled(value: Any) -> Any:
    """Return an interval as text again if it was read as a literal, as ``[20,100]`` is.

    Args:
        value: As given.

    Returns:
        A text, or what is for pydantic to judge.

    Raises:
        ValueError: It is a single number.
    """
    if isinstance(value, list | tuple):
        inside = ",".join(map(str, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, int | float):
        raise ValueError(f"an interval is a text such as '[{value},inf)'")
    return value


TimeRule = Literal["no", "float32", "scaled", "recbole"]
"""How times are rounded before they are compared."""


def _time_rule(value: Any) -> Any:
    """Return the name of a rule; True and False stand in files of version 0.1."""
    if value is None or isinstance(value, bool):
        return "scaled" if value else "no"
    return value


IntervalText = Annotated[str, BeforeValidator(_spelled)]
FilterValue = StrictBool | StrictInt | StrictFloat | StrictStr
"""A value that a filter keeps; the number 7 and the text "7" are told apart where it matters."""


def _filter_values(value: Any) -> Any:
    """Return the values of a filter as they were written, a single number as a list of one.

    Args:
        value: As given: a text, a number or a boolean, or several in a list, set, array or column.

    Returns:
        A text, a tuple, or what is for pydantic to judge.

    Raises:
        ValueError: A value is missing.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool | int | float):
        value = (value,)
    if not isinstance(value, list | tuple | set | frozenset):
        return value
    given = [each.item() if hasattr(each, "item") else each for each in value]
    if any(each is None for each in given):
        raise ValueError("the list holds null; put it between quotation marks if it is a text")
    return tuple(
        each.text
        if isinstance(each, WrittenInt | WrittenFloat)
        else each.isoformat()
        if type(each) is date
        else each
        for each in given
    )


def _filters(value: Any) -> Any:
    """Refuse filters that are a text, since something in it is neither a number nor quoted.

    Args:
        value: As given; None is no filter.

    Returns:
        The filters.

    Raises:
        ValueError: They are a text.
    """
    if isinstance(value, str):
        raise ValueError(
            "write {'column': '[low,high]'} or {'column': ['a', 'b']}, with quotation marks about "
            "each text"
        )
    return {} if value is None else value


ValueFilters = Annotated[
    dict[Word, Annotated[str | tuple[FilterValue, ...], BeforeValidator(_filter_values)]],
    BeforeValidator(_filters),
]

NO_TIMES = "none"
"""As the time column: the rows are in order, and no times are read."""
READ_AS_NONE = ("None", "null", "NULL", "Null")
"""Texts that Python and YAML read as no value."""


def _or_no_times(value: Any) -> Any:
    """Return ``none`` for no column, however YAML or Python spell it."""
    is_none = value is None or (isinstance(value, str) and value.lower() in {NO_TIMES, "null"})
    return NO_TIMES if is_none else value


def _cleanings(value: Any) -> Any:
    """Return ``spaces,numbers`` as a tuple; true is what hardly ever joins two different things."""
    if isinstance(value, bool) or value is None:
        return ("spaces", "unicode", "numbers") if value else ()
    return tuple(each.strip() for each in value.split(",")) if isinstance(value, str) else value


def _missing_texts(value: Any) -> Any:
    """Return texts as the user wrote them; YAML reads NULL as no value, so that stands for it.

    Args:
        value: A text with commas between several, a number, or a list of these.

    Returns:
        Texts, or what is for pydantic to judge.

    Raises:
        ValueError: One is true or false, whose spelling is lost.
    """
    given = value.split(",") if isinstance(value, str) else value
    texts: list[Any] = []
    for each in given if isinstance(given, list | tuple) else [given]:
        if isinstance(each, bool):
            raise ValueError("true and false must stand in quotation marks to be texts")
        texts += READ_AS_NONE if each is None else [spelling(each).strip()]
    return tuple(texts)


SCALED_IN_RECBOLE = "ml-100k"
"""The one data set whose times RecBole scales unasked (``properties/dataset/ml-100k.yaml``)."""


class DataSettings(Settings):
    """Which columns hold what, and how much history counts."""

    max_history: int = Field(
        50, ge=1, le=1_000_000, json_schema_extra=recbole("MAX_ITEM_LIST_LENGTH")
    )
    """Longest history the model looks at, in events; older events are left out."""
    user_column: Word = Field("user_id", json_schema_extra=recbole("USER_ID_FIELD"))
    """Column with the user's token."""
    item_column: Word = Field("item_id", json_schema_extra=recbole("ITEM_ID_FIELD"))
    """Column with the item's token."""
    time_column: Annotated[Word, BeforeValidator(_or_no_times)] = Field(
        "timestamp", json_schema_extra=recbole("TIME_FIELD")
    )
    """Column with the time of the event; none takes the rows to be in order and reads no times."""
    clean_tokens: Annotated[
        tuple[Literal["spaces", "unicode", "numbers", "case"], ...], BeforeValidator(_cleanings)
    ] = ()
    """What to make alike in users and items: spaces (around them), unicode (NFC), numbers (9.0 is
    9), case (lower); true does the first three. By default tokens are taken as they stand."""
    missing_values: Annotated[tuple[str, ...], BeforeValidator(_missing_texts)] = ()
    """Texts that mean a missing user, item or time, such as ['NULL', 'nan']; spaces around them do
    not matter. By default only an empty value is missing."""
    incomplete: Annotated[Literal["refuse", "drop"], _in_case(str.lower)] = "refuse"
    """What to do with rows without a user, item or time: refuse the data, or drop these rows."""
    separator: Separator = Field("\t", json_schema_extra=recbole("field_separator"))
    r"""What stands between columns of an atomic file: \t, or up to four characters such as ::."""
    sequence_separator: Separator = Field(" ", json_schema_extra=recbole("seq_separator"))
    """What stands between the tokens of a column that holds several."""
    data_path: Word = Field("dataset", json_schema_extra=recbole("data_path"))
    """Folder in which a data set is looked up by name, as NAME/NAME.inter."""
    load_columns: dict[str, Literal["*"] | tuple[Word, ...]] | None = Field(
        None, json_schema_extra=recbole("load_col")
    )
    """Columns to read, by file: {'inter': ['user_id', 'item_id', 'timestamp']}; None reads all."""
    unload_columns: dict[str, tuple[Word, ...]] | None = Field(
        None, json_schema_extra=recbole("unload_col")
    )
    """Columns to leave out, by file, as if they were not there."""
    duplicates: Literal["first", "last", "exact", "consecutive"] | None = Field(
        None, json_schema_extra=recbole("rm_dup_inter")
    )
    """first or last: which event to keep where a user met an item several times. exact: keep one
    event of those with the same user, item and time. consecutive: keep the first of a user's
    events that have the same item and follow each other. None keeps all."""
    value_intervals: ValueFilters = {}
    """Values to keep, by column: {'rating': '[4,inf)'} for an interval of numbers, a list for these
    values alone: {'shop': ['a', '012']}. Texts are compared as they are spelled."""
    only_listed: bool = Field(True, json_schema_extra=recbole("filter_inter_by_user_or_item"))
    """Leave out events of users and items that a loaded .user or .item file does not list."""
    user_interactions: IntervalText | None = Field(
        None, json_schema_extra=recbole("user_inter_num_interval")
    )
    """Interval of the number of events a user must have, such as '[5,inf)'."""
    item_interactions: IntervalText | None = Field(
        None, json_schema_extra=recbole("item_inter_num_interval")
    )
    """Interval of the number of events an item must have; with both, until nothing changes."""
    split_files: Annotated[tuple[PartName, ...], Field(min_length=2, max_length=3)] | None = Field(
        None, json_schema_extra=recbole("benchmark_filename")
    )
    """Parts of a data set that is split already: ['train', 'valid', 'test'] reads NAME.train.inter
    and so on; nothing is filtered then. Of two, ['train', 'test'], validation is taken from the
    first: the last event of each user who has three there."""
    rounded_times: Annotated[TimeRule, BeforeValidator(_time_rule)] = "no"
    """Compare times in float32, as RecBole does; events that become simultaneous keep the order of
    the file. float32: as they are, so that times in seconds are 128 s apart; scaled: after scaling
    them to 0..1; recbole: scaled for ml-100k, whose file in RecBole says so, otherwise as they are.
    Splits by time compare them so, too."""
    scaled_columns: tuple[Word, ...] | None = Field(
        None, json_schema_extra=recbole("normalize_field")
    )
    """Columns to scale to 0..1, as RecBole does; only the time column is looked at here, and then
    compared in float32."""
    list_suffix: Word = Field("_list", json_schema_extra=recbole("LIST_SUFFIX"))
    """End of the name of a column that holds a ready history, in files that are split already."""

    @field_validator("split_files")
    @classmethod
    def _parts_are_different(cls, parts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = [name for name in parts or () if (parts or ()).count(name) > 1]
        if twice:
            raise ValueError(
                f"{twice[0]!r} stands there twice, so its events would be in their own history; "
                "name ['train', 'test'] to have validation taken from the training part"
            )
        return parts

    @model_validator(mode="after")
    def _columns_do_not_collide(self) -> DataSettings:
        own = [self.user_column, self.item_column, self.time_column]
        twice = [name for name in own if own.count(name) > 1]
        if twice:
            raise ValueError(
                f"user_column, item_column and time_column are three columns, not {twice[0]!r} "
                "twice; name another"
            )
        if self.scaled_columns is not None and self.rounded_times == "scaled":
            raise ValueError("normalize_all scales every column; leave normalize_field out")
        for name in self.scaled_columns or ():
            if name != self.time_column and (meant := did_you_mean(name, [self.time_column])):
                raise ValueError(f"normalize_field names {name!r}{meant}")
        both = set(self.load_columns or {}) & set(self.unload_columns or {})
        if both:
            raise ValueError(f"load_col and unload_col both name {min(both)!r}; keep one")
        return self

    def times_of(self, name: str) -> Literal["no", "float32", "scaled"]:
        """Return how the times of a data set are rounded before they are compared.

        Args:
            name: Of the data set.

        Returns:
            A rule.
        """
        if self.time_column in (self.scaled_columns or ()):
            return "scaled"
        if self.rounded_times == "recbole":
            return "scaled" if name == SCALED_IN_RECBOLE else "float32"
        return self.rounded_times


class TrainingSettings(Settings):
    """How weights are learned."""

    loss: Annotated[LossName, BeforeValidator(_loss_name)] = Field(
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
        Literal["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"], _in_case(str.lower)
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

    @model_validator(mode="after")
    def _negatives_fit_the_loss(self) -> TrainingSettings:
        if self.loss == "CE" and self.negatives not in {"auto", "none"}:
            raise ValueError(
                "loss_type CE compares with all items and takes no negatives; set "
                "train_neg_sample_args to None, or loss_type to BPR"
            )
        if self.loss != "CE" and self.negatives == "none":
            raise ValueError(
                f"loss_type {self.loss} needs negatives; set train_neg_sample_args to "
                "{'distribution': 'uniform', 'sample_num': 1}, or loss_type to CE"
            )
        if self.label_smoothing and self.loss != "CE":
            raise ValueError(f"label_smoothing goes with loss CE, not {self.loss}; set it to 0")
        if self.negative_candidates and (self.shared_negatives or self.negatives == "in_batch"):
            raise ValueError(
                "negative_candidates choose the hardest for each target, so they cannot be shared; "
                "set negative_candidates to 0, or shared_negatives to False"
            )
        return self


SPLIT_KEYS = ("split", "leave_out", "ratios", "ratio_by")
"""Settings of evaluation that say which events train."""


class EvaluationSettings(Settings):
    """What is measured, and how it is printed."""

    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(_listed)] = Field(
        ("recall", "mrr", "ndcg", "hit", "precision"), min_length=1
    )
    """Names of the metrics to report."""
    topk: Annotated[tuple[CutOff, ...], BeforeValidator(_listed)] = Field((10,), min_length=1)
    """Cut-offs K at which each metric is reported."""
    valid_metric: MetricName = "ndcg@20"
    """The metric early stopping watches, as NAME@K. It may be another than those reported; a deep
    cut-off hears more of the cases."""
    split: Literal["leave_one_out", "ratio", "time", "recbole_time"] = "leave_one_out"
    """How targets are kept back: each user's last ones; by shares; by shares at two moments that
    are the same for all users (time); or by RecBole's TS, whose validation is not later than its
    training (recbole_time)."""
    leave_out: Literal["valid_and_test", "valid_only", "test_only"] = "valid_and_test"
    """With leave_one_out: which of the two kinds of targets are kept back."""
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """With all splits but leave_one_out: shares of training, validation and test; they need not sum
    to one."""
    ratio_by: Literal["user", "all"] = "user"
    """With ratio: of each user's targets, or of all targets in the order of time."""
    candidates: Annotated[str, StringConstraints(pattern=CANDIDATES)] = "full"
    """Against which items a target is ranked: full (all), uni100 (100 drawn evenly), pop100 (100
    drawn by popularity) or paper100 (as the code of 2018: 100 drawn outside the user's training
    events, one drawn twice counts twice, ties do not count). Figures of these are not comparable
    with each other, least of all with full ones."""
    valid_candidates: Annotated[str, StringConstraints(pattern=CANDIDATES)] | None = None
    """The same for validation; None takes that of the test."""
    sampled_by: Literal["case", "user"] = "case"
    """With sampled candidates: rank each case by itself, or put all cases of a user into one list
    with several targets, as RecBole does; the same where a user has one case."""
    remove_seen: bool = False
    """Rank a target among the items its user has not met; one met before counts as ranked last.
    Off, as in RecBole, all items are ranked. Figures of the two are not comparable."""
    tail_ratio: Annotated[float, BeforeValidator(lambda value: 0.1 if value is None else value)] = (
        Field(0.1, gt=0, allow_inf_nan=False)
    )
    """With tailpercentage: the share of the items, rarest first, that are the tail; above 1, the
    most training events an item of the tail has."""
    decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("metric_decimal_place"))
    """Decimal places of printed metrics; saved values are not rounded."""

    @model_validator(mode="after")
    def _shares_are_shares(self) -> EvaluationSettings:
        if not all(0 <= share < float("inf") for share in self.ratios) or not self.ratios[0]:
            raise ValueError(
                f"ratios are {list(self.ratios)}; shares are finite numbers from 0, and that of "
                "training is above 0"
            )
        return self

    @model_validator(mode="after")
    def _seen_items_are_removed_from_all(self) -> EvaluationSettings:
        if self.remove_seen and {self.candidates, self.validated_against} != {"full"}:
            raise ValueError("remove_seen needs full ranking; sampled candidates are as drawn")
        return self

    @property
    def validated_against(self) -> str:
        """What validation targets are ranked against."""
        return self.candidates if self.valid_candidates is None else self.valid_candidates


class OutputSettings(Settings):
    """What is written beside the result, and where."""

    checkpoint_dir: Word = Field("saved", json_schema_extra=recbole("checkpoint_dir"))
    """Folder in which models are saved."""
    show_progress: bool = Field(True, json_schema_extra=recbole("show_progress"))
    """Show how training goes."""
    loss_decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("loss_decimal_place"))
    """Decimal places of the loss in progress lines; saved values are not rounded."""
    log_level: Annotated[
        Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], _in_case(str.upper)
    ] = Field("INFO", json_schema_extra=recbole("state"))
    """Least importance of what is logged."""
    keep_training: bool = True
    """Keep the state of training beside the model folder after each epoch, so that a training that
    was cut off can go on (sasrec train --resume)."""
    popularity_window: float = Field(0.1, gt=0, le=1)
    """Share of the training events, the latest ones, by which the most popular items are chosen
    for histories the model can say nothing of. 1 counts all, as without times."""
    save_dataset: bool = Field(False, json_schema_extra=recbole("save_dataset"))
    """Write the events that are left after filtering as an atomic file."""
    dataset_save_path: Word | None = Field(None, json_schema_extra=recbole("dataset_save_path"))
    """Folder for that file; None takes checkpoint_dir."""
    log_wandb: bool = Field(False, json_schema_extra=recbole("log_wandb"))
    """Tell Weights & Biases of each epoch (needs accelerate and wandb)."""
    wandb_project: Word = Field("sasrec", json_schema_extra=recbole("wandb_project"))
    """What the project is called there, and for TensorBoard."""
    log_tensorboard: bool = False
    """Write each epoch for TensorBoard into checkpoint_dir/PROJECT, a folder for each training
    (needs accelerate and tensorboard)."""

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers asked for."""
        asked = {"wandb": self.log_wandb, "tensorboard": self.log_tensorboard}
        return tuple(name for name, wanted in asked.items() if wanted)
