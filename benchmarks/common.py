"""What several benchmarks share."""

import json
import subprocess
import sys
import time

import numpy as np
import torch

from sasrec.data.batches.batching import CPU
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split, leave_one_out
from sasrec.experiment.fitting import training_batches
from sasrec.losses.objective import training_loss
from sasrec.models.contract import Catalogue
from sasrec.models.popularity import item_counts
from sasrec.models.sasrec import SASRec
from sasrec.settings.resolve import RunSettings
from sasrec.system.device import pick_precision
from sasrec.training.loop import TrainingLoop
from sasrec.training.progress import LogObserver
from sasrec.tuning.outcomes import Standing


def timed(command: list[str], folder: str | None = None) -> dict:
    """Run a script that prints one line of JSON last.

    Args:
        command: The script and its arguments.
        folder: Where to run it; None is here.

    Returns:
        What the line holds.
    """
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
    return json.loads(ended.stdout.strip().splitlines()[-1])


def precisions() -> tuple[str, ...]:
    """Return the precisions this processor has instructions for.

    Without them bfloat16 is a hundred times slower, and nothing would choose it.

    Returns:
        ``float32``, and ``bfloat16`` where there are instructions.
    """
    return tuple(dict.fromkeys(("float32", pick_precision("auto", CPU))))


def peak(dtype: torch.dtype, size: int = 2048, runs: int = 9) -> float:
    """Return the best rate of a square matrix product, in FLOP/s.

    Args:
        dtype: Of the factors.
        size: Rows and columns.
        runs: How many are tried.

    Returns:
        The rate.
    """
    left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    best = float("inf")
    for _ in range(runs):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def random_split(users: int, items: int, length: int, *, ragged: bool = False) -> Split:
    """Return histories of random items, for timing alone; any catalogue is possible.

    Args:
        users: How many.
        items: Items in the catalogue; most may occur nowhere.
        length: Training events a user.
        ragged: Lengths vary evenly from a tenth to the whole of that.

    Returns:
        Split by leave-one-out.
    """
    generator = np.random.default_rng(0)
    lengths = np.full(users, length + 2)
    if ragged:
        lengths = generator.integers(length // 10, length, users) + 2
    offsets = np.append(0, lengths.cumsum())
    events = generator.integers(1, items + 1, offsets[-1]).astype(np.int32)
    return leave_one_out(Sequences(events, None, offsets))


def training_loop(
    split: Split, n_items: int, run: RunSettings, device: torch.device = CPU
) -> tuple[TrainingLoop, SASRec]:
    """Return a loop ready to train epochs, and its model.

    Args:
        split: What trains.
        n_items: Items in the catalogue.
        run: All settings.
        device: Where to train.

    Returns:
        Both.
    """
    torch.manual_seed(run.training.seed)
    model = SASRec(run.model, Catalogue(n_items, 0, run.data.max_history)).to(device)
    loop = TrainingLoop(
        model,
        training_batches(split, run, with_times=model.needs_times, device=device),
        training_loss(run.training, counts=item_counts(split, n_items), device=device),
        settings=run.training,
        observer=LogObserver(),
    )
    return loop, model


def useful_flop(targets: int, n_items: int, model: SASRec) -> int:
    """Return the arithmetic of an epoch that supervises each target once, without context.

    Two operations a weight forward, four backward; the item table counts as a weight matrix.

    Args:
        targets: How many.
        n_items: Items in the catalogue.
        model: Whose blocks count.

    Returns:
        Floating-point operations.
    """
    weights = sum(weight.numel() for weight in model.blocks.parameters())
    return targets * 6 * (model.item_table.shape[1] * (n_items + 1) + weights)


def tell(standing: Standing) -> None:
    """Print a line about a trial."""
    print(
        f"{standing.done}/{standing.total} {standing.outcome} {standing.score} "
        f"{standing.settings}, {standing.seconds_left:.0f} s left",
        file=sys.stderr,
    )
