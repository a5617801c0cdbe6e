"""How much time and memory does it take to rank the targets of many users among many items?

.venv/bin/python benchmarks/evaluation.py --users 100000 --items 100000
"""

import argparse
import resource
import time

import numpy as np
import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Cases
from sasrec.evaluation.ranking import rank_targets
from sasrec.models.contract import NextItemModel


class Drawn(NextItemModel):
    """A model of random state and item vectors, so that only the ranking is timed."""

    def __init__(self, users: int, items: int, width: int) -> None:
        """Draw the vectors."""
        super().__init__()
        self.states = torch.nn.Parameter(torch.randn(users + 1, width))
        self.items = torch.nn.Parameter(torch.randn(items + 1, width))

    @property
    def item_table(self) -> Tensor:
        """Item vectors [V, d]."""
        return self.items

    def encode(self, batch: Batch, at: Tensor | None = None) -> Tensor:
        """Return each user's vector."""
        return self.states[batch.users]


def peak(rows: int, width: int, items: int, runs: int = 9) -> float:
    """Return the best speed of a square matrix product and of one of this shape, in FLOP/s."""
    best = 0.0
    for shape in ((2048, 2048, 2048), (rows, width, items)):
        left, right = torch.randn(shape[0], shape[1]), torch.randn(shape[1], shape[2])
        for _ in range(runs):
            started = time.perf_counter()
            left @ right
            rate = 2 * shape[0] * shape[1] * shape[2] / (time.perf_counter() - started)
            best = max(best, rate)
    return best


def main() -> None:
    """Rank all targets, and print seconds, the share of peak matrix throughput, and memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--users", type=int, default=100_000)
    arguments.add_argument("--items", type=int, default=100_000)
    arguments.add_argument("--width", type=int, default=64)
    given = arguments.parse_args()
    users, items, width = given.users, given.items, given.width
    torch.manual_seed(0)
    limit = peak(2048, width, 4096)
    generator = np.random.default_rng(0)
    events = generator.integers(1, items + 1, 2 * users).astype(np.int32)
    sequences = Sequences(events, None, np.arange(0, 2 * users + 1, 2))
    cases = Cases(np.arange(1, users + 1), np.arange(1, 2 * users, 2))
    model = Drawn(users, items, width)
    started = time.perf_counter()
    ranking = rank_targets(model, EvaluationCases(sequences, cases, 1, torch.device("cpu")))
    seconds = time.perf_counter() - started
    rate = 2 * users * items * width / seconds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{users:,} users x {items:,} items, d={width}: {seconds:.1f} s, mean rank of random")
    print(f"vectors {ranking.ranks.mean():,.0f} (expected {(items + 1) / 2:,.0f}); at most")
    print(f"{memory / 1e9:.2f} GB; {rate / 1e9:.0f} GFLOP/s, {rate / limit:.0%} of the peak of")
    print(f"{limit / 1e9:.0f} GFLOP/s; ratio to the goal of half the peak: {2 * rate / limit:.2f}")


main()
