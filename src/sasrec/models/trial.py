"""Tries a plug-in model once on a tiny batch, so that mistakes are found before training begins."""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.settings.attribution import ContractError, attributed
from sasrec.settings.registry import MODELS


def try_model(name: str, model: NextItemModel, catalogue: Catalogue) -> None:
    """Reject a plug-in model that fails, or returns states or scores of wrong shapes.

    Built-in models are not tried. The model is tried in evaluation mode, without gradients, and
    global random number generators do not change.

    Args:
        name: Name of the model.
        model: The model, on the CPU.
        catalogue: The sizes that the model was created for.

    Raises:
        PluginError: The model fails or does not satisfy its contract.
    """  # raised by attributed
    if MODELS.provider(name) is None:
        return
    batch, training = _tiny_batch(model, catalogue), model.training
    n_positions, rows = len(batch.items), catalogue.n_items + 1
    pairs = torch.ones(n_positions, 2, dtype=torch.int64)
    model.eval()
    with torch.random.fork_rng(), torch.no_grad(), attributed(MODELS, name, "fails on a batch"):
        states = model.encode(batch)
        _check("encode(batch)", states, (n_positions, None))
        some = model.encode(batch, batch.last)
        _check("encode(batch, at)", some, (len(batch.last), states.shape[1]))
        table = model.item_table
        if table is not None:
            _check("item_table", table, (rows, states.shape[1]))
        else:
            _check("score(hidden)", model.score(states), (n_positions, rows))
            _check("score(hidden, items)", model.score(states, pairs), (n_positions, 2))
    model.train(training)


def _tiny_batch(model: NextItemModel, catalogue: Catalogue) -> Batch:
    """Return a batch of two windows, one of them with one event."""
    longest = min(2, catalogue.max_history)
    items = torch.ones(longest + 1, dtype=torch.int64)
    return Batch(
        items=items,
        offsets=torch.tensor([0, longest, longest + 1]),
        targets=items.clone(),
        users=torch.tensor([min(1, catalogue.n_users), 0]),
        negatives=None,
        longest=longest,
        times=torch.arange(len(items), dtype=torch.float64) if model.needs_times else None,
        n_supervised=len(items),
    )


def _check(what: str, found: object, expected: tuple[int, int | None]) -> None:
    """Reject a result that is not a floating-point matrix of the expected shape.

    Args:
        what: What returned the result, for the error text.
        found: The result.
        expected: Rows and columns; None for any number of columns.

    Raises:
        ContractError: It is something else.
    """
    rows, columns = expected
    shown = f"a {type(found).__name__}"
    if isinstance(found, Tensor):
        shown = f"{str(found.dtype).removeprefix('torch.')} {list(found.shape)}"
        fits = found.dim() == 2 and len(found) == rows and columns in (None, found.shape[1])
        if fits and found.is_floating_point():
            return
    needed = f"[{rows}, {'d' if columns is None else columns}]"
    raise ContractError(
        f"{what} returns {shown} for a batch of 2 windows; it must be float {needed}"
    )
