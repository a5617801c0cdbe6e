"""How much time and memory does the softmax over a large catalogue need in each implementation?

Measures forward and backward of the loss alone, then training epochs with large catalogues:

    .venv/bin/python benchmarks/softmax.py             (each line in its own process, one after the
    other)
"""

import argparse
import json
import resource
import statistics
import sys
import time
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from common import peak, precisions, random_split, timed, training_loop, useful_flop
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.losses.full import softmax_cross_entropy, softmax_cross_entropy_plain
from sasrec.losses.workspace import Workspace
from sasrec.settings.resolve import resolve_settings
from sasrec.system.device import pick_precision
from sasrec.system.memory import freed_memory_kept

WIDTH = 64


def library(hidden: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    """Return the loss by PyTorch's own implementation, in chunks."""
    options = torch.nn.LinearCrossEntropyOptions()
    return F.linear_cross_entropy(hidden, table, targets, options=options)


LIBRARY = "linear_cross_entropy"
FORMS = {
    "ours": partial(softmax_cross_entropy, workspace=Workspace()),
    LIBRARY: library,
    "plain": softmax_cross_entropy_plain,
}
MOST_ITEMS = {"ours": 10**9, LIBRARY: 200_000, "plain": 20_000}
"""Largest catalogue of each implementation; more items need minutes per step or too much memory."""


@freed_memory_kept()
def loss_alone(form: str, positions: int, items: int, precision: str, runs: int) -> dict:
    """Return the median seconds of a forward and backward pass, and the memory it needed."""
    torch.manual_seed(0)
    hidden = F.layer_norm(torch.randn(positions, WIDTH), (WIDTH,)).requires_grad_()
    table = (torch.randn(items, WIDTH) * 0.1).requires_grad_()
    targets = torch.randint(1, items, (positions,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = []
    for _ in range(runs + 1):
        hidden.grad = table.grad = None
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = FORMS[form](hidden, targets, table)
        loss.backward()
        seconds.append(time.perf_counter() - started)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rate = 6 * positions * items * WIDTH / statistics.median(seconds[1:])
    return {
        "seconds": statistics.median(seconds[1:]),
        "rate": rate,
        "share": rate / peak(getattr(torch, precision)),
        "bytes": after - before,
        "loss": loss.item(),
    }


SAMPLED = {
    "loss": "SSM",
    "shared_negatives": True,
    "negative_count": 512,
    "batch_size": 65_536,  # each step updates all item vectors, whatever the batch size
}


@freed_memory_kept()
def epochs(data: str | list[int], count: int, settings: dict[str, Any] | None = None) -> dict:
    """Return the median seconds of a training epoch, its useful FLOP/s, and memory.

    Args:
        data: Name or path, or users, items and length of random histories.
        count: Number of timed epochs, after one warm-up epoch.
        settings: Settings that differ from the defaults.

    Returns:
        The measurements and the sizes.
    """
    run = resolve_settings(settings or {})
    if isinstance(data, str):
        corpus = load_corpus(data, run.data)
        split, items = leave_one_out(corpus.sequences), len(corpus.items)
    else:
        split, items = random_split(*data), data[1]
    loop, model = training_loop(split, items, run)
    seconds, targets = [], 0
    for epoch in range(count + 1):
        _, taken, targets = loop.epoch(epoch)
        seconds.append(taken)
    rate = useful_flop(targets, items, model) / statistics.median(seconds[1:])
    precision = pick_precision(run.training.precision, torch.device("cpu"))
    return {
        "items": items,
        "targets": targets,
        "seconds": statistics.median(seconds[1:]),
        "rate": rate,
        "share": rate / peak(getattr(torch, precision)),
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def in_own_process(*job: object) -> dict:
    """Run one measurement in its own process, so that its memory is measured separately.

    Args:
        job: Name of the measurement, and its arguments.

    Returns:
        Its result.
    """
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    return timed(command)


def main() -> None:
    """Print the tables with their ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--job", help="run only this measurement, as JSON (used by this script itself)"
    )
    arguments.add_argument("--data", nargs="*", default=[], help="additional data sets to train on")
    given = arguments.parse_args()
    if given.job:
        kind, *rest = json.loads(given.job)
        print(json.dumps({"loss": loss_alone, "epochs": epochs}[kind](*rest)))
        return
    print(f"{'loss, forward and backward':<42}{'s':>9}{'GFLOP/s':>9}{'of peak':>9}{'MB':>8}")
    for positions, items in ((2048, 1683), (6400, 12_101), (2048, 200_000), (2048, 1_000_000)):
        rows = {}
        for form in FORMS:
            for precision in precisions():
                if items > MOST_ITEMS[form]:
                    continue
                row = in_own_process(
                    "loss", form, positions, items, precision, 5 if items < 1e5 else 2
                )
                rows[form, precision] = row["seconds"]
                name = f"{positions:,} x {items:,} {form} {precision}"
                print(
                    f"{name:<42}{row['seconds']:>9.4f}{row['rate'] / 1e9:>9.0f}"
                    f"{row['share']:>9.0%}{row['bytes'] / 1e6:>8.0f}",
                    flush=True,
                )
        for precision in precisions() if items <= MOST_ITEMS[LIBRARY] else ():
            ratio = rows[LIBRARY, precision] / rows["ours", precision]
            print(f"  ratio linear_cross_entropy / ours in {precision}: {ratio:.1f}", flush=True)
    print(f"\n{'an epoch of training':<42}{'s':>9}{'GFLOP/s':>9}{'of peak':>9}{'MB':>8}")
    for data in (*given.data, [4000, 12_101, 30], [600, 200_000, 50], [120, 1_000_000, 50]):
        row = in_own_process("epochs", data, 3)
        name = data.rsplit("/", 1)[-1] if isinstance(data, str) else "random"
        name = f"{name}: {row['items']:,} items, {row['targets']:,} targets"
        print(
            f"{name:<42}{row['seconds']:>9.2f}{row['rate'] / 1e9:>9.0f}"
            f"{row['share']:>9.0%}{row['bytes'] / 1e6:>8.0f}",
            flush=True,
        )
    users, items, length = 1000, 1_000_000, 51
    row = in_own_process("epochs", [users, items, length], 5, SAMPLED)
    print(
        f"\nsampled softmax, {row['items']:,} items, 512 negatives: {row['seconds']:.2f} s for "
        f"{users:,} users of length 50 ({row['targets']:,} targets), {row['bytes'] / 1e6:.0f} MB"
    )


main()
