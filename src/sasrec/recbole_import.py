"""RecBole's trained SASRec as one of our models. Nothing of the checkpoint is executed.

A RecBole checkpoint is a pickle that holds objects of RecBole's own, so it cannot be read safely
as it is. ``SCRIPT``, run where RecBole is installed, writes weights and sizes into a plain
safetensors file, and that is what is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sasrec.configuration import RunSettings, resolve_settings
from sasrec.data.limits import json_within_limits
from sasrec.data.sequences import Corpus
from sasrec.data.splits import make_split
from sasrec.errors import ModelError
from sasrec.evaluation.report import Report, environment
from sasrec.experiment import evaluate
from sasrec.models.popularity import item_counts
from sasrec.models.sasrec import SASRec
from sasrec.recommender import Recommender

SIZES = (
    "hidden_size",
    "inner_size",
    "n_layers",
    "n_heads",
    "hidden_dropout_prob",
    "attn_dropout_prob",
    "hidden_act",
    "layer_norm_eps",
    "initializer_range",
    "loss_type",
    "MAX_ITEM_LIST_LENGTH",
)
EMBEDDING_WEIGHTS, BLOCK_WEIGHTS = 4, 16
"""How many weights RecBole's SASRec has outside of its blocks, and in each."""
SCRIPT = f"""\
# Run this where RecBole and safetensors are installed:
#     python convert.py saved/SASRec-….pth sasrec.safetensors
import json, sys, torch
from safetensors.torch import save_file

checkpoint = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
names = {list(SIZES)}
sizes = {{name: checkpoint["config"][name] for name in names}}
weights = {{name: value.contiguous() for name, value in checkpoint["state_dict"].items()}}
save_file(weights, sys.argv[2], {{"config": json.dumps(sizes)}})
"""


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return weights and sizes of a checkpoint that ``SCRIPT`` has written.

    Args:
        path: The safetensors file.

    Returns:
        RecBole's names to weights; RecBole's keys to sizes.

    Raises:
        ModelError: It is missing, damaged, or a RecBole checkpoint as it is, which cannot be read
            safely; the text holds the way out.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if path.suffix != ".safetensors":
        raise ModelError(
            f"{path} is a pickle, which could execute anything; save the script that 'sasrec "
            "import-recbole --script' prints as convert.py, run 'python convert.py "
            f"{path} sasrec.safetensors' where RecBole is installed, and import that file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            sizes = json_within_limits((file.metadata() or {})["config"])
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    except KeyError as error:
        raise ModelError(
            f"{path} names no sizes; write it with the script that 'sasrec import-recbole "
            "--script' prints"
        ) from error
    if not isinstance(sizes, dict):
        raise ModelError(f"{path} names no sizes; its metadata 'config' is no JSON object")
    for name, weight in weights.items():
        if not weight.is_floating_point() or not weight.isfinite().all():
            raise ModelError(f"{path}: the weight {name!r} holds what is no finite number")
    return weights, sizes


def resolve_import(sizes: Mapping[str, Any], given: Mapping[str, Any]) -> RunSettings:
    """Return the settings of a model to import.

    Args:
        sizes: From ``read_checkpoint``.
        given: The user's settings of the data, which RecBole was given too.

    Returns:
        The settings.
    """
    return resolve_settings({"averaging": 0.0, "rounded_times": "recbole", **sizes, **given})


def import_model(
    weights: Mapping[str, Tensor], corpus: Corpus, run: RunSettings
) -> tuple[Recommender, Report]:
    """Return a recommender with RecBole's weights, measured on its data.

    Args:
        weights: From ``read_checkpoint``.
        corpus: The data it was trained on, filtered alike, so that item numbers agree.
        run: From ``resolve_import``.

    Returns:
        The recommender, and how it does.

    Raises:
        ModelError: The weights are not those of a SASRec of these sizes, or there are more or fewer
            items in the data.
    """
    n_items = len(corpus.items)
    table = weights.get("item_embedding.weight", torch.empty(0))
    rows = len(table) if table.ndim else 0
    if rows != n_items + 1:
        raise ModelError(
            f"the checkpoint has {max(rows - 1, 0):,} items and {corpus.name} has {n_items:,}; "
            "give the data and the filters (--key=value) that RecBole was given"
        )
    model = SASRec(run.model, n_items=n_items, max_history=run.data.max_history)  # type: ignore[arg-type]
    try:
        model.load_state_dict(renamed_weights(weights, n_layers=len(model.blocks)))
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"these are not the weights of RecBole's SASRec: {reason}") from error
    if len(weights) != EMBEDDING_WEIGHTS + BLOCK_WEIGHTS * len(model.blocks):
        raise ModelError("the checkpoint has weights that RecBole's SASRec of this n_layers lacks")
    model.eval()
    split = make_split(corpus, run.evaluation)
    report = evaluate("SASRec", model, corpus, split, run=run, device=torch.device("cpu"))
    recommender = Recommender(
        model=model,
        items=corpus.items,
        counts=item_counts(split, n_items),
        titles=corpus.item_titles(),
        settings={**run.as_json(), "source": corpus.source},
        metrics={"reports": [report.as_json()], "stopped_because": "imported from RecBole"},
        environment=environment(),
    )
    return recommender, report


def renamed_weights(weights: Mapping[str, Tensor], *, n_layers: int) -> dict[str, Tensor]:
    """Return RecBole's weights under our names; query, key and value are one matrix here.

    Args:
        weights: RecBole's names to weights.
        n_layers: Number of blocks.

    Returns:
        Our names to weights.
    """
    named = {
        "item_embedding.weight": weights["item_embedding.weight"],
        "position_embedding.weight": weights["position_embedding.weight"],
    }
    for part in ("weight", "bias"):
        named[f"norm.{part}"] = weights[f"LayerNorm.{part}"]
        for layer in range(n_layers):
            ours, theirs = f"blocks.{layer}", f"trm_encoder.layer.{layer}"
            attention, forward = f"{theirs}.multi_head_attention", f"{theirs}.feed_forward"
            named |= {
                f"{ours}.attention.query_key_value.{part}": torch.cat(
                    [weights[f"{attention}.{name}.{part}"] for name in ("query", "key", "value")]
                ),
                f"{ours}.attention.output.{part}": weights[f"{attention}.dense.{part}"],
                f"{ours}.attention_norm.{part}": weights[f"{attention}.LayerNorm.{part}"],
                f"{ours}.feed_forward.up.{part}": weights[f"{forward}.dense_1.{part}"],
                f"{ours}.feed_forward.down.{part}": weights[f"{forward}.dense_2.{part}"],
                f"{ours}.feed_forward_norm.{part}": weights[f"{forward}.LayerNorm.{part}"],
            }
    return named
