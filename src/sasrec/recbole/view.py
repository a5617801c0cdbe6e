"""The keys and values of RecBole's ``Config``: each setting under sasrec's and RecBole's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sasrec.settings.metric_names import smaller_is_better, split_key
from sasrec.settings.resolve import RunSettings
from sasrec.settings.training import TrainingSettings
from sasrec.system.device import pick_device

RECBOLE_METRICS = {
    name.lower(): name
    for name in (
        "Recall", "MRR", "NDCG", "Hit", "Precision", "MAP", "GAUC", "ItemCoverage",
        "AveragePopularity", "ShannonEntropy", "GiniIndex", "TailPercentage",
    )
}  # fmt: skip
"""sasrec's names of metrics to RecBole's."""
CONSTANTS = {
    "worker": 0,
    "repeatable": True,
    "eval_batch_size": 4096,
    "enable_scaler": False,
    "RATING_FIELD": "rating",
    "LABEL_FIELD": "label",
    "NEG_PREFIX": "neg_",
    "ITEM_LIST_LENGTH_FIELD": "item_length",
    "POSITION_FIELD": "position_id",
}
"""Keys without a meaning in sasrec, with RecBole's default values."""


def as_recbole(run: RunSettings, model: str, dataset: str) -> dict[str, Any]:
    """Return every setting under sasrec's name and, if it has one, RecBole's name.

    Args:
        run: The settings.
        model: Name of the model.
        dataset: Name or path of the data.

    Returns:
        Key to value.
    """
    values: dict[str, Any] = {**CONSTANTS, "model": model, "dataset": Path(dataset).stem}
    for group in run.groups().values():
        for name, rule in type(group).model_fields.items():
            value = getattr(group, name)
            values[name] = list(value) if isinstance(value, tuple) else value
            extra = rule.json_schema_extra
            if isinstance(extra, dict) and isinstance(alias := extra.get("recbole"), str):
                values[alias] = values[name]
    split = {
        "leave_one_out": {"LS": run.evaluation.leave_out},
        "ratio": {"RS": list(run.evaluation.ratios)},
        "time": {"TS": list(run.evaluation.ratios)},
        "recbole_time": {"TS": list(run.evaluation.ratios)},
        "none": {"RS": [1.0, 0.0, 0.0]},
    }[run.evaluation.split]
    folder = Path(dataset)
    is_name = len(folder.parts) == 1
    values["data_path"] = str(Path(run.data.data_path) / dataset if is_name else folder.parent)
    values["metrics"] = [RECBOLE_METRICS.get(name, name) for name in run.evaluation.metrics]
    watched, k = split_key(run.evaluation.valid_metric)
    values["valid_metric"] = (
        f"{RECBOLE_METRICS.get(watched, watched)}@{k}" if k else RECBOLE_METRICS[watched]
    )
    values["valid_metric_bigger"] = not smaller_is_better(run.evaluation.valid_metric)
    values["use_gpu"] = run.training.device != "cpu"
    values["enable_amp"] = run.training.precision == "bfloat16"
    values["val_interval"] = run.data.value_intervals or None
    values["train_neg_sample_args"] = _negatives(run.training)
    norm = run.training.clip_norm
    kind = run.training.clip_norm_type
    values["clip_grad_norm"] = None if norm is None else {"max_norm": norm, "norm_type": kind}
    values["device"] = pick_device(run.training.device, run.training.gpu_id)
    values["eval_args"] = {
        "split": split,
        "group_by": "user" if run.evaluation.ratio_by == "user" else None,
        "order": "TO",
        "mode": {"valid": run.evaluation.validation_candidates, "test": run.evaluation.candidates},
    }
    return values


def _negatives(training: TrainingSettings) -> dict[str, Any] | None:
    if training.sampler is None:
        return None
    return {
        "distribution": training.sampler,
        "sample_num": training.negative_count,
        "alpha": training.negative_alpha,
        "dynamic": training.negative_candidates > 0,
        "candidate_num": training.negative_candidates,
    }
