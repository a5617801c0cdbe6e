"""RecBole's keys that need translation, and those without effect.

A key that is just another name for one of our settings is given as ``recbole(...)`` in the
definition of that setting. This file handles the others: ``TRANSLATED`` turns the value of a key
into one or more settings, and ``WITHOUT_EFFECT`` lists keys of RecBole that are ignored here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.evaluation import CANDIDATES

Translation = Callable[[Any], dict[str, Any]]


def _eval_args(value: Any) -> dict[str, Any]:
    parts = _dict("eval_args", value, {"split", "group_by", "order", "mode"})
    # As in RecBole, the dict replaces earlier ones as a whole: missing entries get these defaults,
    # not values of an earlier layer. Without a split, the split is by ratio.
    translated: dict[str, Any] = {
        "leave_out": "valid_and_test",
        "ratios": (0.8, 0.1, 0.1),
        "ratio_by": "user",
        "candidates": "full",
        "valid_candidates": None,
        **_split(parts.get("split", {"RS": [0.8, 0.1, 0.1]})),
    }
    if "group_by" in parts:
        group = parts["group_by"]
        if group is not None and str(group).lower() not in {"user", "none"}:
            raise SettingsError(f"eval_args: group_by is {group!r}; choose 'user' or 'none'")
        translated["ratio_by"] = "user" if str(group).lower() == "user" else "all"
    if str(parts.get("order", "TO")) != "TO":
        raise SettingsError(
            f"eval_args: order is {parts['order']!r}; sequential models need 'TO' (time order)"
        )
    if "mode" in parts:
        translated |= _mode(parts["mode"])
    return translated


def _split(value: Any) -> dict[str, Any]:
    how = "write {'LS': 'valid_and_test'}, {'RS': [0.8, 0.1, 0.1]} or {'TS': [0.8, 0.1, 0.1]}"
    if not isinstance(value, Mapping) or len(value) != 1:
        raise SettingsError(f"eval_args: split is {value!r}; {how}")
    [(kind, detail)] = value.items()
    if kind == "LS":
        return {"split": "leave_one_out", "leave_out": detail}
    if kind not in {"RS", "TS"}:
        raise SettingsError(f"eval_args: unknown split {kind!r}; {how}")
    if not isinstance(detail, list | tuple) or len(detail) != 3:
        raise SettingsError(f"eval_args: {kind} is {detail!r}, but it needs three shares; {how}")
    return {"split": "ratio" if kind == "RS" else "recbole_time", "ratios": tuple(detail)}


def _mode(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        parts = _dict("eval_args: mode", value, {"valid", "test"})
        if not parts:
            raise SettingsError("eval_args: mode is {}; give 'valid', 'test' or both")
        test = _candidates(parts.get("test", parts.get("valid")))
        return {"candidates": test, "valid_candidates": _candidates(parts.get("valid", test))}
    return {"candidates": _candidates(value)}


def _candidates(value: Any) -> str:
    if value == "labeled":
        raise SettingsError(
            "eval_args: mode 'labeled' is not available; choose 'full', 'uni100' or 'pop100'"
        )
    if not isinstance(value, str) or not re.fullmatch(CANDIDATES, value):
        raise SettingsError(
            f"eval_args: mode is {value!r}; choose 'full', 'uni100' (100 candidates drawn "
            "uniformly) or 'pop100' (100 drawn by popularity), with any number"
        )
    return value


def _train_neg_sample_args(value: Any) -> dict[str, Any]:
    if value is None or str(value).lower() == "none":
        return {"negatives": "none"}
    known = {"distribution", "sample_num", "alpha", "dynamic", "candidate_num"}
    parts = _dict("train_neg_sample_args", value, known)
    distribution = parts.get("distribution", "uniform")
    names = {"uniform": "uniform", "popularity": "popularity", "none": "none"}
    if str(distribution).lower() not in names:
        raise SettingsError(
            f"train_neg_sample_args: distribution is {distribution!r}"
            f"{did_you_mean(str(distribution), names)} (known: uniform, popularity)"
        )
    translated = {"negatives": names[str(distribution).lower()]}
    for theirs, ours in (
        ("sample_num", "negative_count"),
        ("alpha", "negative_alpha"),
        ("candidate_num", "negative_candidates"),
    ):
        if theirs in parts and str(parts[theirs]).lower() != "none":
            translated[ours] = parts[theirs]
    if not _flag("train_neg_sample_args: dynamic", parts.get("dynamic", False)):
        translated.pop("negative_candidates", None)
    elif not translated.get("negative_candidates"):
        raise SettingsError("train_neg_sample_args: dynamic needs a candidate_num of at least 1")
    return translated


def _clip_grad_norm(value: Any) -> dict[str, Any]:
    if value is None:
        return {"clip_norm": None}
    parts = _dict("clip_grad_norm", value, {"max_norm", "norm_type"})
    if "max_norm" not in parts:
        raise SettingsError("clip_grad_norm has no max_norm; write, for example, {'max_norm': 5}")
    return {"clip_norm": parts["max_norm"], "clip_norm_type": parts.get("norm_type", 2.0)}


def _use_gpu(value: Any) -> dict[str, Any]:
    return {"device": "auto" if _flag("use_gpu", value) else "cpu"}


def _enable_amp(value: Any) -> dict[str, Any]:
    return {"precision": "bfloat16" if _flag("enable_amp", value) else "float32"}


def _repeatable(value: Any) -> dict[str, Any]:
    if not _flag("repeatable", value):
        raise SettingsError(
            "repeatable is False, which RecBole refuses for sequential models as well; remove it. "
            "To rank targets only among items their user has not seen, set remove_seen=True"
        )
    return {}


def _normalize_all(value: Any) -> dict[str, Any]:
    # Without it, RecBole compares unscaled timestamps, but in float32; scaled ones are float32 too.
    scaled = value is not None and _flag("normalize_all", value)
    return {"rounded_times": "scaled" if scaled else "float32"}


def _val_interval(value: Any) -> dict[str, Any]:
    return {"value_intervals": {} if value is None else value}


def common_value(name: str, first: Any, second: Any) -> tuple[Any, ...]:
    """Return the value that two keys for one setting agree on.

    Args:
        name: Name of the setting.
        first: Value by the first key.
        second: Value by the second key.

    Returns:
        A tuple with the value; an empty tuple if the keys contradict each other.
    """
    if first == second:
        return (first,)
    if name == "device" and {first, second} == {"auto", "cuda"}:  # use_gpu: True only means "auto"
        return ("cuda",)
    return ()


def _dict(key: str, value: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"{key} is {value!r}; it must be a dict with keys {', '.join(sorted(known))}"
        )
    for name in value:
        if name not in known:
            raise SettingsError(f"{key}: unknown key {name!r}{did_you_mean(str(name), known)}")
    return dict(value)


def _flag(key: str, value: Any) -> bool:
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    if isinstance(value, str):  # booleans in YAML 1.1, which RecBole uses
        value = words.get(value.lower(), value)
    if not isinstance(value, bool):
        raise SettingsError(f"{key} is {value!r}; it must be True or False")
    return value


TRANSLATED: dict[str, Translation] = {
    "eval_args": _eval_args,
    "train_neg_sample_args": _train_neg_sample_args,
    "clip_grad_norm": _clip_grad_norm,
    "use_gpu": _use_gpu,
    "enable_amp": _enable_amp,
    "repeatable": _repeatable,
    "normalize_all": _normalize_all,
    "val_interval": _val_interval,
}

WITHOUT_EFFECT = frozenset(
    re.findall(
        r"\w+",
        """
        worker save_dataloaders dataloaders_save_path require_pow enable_scaler transform
        eval_batch_size valid_metric_bigger seq_len LABEL_FIELD
        threshold NEG_PREFIX
        ITEM_LIST_LENGTH_FIELD POSITION_FIELD RATING_FIELD HEAD_ENTITY_ID_FIELD
        TAIL_ENTITY_ID_FIELD RELATION_ID_FIELD ENTITY_ID_FIELD kg_reverse_r
        entity_kg_num_interval relation_kg_num_interval unused_col alias_of_user_id
        alias_of_item_id alias_of_entity_id alias_of_relation_id preload_weight
        discretization additional_feat_suffix numerical_features
        MODEL_TYPE MODEL_INPUT_TYPE eval_type single_spec local_rank nproc world_size ip port
        embedding_size neg_sampling training_neg_sample_num
        group_offset device log_root train_batch_num metric_list
        """,
    )
)
