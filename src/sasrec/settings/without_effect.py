"""Finds settings that have no effect because of other settings, such as negatives with loss CE."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.training import TrainingSettings


def _is_read(setting: str) -> Callable[[TrainingSettings], bool]:
    """Return the rule for a setting that only some losses use."""
    return lambda its: setting in its.loss_traits.uses


TRAINING: dict[str, Callable[[TrainingSettings], bool]] = {
    "label_smoothing": _is_read("label_smoothing"),
    "gbce_calibration": _is_read("gbce_calibration"),
    "score_penalty": _is_read("score_penalty"),
    "correct_sampling": _is_read("correct_sampling"),
    "negatives": lambda its: its.sampler is not None or its.negatives in {"auto", "none"},
    "negative_count": lambda its: its.sampler not in {None, "in_batch"},
    "shared_negatives": lambda its: its.sampler not in {None, "in_batch"},
    "negative_alpha": lambda its: its.sampler == "popularity",
    "negative_candidates": lambda its: its.sampler is not None,
    "adam_beta2": lambda its: its.optimiser in {"adam", "adamw", "sparse_adam"},
    "decay_matrices_only": lambda its: its.weight_decay > 0,
    "clip_norm_type": lambda its: its.clip_norm is not None,
    "patience": lambda its: its.validate_every > 0,
}
"""Setting to a function that returns whether it has an effect with the other settings."""
EVALUATION: dict[str, Callable[[EvaluationSettings], bool]] = {
    "leave_out": lambda its: its.split == "leave_one_out",
    "ratios": lambda its: its.split not in {"leave_one_out", "none"} and not its.has_dates,
    "period_targets": lambda its: its.has_dates,
    "sampled_by": lambda its: {its.candidates, its.validation_candidates} != {"full"},
    "ratio_by": lambda its: its.split == "ratio",
    "tail_ratio": lambda its: "tailpercentage" in its.metrics,
}
BY_DATA: dict[str, Callable[[DataSettings], bool]] = {
    "content_mix": lambda its: its.has_content,
    "id_dropout_prob": lambda its: its.has_content,
    "scaled_columns": lambda its: not its.scaled_columns or its.time_column in its.scaled_columns,
}


def keys_without_effect(
    written: Mapping[str, str],
    data: DataSettings,
    training: TrainingSettings,
    evaluation: EvaluationSettings,
) -> list[str]:
    """Return the keys given by the user that have no effect because of other settings.

    Args:
        written: Our name of each setting that was given, to the key as written.
        data: Data settings.
        training: Training settings.
        evaluation: Evaluation settings.

    Returns:
        Keys as written. A key that stands for several settings, such as RecBole's ``eval_args``, is
        only returned if none of them has an effect.
    """
    has_effect = {name: rule(training) for name, rule in TRAINING.items()}
    has_effect |= {name: rule(evaluation) for name, rule in EVALUATION.items()}
    has_effect |= {name: rule(data) for name, rule in BY_DATA.items()}
    effective = {key for name, key in written.items() if has_effect.get(name, True)}
    return [key for key in dict.fromkeys(written.values()) if key not in effective]
