"""Functions that several benchmarks use."""

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
from sasrec.tuning.outcomes import SearchProgress


def timed(command: list[str], folder: str | None = None) -> dict:
    """Run a script whose last line of output is JSON, and return that JSON.

    Args:
        command: The script and its arguments.
        folder: Working directory; None is the current one.

    Returns:
        The parsed JSON.
    """
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
    return json.loads(ended.stdout.strip().splitlines()[-1])


def precisions() -> tuple[str, ...]:
    """Return the precisions that this processor supports in hardware.

    Without hardware support, bfloat16 is a hundred times slower and never chosen.

    Returns:
        ``float32``, and ``bfloat16`` if it is supported.
    """
    return tuple(dict.fromkeys(("float32", pick_precision("auto", CPU))))


def peak(dtype: torch.dtype, size: int = 2048, runs: int = 9) -> float:
    """Return the best rate of a square matrix product, in FLOP/s.

    Args:
        dtype: Type of the factors.
        size: Rows and columns.
        runs: Number of runs, of which the fastest counts.

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
    """Return histories of random items, to measure time with any size of catalogue.

    Args:
        users: Number of users.
        items: Items in the catalogue; most of them may not occur.
        length: Training events per user.
        ragged: Draw lengths uniformly between a tenth of ``length`` and ``length``.

    Returns:
        The histories, split by leave-one-out.
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
    """Return a training loop and its model.

    Args:
        split: The split with the training data.
        n_items: Items in the catalogue.
        run: All settings.
        device: Device to train on.

    Returns:
        The loop and the model.
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
    """Return the FLOP of an epoch that uses each target once, without events as context only.

    Each weight needs two operations forward and four backward; the item table counts as a weight
    matrix.

    Args:
        targets: Number of targets.
        n_items: Items in the catalogue.
        model: The model, for the weights of its blocks.

    Returns:
        Floating-point operations.
    """
    weights = sum(weight.numel() for weight in model.blocks.parameters())
    return targets * 6 * (model.item_table.shape[1] * (n_items + 1) + weights)


def tell(progress: SearchProgress) -> None:
    """Print one line about a trial."""
    print(
        f"{progress.done}/{progress.total} {progress.outcome} {progress.score} "
        f"{progress.settings}, {progress.seconds_left:.0f} s left",
        file=sys.stderr,
    )
