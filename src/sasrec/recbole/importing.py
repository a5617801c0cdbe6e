"""RecBole's trained SASRec as one of our models. Nothing of the checkpoint is executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.data.corpus import Corpus, renumbered
from sasrec.errors import ModelError
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
"""How many weights RecBole's SASRec has outside of its blocks, and in each."""


def resolve_import(values: Mapping[str, Any], given: Sequence[Layer]) -> RunSettings:
    """Return the settings of a model to import.

    Args:
        values: From ``read_checkpoint``.
        given: The user's settings, from the weakest to the strongest; they win over those of the
            checkpoint.

    Returns:
        The settings.
    """
    begin = {"averaging": 0.0, "rounded_times": "recbole", "sampled_by": "user"}
    layers = [
        Layer(Origin("python", "import-recbole"), begin),
        Layer(Origin("model", "the checkpoint"), values),
        *given,
    ]
    return resolve_layers(layers)


def import_model(
    checkpoint: Checkpoint, corpus: Corpus, run: RunSettings
) -> tuple[Recommender, Report]:
    """Return a recommender with RecBole's weights, measured on its data.

    Which vector belongs to which item is what RecBole's own table says, not the order of the data.

    Args:
        checkpoint: From ``read_checkpoint``.
        corpus: The data it was trained on, filtered alike.
        run: From ``resolve_import``.

    Returns:
        The recommender, and how it does.

    Raises:
        ModelError: The weights are not those of a SASRec of these sizes, or the data hold other
            users or items.
    """
    weights = checkpoint.weights
    n_items = len(checkpoint.items)
    table = weights.get("item_embedding.weight", torch.empty(0))
    rows = len(table) if table.ndim else 0
    if rows != n_items + 1:
        raise ModelError(
            f"the checkpoint has vectors of {max(rows - 1, 0):,} items and tokens of {n_items:,}; "
            "convert it again"
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
        raise ModelError("the checkpoint has weights that RecBole's SASRec of this n_layers lacks")
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
        learned=np.ones(n_items + 1, dtype=bool),  # which events RecBole trained on is not known
    )
    return recommender, report


def _check_tokens(checkpoint: Checkpoint, corpus: Corpus) -> None:
    """Refuse data whose items are not the checkpoint's, or that have users it does not know.

    RecBole's table of users may hold more: those that only its .user file lists.

    Raises:
        ModelError: They are other data.
    """
    cure = "give the data and the settings (--key=value) that RecBole was given"
    both = [("items", checkpoint.items.entries, corpus.items.entries)]
    if corpus.target_counts is None:  # ready histories have no users but rows
        both.append(("users", checkpoint.users.entries, corpus.users.entries))
    for kind, known, here in both:
        strange = here.filter(~here.is_in(known.implode()))
        if len(strange):
            raise ModelError(
                f"{corpus.name} has {len(strange):,} {kind} that the checkpoint does not know, "
                f"such as {strange[0]!r}; {cure}"
            )
    missing = checkpoint.items.entries
    missing = missing.filter(~missing.is_in(corpus.items.entries.implode()))
    if len(missing):
        raise ModelError(
            f"the checkpoint knows {len(missing):,} items that {corpus.name} does not have, such "
            f"as {missing[0]!r}; {cure}"
        )


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
