"""The state of an optimiser by the names of the weights, for a model with other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from sasrec.models.contract import NextItemModel
from sasrec.settings.training import TrainingSettings
from sasrec.training.checkpoint import TrainState, optimiser_state
from sasrec.training.flat import SMALL_ELEMENTS
from sasrec.training.optimisers import decay_groups

Moments = Mapping[str, Mapping[str, Tensor]]
"""Name of a weight to the parts of its state, such as ``exp_avg``: the shape of the weight, or a
number such as ``step``."""
SIGNED = "exp_avg"
"""The part whose mean is no scale; new rows begin with zeros there."""


class Loop(Protocol):
    """The parts of a training loop that receive moments.

    Attributes:
        model: The model being trained.
        optimiser: The optimiser.
        settings: Optimiser and weight decay.
    """

    model: NextItemModel
    optimiser: torch.optim.Optimizer
    settings: TrainingSettings


def moments_in(
    state: TrainState, model: NextItemModel, settings: TrainingSettings
) -> dict[str, dict[str, Tensor]]:
    """Return the state of an optimiser in a checkpoint.

    Args:
        state: State of a training of the model.
        model: The model, with the sizes of that time.
        settings: The settings of that training.

    Returns:
        The moments; empty if the state does not fit the model.
    """
    by_entry = optimiser_state(state.tensors)
    entries = _entries(model, settings)
    if set(by_entry) != set(range(len(entries))):
        return {}
    found: dict[str, dict[str, Tensor]] = {name: {} for entry in entries for name in entry}
    weights = dict(model.named_parameters())
    for index, entry in enumerate(entries):
        sizes = [weights[name].numel() for name in entry]
        for part, value in by_entry[index].items():
            if value.numel() == 1:
                pieces = [value] * len(entry)
            elif value.numel() == sum(sizes):
                pieces = list(torch.split(value.flatten(), sizes))
            else:
                return {}
            for name, piece in zip(entry, pieces, strict=True):
                own = piece if value.numel() == 1 else piece.reshape(weights[name].shape)
                found[name][part] = own
    return found


def restore_moments(moments: Moments, loop: Loop) -> None:
    """Give the optimiser of a new training the state of an earlier one.

    Args:
        moments: The state; weights may have more rows now.
        loop: The new training loop.
    """
    weights = dict(loop.model.named_parameters())
    state = {}
    for index, entry in enumerate(_entries(loop.model, loop.settings)):
        parts = moments[entry[0]]
        state[index] = {
            part: value
            if value.numel() == 1
            else torch.cat([_grown(moments[name][part], weights[name], part) for name in entry])
            for part, value in parts.items()
        }
        if len(entry) == 1 and weights[entry[0]].numel() >= SMALL_ELEMENTS:
            shape = weights[entry[0]].shape
            state[index] = {
                part: value if value.numel() == 1 else value.reshape(shape)
                for part, value in state[index].items()
            }
    groups = loop.optimiser.state_dict()["param_groups"]
    loop.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _grown(value: Tensor, weight: nn.Parameter, part: str) -> Tensor:
    """Return a part for a weight that may have more rows, flat; new rows get the mean of others."""
    if value.shape == weight.shape:
        return value.flatten()
    fill = torch.zeros_like(value[:1]) if part == SIGNED else value[1:].mean(0, keepdim=True)
    rows = fill.expand(len(weight) - len(value), *value.shape[1:])
    return torch.cat([value, rows]).flatten()


def _entries(model: NextItemModel, settings: TrainingSettings) -> list[list[str]]:
    """Return the names of the weights in each tensor that the optimiser sees (``FlatWeights``)."""
    name_of = {id(weight): name for name, weight in model.named_parameters()}
    found = []
    for group in decay_groups(model, settings):
        small = [name_of[id(each)] for each in group if each.numel() < SMALL_ELEMENTS]
        found += [small] if small else []
        found += [[name_of[id(each)]] for each in group if each.numel() >= SMALL_ELEMENTS]
    return found
