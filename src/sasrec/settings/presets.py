"""Presets: named sets of settings, each with its source.

A preset is a dict of settings. ``best`` also chooses some settings by the data. Values set by the
user override all values of a preset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sasrec.settings.registry import MODELS


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Facts about the training data that a preset may use.

    Attributes:
        items: Number of items in the catalogue.
        targets: Number of training targets in an epoch.
        histories: int64 [U], number of training events of each user.
        times_informative: Whether timestamps carry information beyond the order of events.
    """

    items: int
    targets: int
    histories: np.ndarray
    times_informative: bool = False


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of settings.

    Attributes:
        source: The paper or measurement the settings come from.
        values: Setting to value.
        adapt: Function that returns further settings for the data, or None.
    """

    source: str
    values: dict[str, Any]
    adapt: Callable[[DataFacts], dict[str, Any]] | None = None


MAX_HISTORIES, MIN_COVERAGE = (50, 100, 200), 0.6
"""``best`` sets ``max_history`` to the shortest of these lengths for which the latest events of all
histories make up at least this share of the training events."""
MANY_TARGETS = 500_000
"""Number of training targets from which ``best`` uses a wider network and larger batches."""
LONG_HISTORY = 20
"""Mean length of histories, in events, from which ``best`` uses two blocks."""
DEFAULT = "best"
"""Default preset of ``sasrec train``; that of ``run_recbole`` is ``recbole``."""


def adapted_to(facts: DataFacts) -> dict[str, Any]:
    """Return the settings of ``best`` that depend on the data.

    Args:
        facts: Facts about the training data.

    Returns:
        Setting to value.
    """
    large = facts.targets >= MANY_TARGETS
    deep = facts.histories.mean() >= LONG_HISTORY
    return {
        "max_history": next(
            (
                length
                for length in MAX_HISTORIES
                if _coverage(facts.histories, length) >= MIN_COVERAGE
            ),
            MAX_HISTORIES[-1],
        ),
        "n_layers": 2 if deep else 1,
        "n_heads": 2 if deep else 1,
        "hidden_size": 128 if large else 64,
        "inner_size": 512 if large else 256,
        "hidden_dropout_prob": 0.2 if large else 0.3,
        "attn_dropout_prob": 0.2 if large else 0.3,
        "temperature": 0.07 if large else 0.1,
        "batch_size": 8192 if large else 2048,
        "relative_bias": "time" if facts.times_informative else "none",
    }


def _coverage(histories: np.ndarray, length: int) -> float:
    """Return the share of training events that are among the last ``length`` of their history."""
    return float(np.minimum(histories, length).sum() / max(histories.sum(), 1))


def model_defaults(model: str, preset: str | None) -> dict[str, Any]:
    """Return the default settings of a model, as in its paper; presets override them.

    Args:
        model: Name of the model.
        preset: Name of the preset, or None.

    Returns:
        Setting to value.
    """
    kind = MODELS[model]
    fields = kind.Settings.model_fields if preset == "recbole" else ()  # keep RecBole's values
    return {name: value for name, value in kind.defaults.items() if name not in fields}


PLAIN_ADAM = {"averaging": 0.0, "patience": 10, "valid_metric": "ndcg@10"}
"""Training as in most papers: no averaging of weights, and a patience of ten validations."""

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
    "positions": "reversed",  # the original code pads histories on the left
    "loss": "BCE",
    "negative_count": 1,
    "adam_beta2": 0.98,
    "learning_rate": 0.001,
    **PLAIN_ADAM,
}

PRESETS: dict[str, Preset] = {
    "best": Preset(
        "our experiments on four data sets, chosen by validation results (docs/results.md)",
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
        "RecBole 1.2.1, for settings whose defaults differ here",
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
        "Petrov & Macdonald 2023, arXiv:2308.07192, and their configuration for MovieLens-1M, "
        "except for adam_beta2 and patience; negatives are drawn for each target, as theirs",
        {
            **ORIGINAL,
            "hidden_size": 128,
            "inner_size": 128,
            "tied_output": False,
            "max_history": 200,
            "loss": "gBCE",
            "negative_count": 256,
            "gbce_calibration": 0.75,
            # With 256 negatives the first steps only push all scores down, and Adam keeps dividing
            # by the mean square of these large gradients: with 0.999 the model stays no better than
            # popularity for thousands of steps (docs/results.md).
            "adam_beta2": 0.9,
            "patience": 50,
        },
    ),
    "esasrec": Preset(
        "eSASRec (2025): gated blocks, sampled softmax; the negatives of a batch are shared, which "
        "is faster",
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
