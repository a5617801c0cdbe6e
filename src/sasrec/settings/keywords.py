"""Types of all settings as keyword arguments, so that editors can complete them.

A test checks that they equal the settings in ``sasrec.settings`` and those of the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from sasrec.errors import SettingsError
from sasrec.settings.files import Layer
from sasrec.settings.origin import PYTHON, Origin


class Keywords(TypedDict, total=False):
    """Settings by name; ``sasrec config`` prints a description of each."""

    preset: str
    content_columns: Sequence[str]
    item_vectors: str | None
    items_file: str | None
    item_columns: Sequence[str] | None
    title_column: str | None
    time_format: str | None
    type_column: str | None
    columns: Sequence[str] | None
    encoding: str
    separator: str
    sequence_separator: str
    since: str | None
    until: str | None
    where: str | Sequence[str]
    max_user_events: int | None
    max_history: int
    user_column: str
    item_column: str
    time_column: str
    clean_tokens: Sequence[Literal["spaces", "unicode", "numbers", "case"]]
    missing_values: Sequence[str]
    incomplete: Literal["refuse", "drop"]
    data_path: str
    load_columns: Mapping[str, Literal["*"] | Sequence[str]] | None
    unload_columns: Mapping[str, Sequence[str]] | None
    duplicates: Literal["first", "last", "exact", "consecutive"] | None
    value_intervals: Mapping[str, str | Sequence[bool | int | float | str]]
    only_listed: bool
    user_interactions: str | None
    item_interactions: str | None
    split_files: Sequence[str] | None
    rounded_times: Literal["no", "float32", "scaled", "recbole"]
    scaled_columns: Sequence[str] | None
    list_suffix: str
    loss: str
    label_smoothing: float
    gbce_calibration: float
    score_penalty: float
    correct_sampling: bool
    negatives: Literal["auto", "none", "uniform", "popularity", "in_batch"]
    negative_count: int
    shared_negatives: bool
    negative_alpha: float
    negative_candidates: int
    epochs: int
    batch_size: int
    shuffle: bool
    optimiser: Literal["adam", "adamw", "sgd", "adagrad", "rmsprop", "sparse_adam"]
    learning_rate: float
    weight_decay: float
    decay_matrices_only: bool
    adam_beta2: float
    warmup_steps: int
    schedule: Literal["constant", "cosine"]
    clip_norm: float | None
    clip_norm_type: float
    context: float
    averaging: float
    validate_every: int
    patience: int
    seed: int
    deterministic: bool
    device: Literal["auto", "cpu", "cuda"]
    gpu_id: str
    precision: Literal["auto", "float32", "bfloat16"]
    recent_window: str | None
    target_types: Sequence[str] | None
    train_target_types: Sequence[str] | None
    seen_types: Sequence[str] | None
    metrics: Sequence[str]
    topk: Sequence[int]
    valid_metric: str
    split: Literal["leave_one_out", "ratio", "time", "recbole_time", "none"]
    leave_out: Literal["valid_and_test", "valid_only", "test_only"]
    ratios: Sequence[float]
    ratio_by: Literal["user", "all"]
    test_from: str | None
    valid_from: str | None
    period_targets: Literal["all", "first", "last"]
    candidates: str
    valid_candidates: str | None
    sampled_by: Literal["case", "user"]
    remove_seen: bool
    tail_ratio: float
    decimals: int
    checkpoint_dir: str
    show_progress: bool
    loss_decimals: int
    log_level: Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"]
    keep_training: bool
    popularity_window: float
    save_dataset: bool
    dataset_save_path: str | None
    log_wandb: bool
    wandb_project: str
    log_tensorboard: bool
    content_mix: Literal["sum", "gate"]
    id_dropout_prob: float
    hidden_size: int
    inner_size: int
    n_layers: int
    n_heads: int
    hidden_dropout_prob: float
    attn_dropout_prob: float
    hidden_act: Literal["gelu", "relu", "swish", "tanh", "sigmoid"]
    layer_norm_eps: float
    initializer_range: float
    block: Literal["post_norm", "pre_norm", "paper", "gated"]
    norm: Literal["layer", "rms"]
    feed_forward: Literal["mlp", "swiglu"]
    input_norm: bool
    output_norm: bool
    positions: Literal["learned", "reversed", "rotary", "none"]
    relative_bias: Literal["none", "position", "time", "both"]
    time_dropout_prob: float
    scale_embedding: bool
    residual: bool
    event_dropout_prob: float
    tied_output: bool
    similarity: Literal["dot", "cosine"]
    event_types: Literal["both", "history", "next", "none"]
    type_dropout_prob: float
    temperature: float
    embedding_size: int
    num_layers: int
    dropout_prob: float
    kernel_size: int
    block_num: int
    dilations: Sequence[int]
    reg_weight: float
    nh: int
    nv: int
    order: int
    mask_ratio: float
    ft_ratio: float
    weight_of_length: float


def given_layers(
    settings: Mapping[str, Any] | None, keywords: Keywords, origin: Origin = PYTHON
) -> list[Layer]:
    """Return settings from a mapping and from keyword arguments, which override the mapping.

    They are two layers, so that a keyword also overrides a setting that the mapping gives under
    RecBole's name.

    Args:
        settings: Setting to value, or None.
        keywords: Settings given as keyword arguments.
        origin: Origin of both layers.

    Returns:
        The layers, in order of increasing priority.

    Raises:
        SettingsError: ``settings`` is not a mapping.
    """
    if not isinstance(settings, Mapping | None):
        raise SettingsError(f"settings must be a dict of names to values, not {settings!r}")
    return [Layer(origin, settings or {}), Layer(origin, dict(keywords))]
