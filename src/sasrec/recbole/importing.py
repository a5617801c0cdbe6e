"""Makes a sasrec model of RecBole's trained SASRec. No code in the checkpoint is executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.corpus import Corpus, renumbered
from sasrec.errors import ModelError, counted
from sasrec.evaluation.report import Report, environment
from sasrec.experiment.measuring import measured
from sasrec.experiment.prepared import prepare
from sasrec.models.contract import Catalogue
from sasrec.models.sasrec import SASRec
from sasrec.recbole.checkpoint import Checkpoint
from sasrec.recommender.recommender import Recommender
from sasrec.settings.files import Layer
from sasrec.settings.origin import Origin
from sasrec.settings.resolve import RunSettings, resolve_layers

EMBEDDING_WEIGHTS, BLOCK_WEIGHTS = 4, 16
"""Number of weight tensors of RecBole's SASRec outside of the blocks, and in each block."""


def resolve_import(values: Mapping[str, Any], given: Sequence[Layer]) -> RunSettings:
    """Return the settings of a model to import.

    Args:
        values: Settings from ``read_checkpoint``.
        given: The user's settings, from the weakest to the strongest; they override those of the
            checkpoint.

    Returns:
        The settings.
    """
    fixed = {"averaging": 0.0, "rounded_times": "recbole", "sampled_by": "user"}
    layers = [
        Layer(Origin("python", "import-recbole"), fixed),
        Layer(Origin("model", "the checkpoint"), values),
        *given,
    ]
    return resolve_layers(layers)


def import_model(
    checkpoint: Checkpoint, corpus: Corpus, run: RunSettings
) -> tuple[Recommender, Report]:
    """Return a recommender with RecBole's weights, and its metrics on the data.

    Vectors are matched to items by RecBole's token table, not by the order of the data.

    Args:
        checkpoint: The checkpoint from ``read_checkpoint``.
        corpus: The data it was trained on, with the same filters.
        run: The settings from ``resolve_import``.

    Returns:
        The recommender and its metrics.

    Raises:
        ModelError: The weights are not those of a SASRec of these sizes, or the data have other
            users or items.
    """
    weights = checkpoint.weights
    n_items = len(checkpoint.items)
    table = weights.get("item_embedding.weight", torch.empty(0))
    rows = len(table) if table.ndim else 0
    if rows != n_items + 1:
        raise ModelError(
            f"the checkpoint has vectors for {counted(max(rows - 1, 0), 'item')} but tokens for "
            f"{n_items:,}; convert it again"
        )
    _check_tokens(checkpoint, corpus)
    corpus = renumbered(corpus, checkpoint.items)
    model = SASRec(run.model, Catalogue(n_items, 0, run.data.max_history))  # type: ignore[arg-type]
    try:
        model.load_state_dict(renamed_weights(weights, n_layers=len(model.blocks)))
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"these are not the weights of RecBole's SASRec: {reason}") from error
    if len(weights) != EMBEDDING_WEIGHTS + BLOCK_WEIGHTS * len(model.blocks):
        raise ModelError(
            "the checkpoint has more weights than RecBole's SASRec with this n_layers; give the "
            "n_layers it was trained with"
        )
    model.eval()
    prepared = prepare(corpus, run)
    report = measured(prepared, "SASRec", model)
    recommender = Recommender(
        model=model,
        items=corpus.items,
        counts=prepared.counts,
        titles=corpus.item_titles(),
        settings={**run.as_json(), "source": corpus.source},
        metrics={"reports": [report.as_json()], "stopped_because": "imported from RecBole"},
        environment=environment(),
        # It is not known which items RecBole trained on, so all count as learned.
        learned=np.ones(n_items + 1, dtype=bool),
    )
    return recommender, report


def _check_tokens(checkpoint: Checkpoint, corpus: Corpus) -> None:
    """Reject data with other items than the checkpoint, or with users it does not have.

    RecBole's user table may have more users: those that only its .user file lists.

    Raises:
        ModelError: The data are not those of the checkpoint.
    """
    advice = "use the data and the settings (--key=value) that RecBole was trained with"
    both = [("item", checkpoint.items.entries, corpus.items.entries)]
    if corpus.target_counts is None:  # ready-made histories have row numbers, not users
        both.append(("user", checkpoint.users.entries, corpus.users.entries))
    for noun, known, here in both:
        unknown = here.filter(~here.is_in(known.implode()))
        if len(unknown):
            raise ModelError(
                f"{corpus.name} has {counted(len(unknown), noun)} that the checkpoint does not "
                f"have, such as {unknown[0]!r}; {advice}"
            )
    missing = checkpoint.items.entries
    missing = missing.filter(~missing.is_in(corpus.items.entries.implode()))
    if len(missing):
        raise ModelError(
            f"the checkpoint has {counted(len(missing), 'item')} that {corpus.name} does not have, "
            f"such as {missing[0]!r}; {advice}"
        )


def renamed_weights(weights: Mapping[str, Tensor], *, n_layers: int) -> dict[str, Tensor]:
    """Return RecBole's weights under sasrec's names, with query, key and value in one matrix.

    Args:
        weights: RecBole's names to weights.
        n_layers: Number of blocks.

    Returns:
        sasrec's names to weights.
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
