"""Time our SASRec on ml-100k with RecBole's defaults; run by epoch.py in a process of its own.

Prints one line of JSON: seconds of each epoch, targets an epoch, arithmetic an epoch, the
matrix-multiply peaks of this machine, and peak memory.
"""

import json
import resource
import sys
import time

import torch

from sasrec.configuration import resolve_settings
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.experiment import training_batches, training_loss
from sasrec.models.popularity import item_counts
from sasrec.models.sasrec import SASRec
from sasrec.training.progress import LogObserver
from sasrec.training.trainer import TrainingLoop


def main(epochs: int, precision: str) -> None:
    """Train some epochs after one to warm up, and print what they took."""
    run = resolve_settings({"precision": precision})
    corpus = load_corpus("ml-100k", run.data)
    split = leave_one_out(corpus.sequences)
    torch.manual_seed(run.training.seed)
    model = SASRec(run.model, n_items=len(corpus.items), max_history=run.data.max_history)
    device = torch.device("cpu")
    loop = TrainingLoop(
        model,
        training_batches(split, run),
        training_loss(run.training, counts=item_counts(split, len(corpus.items)), device=device),
        settings=run.training,
        observer=LogObserver(),
    )
    loop.epoch(0)
    seconds, targets = [], 0
    for epoch in range(epochs):
        _, taken, targets = loop.epoch(epoch + 1)
        seconds.append(taken)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = sum(p.numel() for p in model.blocks.parameters())
    useful = targets * 6 * (run.model.hidden_size * (len(corpus.items) + 1) + weights)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "targets": targets,
                "useful_flop": useful,
                "peaks": {
                    "float32": peak(torch.float32),
                    "bfloat16": peak(torch.bfloat16),
                },
                "peak_bytes": memory,
            }
        )
    )


def peak(dtype: torch.dtype, size: int = 2048, runs: int = 9) -> float:
    """Return the best rate of a square matrix product, in FLOP/s."""
    left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    best = float("inf")
    for _ in range(runs):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


main(int(sys.argv[1]), sys.argv[2])
