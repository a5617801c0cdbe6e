"""Time our SASRec on ml-100k with RecBole's defaults; run by epoch.py in a separate process.

Prints one line of JSON: seconds of each epoch, targets per epoch, FLOP per epoch, the
matrix-multiply peaks of this machine, and peak memory.
"""

import json
import resource
import sys

import torch

from common import peak, precisions, training_loop, useful_flop
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.settings.resolve import resolve_settings


def main(epochs: int, precision: str) -> None:
    """Train some epochs after one warm-up epoch, and print the measurements."""
    run = resolve_settings({"precision": precision})
    corpus = load_corpus("ml-100k", run.data)
    loop, model = training_loop(leave_one_out(corpus.sequences), len(corpus.items), run)
    loop.epoch(0)
    seconds, targets = [], 0
    for epoch in range(epochs):
        _, taken, targets = loop.epoch(epoch + 1)
        seconds.append(taken)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "seconds": seconds,
                "targets": targets,
                "useful_flop": useful_flop(targets, len(corpus.items), model),
                "peaks": {name: peak(getattr(torch, name)) for name in precisions()},
                "peak_bytes": memory,
            }
        )
    )


main(int(sys.argv[1]), sys.argv[2])
