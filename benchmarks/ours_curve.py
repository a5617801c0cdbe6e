"""Train our SASRec and print seconds and validation NDCG@10 of each epoch; run by peers.py.

Prints one line of JSON in the form of peer_rectools.py. Settings are given as --key=value.
"""

import json
import resource
import sys
import time

from sasrec.data.sources import load_corpus
from sasrec.experiment.run import run_experiment
from sasrec.settings.files import layer_from_options
from sasrec.settings.resolve import resolve_layers
from sasrec.training.progress import EpochResult, LogObserver


class EpochRecorder(LogObserver):
    """Records the result of each epoch."""

    def __init__(self) -> None:
        """Start without results."""
        super().__init__()
        self.rows: list = []
        self.targets = 0

    def finished_epoch(self, result: EpochResult) -> None:
        """Record an epoch."""
        self.rows.append({"seconds": result.seconds, "ndcg": result.score})
        self.targets = result.targets


recorder = EpochRecorder()
run = resolve_layers([layer_from_options(sys.argv[2:])])
corpus = load_corpus(sys.argv[1], run.data)
started = time.perf_counter()
run_experiment(corpus, run, observer=recorder)
print(
    json.dumps(
        {
            "epochs": recorder.rows,
            "targets": recorder.targets,
            "whole_seconds": time.perf_counter() - started,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
