"""Tries a plug-in loss once on a few states, so that mistakes are found before training begins."""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec.losses.contract import Objective
from sasrec.settings.attribution import ContractError, attributed
from sasrec.settings.registry import LOSSES

WIDTH = 4
TARGETS = (1, 2, 1)


def try_loss(
    name: str, objective: Objective, *, n_items: int, generator: torch.Generator, by_vectors: bool
) -> None:
    """Reject a plug-in loss that fails, or does not return a scalar with a gradient.

    Built-in losses are not tried. No random number generator changes.

    Args:
        name: Name of the loss.
        objective: What the loss built for the run.
        n_items: Items in the catalogue, padding not counted; at least 2.
        generator: Random number generator for negatives, on the device of the run.
        by_vectors: Whether the model has item vectors; otherwise the loss receives a scorer.

    Raises:
        PluginError: The loss fails, or its result cannot be minimised.
    """  # raised by attributed
    if LOSSES.provider(LOSSES.canonical_name(name)) is None:
        return
    device, before = generator.device, generator.get_state()
    hidden = torch.linspace(-1, 1, len(TARGETS) * WIDTH, device=device).view(-1, WIDTH)
    vectors = torch.linspace(-1, 1, (n_items + 1) * WIDTH, device=device).view(-1, WIDTH)
    leaves = [hidden.requires_grad_(), vectors.requires_grad_()]
    targets = torch.tensor(TARGETS, device=device)

    def scorer(states: Tensor, items: Tensor) -> Tensor:
        return (states[:, None, :] * vectors[items]).sum(-1)

    with torch.random.fork_rng(), attributed(LOSSES, name, "fails on a few states"):
        found = objective(hidden, targets, vectors if by_vectors else scorer)
        _check(found)
        torch.autograd.grad(found, leaves, allow_unused=True)
    generator.set_state(before)


def _check(found: object) -> None:
    """Reject a result that cannot be minimised.

    Raises:
        ContractError: It is not a scalar, or has no gradient.
    """
    if not isinstance(found, Tensor):
        raise ContractError(f"returns a {type(found).__name__}; it must return a scalar tensor")
    if found.dim() or not found.is_floating_point():
        shown = f"{str(found.dtype).removeprefix('torch.')} {list(found.shape)}"
        raise ContractError(f"returns {shown}; it must return the mean loss, a float scalar, []")
    if not found.requires_grad:
        raise ContractError(
            "returns a result without a gradient; compute it from the states with PyTorch, without "
            "detach() or no_grad()"
        )
