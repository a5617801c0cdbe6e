"""Weights for more items and users: those of the model, and beginnings for new rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.content.encoded import EncodedContent
from sasrec.data.sequences import Sequences
from sasrec.errors import ModelError
from sasrec.experiment.updating.beginnings import Beside, met_beside, with_beginnings
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.recommender.content_tensors import DATA
from sasrec.recommender.recommender import Recommender
from sasrec.settings.registry import MODELS

UNSUITABLE = {
    "BERT4Rec": "it masks events anywhere in a window, so events that are held out would train it",
}
"""Models that cannot be updated, and why."""
CONTENT_PARTS = ("attributes", "offsets", "weights", "numbers", "has_events")
INPUT, OUTPUT = "item_embedding.weight", "output_embedding.weight"
"""Tables of vectors learned from events, to which a model with content adds the content."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How a model grows.

    Attributes:
        n_items: Number of items afterwards.
        n_users: Number of users afterwards; 0 if the model does not use them.
        known: bool [V], items whose vectors were learned before.
        begins: bool [V], items whose vectors begin now, as they are first learned.
        beside: The items met beside those.
        seed: Seed of the random numbers.
    """

    n_items: int
    n_users: int
    known: np.ndarray
    begins: np.ndarray
    beside: Beside
    seed: int


def growth_of(
    recommender: Recommender,
    sequences: Sequences,
    learned: np.ndarray,
    *,
    sizes: tuple[int, int],
    seed: int,
) -> Growth:
    """Return how a model grows with the events that it is going to learn.

    Args:
        recommender: The model before.
        sequences: All histories, in the numbers of the grown model.
        learned: bool [N], the new events that train the model.
        sizes: Numbers of items and users afterwards.
        seed: Seed of the random numbers.

    Returns:
        The growth.
    """
    n_items, n_users = sizes
    known = np.zeros(n_items + 1, dtype=bool)
    known[: len(recommender.counts)] = learned_before(recommender)
    has_events = np.bincount(sequences.items[learned], minlength=n_items + 1) > 0
    begins = has_events & ~known
    return Growth(
        n_items=n_items,
        n_users=n_users if recommender.model.uses_users else 0,
        known=known,
        begins=begins,
        beside=met_beside(sequences, learned, begins),
        seed=seed,
    )


def learned_before(recommender: Recommender) -> np.ndarray:
    """Return which items of a model have vectors learned from events, bool [V].

    Args:
        recommender: The model.
    """
    known: np.ndarray = recommender.counts > 0
    if not recommender.content and recommender.learned is not None:
        known = recommender.learned.copy()  # such as those of an imported model
    if not known[1:].any():
        known = np.ones(len(known), dtype=bool)
    known[0] = False
    return known


def check_model(recommender: Recommender) -> None:
    """Raise an error if a model cannot be updated.

    Args:
        recommender: The model.

    Raises:
        ModelError: It cannot, with the reason.
    """
    name = recommender.settings["model_name"]
    if name in UNSUITABLE:
        raise ModelError(
            f"{name} cannot be updated: {UNSUITABLE[name]}; train it again, or choose another model"
        )


def grown_weights(recommender: Recommender, growth: Growth) -> dict[str, Tensor]:
    """Return the weights of a model with more items and users.

    Args:
        recommender: The model before.
        growth: How it grows.

    Returns:
        Name to value, on the CPU.

    Raises:
        ModelError: A weight does not grow with the items or the users.
    """
    before = {name: value.detach().cpu() for name, value in recommender.model.state_dict().items()}
    drawn = _drawn(
        recommender,
        (growth.n_items, growth.n_users),
        grown_content(recommender, growth),
        seed=growth.seed,
    )
    generator = torch.Generator().manual_seed(growth.seed)
    known, begins = torch.from_numpy(growth.known), torch.from_numpy(growth.begins)
    grow_with_items, full = _growing_weights(recommender), _full_tables(recommender)
    after = {}
    for name, value in drawn.items():
        if name.startswith(DATA):
            after[name] = value
            continue
        after[name] = _longer(name, before[name], value)
        if name in grow_with_items:
            table = after[name].clone()
            if name in full:
                table[: len(full[name])] = full[name]
            rows = table.reshape(len(table), -1)
            found = with_beginnings(rows, growth.beside, known, begins=begins, generator=generator)
            after[name][begins] = found.reshape(table.shape)[begins]
    return after


def _drawn(
    recommender: Recommender, sizes: tuple[int, int], content: EncodedContent | None, *, seed: int
) -> dict[str, Tensor]:
    """Return the weights of a model for some numbers of items and users, drawn at random."""
    settings = recommender.settings
    kind: type[NextItemModel] = MODELS[settings["model_name"]]
    lengths = recommender.max_history, len(recommender.event_types)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(kind.Settings(**settings["model"]), Catalogue(*sizes, *lengths, content))
    return {name: value.detach() for name, value in model.state_dict().items()}


def _growing_weights(recommender: Recommender) -> set[str]:
    """Return the names of the weights with a row for each item, found with two small models."""
    small, larger = (
        _drawn(recommender, (n_items, 2), _no_content(recommender, n_items), seed=0)
        for n_items in (3, 4)
    )
    return {
        name
        for name, value in small.items()
        if value.shape != larger[name].shape and not name.startswith(DATA)
    }


def _no_content(recommender: Recommender, n_items: int) -> EncodedContent | None:
    """Return content of the kind that a model has, without any; None for a model without."""
    if not recommender.content:
        return None
    return EncodedContent(
        attributes=torch.zeros(0, dtype=torch.int64),
        offsets=torch.zeros(n_items + 2, dtype=torch.int64),
        weights=torch.zeros(0),
        numbers=torch.zeros(n_items + 1, sum(each.width for each in recommender.content)),
        has_events=torch.zeros(n_items + 1, dtype=torch.bool),
        n_attributes=sum(len(each.values) for each in recommender.content),
    )


def _longer(name: str, old: Tensor, new: Tensor) -> Tensor:
    """Return the rows of a weight, followed by new ones.

    Raises:
        ModelError: Its size changes in another way than by new rows at its end.
    """
    if old.shape == new.shape:
        return old.clone()
    if old.dim() == 0 or old.shape[1:] != new.shape[1:] or len(old) > len(new):
        raise ModelError(
            f"the weight {name!r} has shape {list(old.shape)} and would need {list(new.shape)}, so "
            "it does not grow by a row for each new item or user; this model cannot be updated, "
            "train it again"
        )
    return torch.cat([old, new[len(old) :]])


def grown_content(recommender: Recommender, growth: Growth) -> EncodedContent | None:
    """Return the content of all items; new items without a table have none.

    Args:
        recommender: The model before.
        growth: How it grows.

    Returns:
        The content; None for a model without.
    """
    if not recommender.content:
        return None
    state = recommender.model.state_dict()
    data = {name: state[DATA + name].detach().cpu() for name in CONTENT_PARTS}
    n_new = growth.n_items + 1 - len(data["has_events"])
    has_events = torch.from_numpy(growth.begins.copy())
    has_events[: len(data["has_events"])] |= data["has_events"]
    return EncodedContent(
        attributes=data["attributes"],
        offsets=torch.cat([data["offsets"], data["offsets"][-1].repeat(n_new)]),
        weights=data["weights"],
        numbers=torch.nn.functional.pad(data["numbers"], (0, 0, 0, n_new)),
        has_events=has_events,
        n_attributes=sum(len(column.values) for column in recommender.content),
    )


def _full_tables(recommender: Recommender) -> dict[str, Tensor]:
    """Return the vectors of items with their content, by the name of the table without it."""
    mixed = getattr(recommender.model, "content", None)
    if not recommender.content or mixed is None:
        return {}
    state = recommender.model.state_dict()
    with torch.inference_mode():
        found = {INPUT: mixed.at_input.table(state[INPUT], mixed.data).cpu().clone()}
        if OUTPUT in state:
            found[OUTPUT] = mixed.at_output.table(state[OUTPUT], mixed.data).cpu().clone()
    return found
