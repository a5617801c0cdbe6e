"""Presets: settings to begin with, by name, each with what it rests on.

A preset is a dict of settings. ``best`` also looks at the data: what it finds there gives way to
whatever the user has set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sasrec.settings.registry import MODELS


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a preset may know of the data: sizes of the training part.

    Attributes:
        items: Size of the catalogue.
        targets: Training targets an epoch.
        histories: int64 [U], training events of each user.
        times_tell: Whether times say more than the order of events does.
    """

    items: int
    targets: int
    histories: np.ndarray
    times_tell: bool = False


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings to begin with.

    Attributes:
        rests_on: The paper or measurement it comes from.
        values: Setting to value.
        adapt: From the data to further settings, or None.
    """

    rests_on: str
    values: dict[str, Any]
    adapt: Callable[[DataFacts], dict[str, Any]] | None = None


LENGTHS, HELD = (50, 100, 200), 0.6
"""``best`` looks at the shortest of these lengths that holds this share of the training events."""
LARGE = 500_000
"""Training targets from which on ``best`` takes a wider network and larger batches."""
DEEP = 20
"""Events of a mean history from which on ``best`` takes two blocks."""
DEFAULT = "best"
"""What ``sasrec train`` begins with; ``run_recbole`` begins with ``recbole``."""


def adapted_to(facts: DataFacts) -> dict[str, Any]:
    """Return the settings of ``best`` that depend on the data.

    Args:
        facts: What the data are like.

    Returns:
        Setting to value.
    """
    large = facts.targets >= LARGE
    deep = facts.histories.mean() >= DEEP
    return {
        "max_history": next(
            (length for length in LENGTHS if _held(facts.histories, length) >= HELD), LENGTHS[-1]
        ),
        "n_layers": 2 if deep else 1,
        "n_heads": 2 if deep else 1,
        "hidden_size": 128 if large else 64,
        "inner_size": 512 if large else 256,
        "hidden_dropout_prob": 0.2 if large else 0.3,
        "attn_dropout_prob": 0.2 if large else 0.3,
        "temperature": 0.07 if large else 0.1,
        "batch_size": 8192 if large else 2048,
        "relative_bias": "time" if facts.times_tell else "none",
    }


def _held(histories: np.ndarray, length: int) -> float:
    """Return the share of training events that are among the last so many of their history."""
    return float(np.minimum(histories, length).sum() / max(histories.sum(), 1))


def own_settings(model: str, preset: str | None) -> dict[str, Any]:
    """Return what a model begins with whatever the preset, as its paper has it.

    Args:
        model: Its name.
        preset: Name of the preset, or None.

    Returns:
        Setting to value.
    """
    kind = MODELS[model]
    fields = kind.Settings.model_fields if preset == "recbole" else ()  # as RecBole has them
    return {name: value for name, value in kind.defaults.items() if name not in fields}


PLAIN_ADAM = {"averaging": 0.0, "patience": 10, "valid_metric": "ndcg@10"}
"""Training as papers do it: the last step's weights, ten validations of patience."""

ORIGINAL = {
    "block": "paper",
    "input_norm": False,
    "output_norm": True,
    "scale_embedding": True,
    "hidden_act": "relu",
    "layer_norm_eps": 1e-8,
    "n_layers": 2,
    "n_heads": 1,
    "hidden_size": 50,
    "inner_size": 50,
    "hidden_dropout_prob": 0.5,
    "attn_dropout_prob": 0.5,
    "positions": "reversed",  # histories are filled up at their beginning there
    "loss": "BCE",
    "negative_count": 1,
    "adam_beta2": 0.98,
    "learning_rate": 0.001,
    **PLAIN_ADAM,
}

PRESETS: dict[str, Preset] = {
    "best": Preset(
        "our study on four data sets, chosen on validation (docs/results.md)",
        {
            "block": "pre_norm",
            "input_norm": False,
            "output_norm": True,
            "layer_norm_eps": 1e-8,
            "positions": "reversed",
            "similarity": "cosine",
            "temperature": 0.1,
            "n_layers": 1,
            "n_heads": 1,
            "hidden_dropout_prob": 0.3,
            "attn_dropout_prob": 0.3,
        },
        adapted_to,
    ),
    "recbole": Preset(
        "what RecBole 1.2.1 does where our defaults differ",
        {
            "averaging": 0.0,
            "context": 0.5,
            "patience": 10,
            "valid_metric": "mrr@10",
            "rounded_times": "recbole",
            "sampled_by": "user",
        },
    ),
    "paper": Preset(
        "Kang & McAuley 2018, arXiv:1808.09781, and their code (settings for sparse data)", ORIGINAL
    ),
    "gsasrec": Preset(
        "Petrov & Macdonald 2023, arXiv:2308.07192, and their configuration for MovieLens-1M, but "
        "for Adam's second decay and the patience; negatives are drawn for each target, as there",
        {
            **ORIGINAL,
            "hidden_size": 128,
            "inner_size": 128,
            "tied_output": False,
            "max_history": 200,
            "loss": "gBCE",
            "negative_count": 256,
            "gbce_calibration": 0.75,
            # With 256 negatives the first steps only push all scores down, and Adam goes on
            # dividing by the squares of these large gradients: with 0.999 the model knows no more
            # than popularity for thousands of steps (docs/results.md).
            "adam_beta2": 0.9,
            "patience": 50,
        },
    ),
    "esasrec": Preset(
        "eSASRec (2025): gated blocks, sampled softmax; negatives are shared by a batch, which is "
        "faster",
        {
            "block": "gated",
            "feed_forward": "swiglu",
            "input_norm": False,
            "output_norm": True,
            "layer_norm_eps": 1e-8,
            "positions": "reversed",
            "n_layers": 1,
            "n_heads": 1,
            "hidden_size": 64,
            "inner_size": 256,
            "hidden_dropout_prob": 0.2,
            "attn_dropout_prob": 0.2,
            "loss": "SSM",
            "negative_count": 256,
            "shared_negatives": True,
            "learning_rate": 0.001,
            **PLAIN_ADAM,
        },
    ),
}
