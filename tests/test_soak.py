"""Long tests, which only run with pytest -m soak (make soak)."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.soak

LARGE = """
import json, resource, time
import torch
from sasrec.settings.resolve import resolve_settings
from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.experiment.fitting import training_batches
from sasrec.models.contract import Catalogue
from sasrec.models.popularity import item_counts
from sasrec.models.sasrec import SASRec
from sasrec.losses.objective import training_loss
from sasrec.training.progress import LogObserver
from sasrec.training.loop import TrainingLoop

run = resolve_settings({
    "loss": "SSM", "shared_negatives": True, "negative_count": 512, "batch_size": 32768,
    "n_layers": 1, "device": "cpu", "averaging": 0.0,
})
started = time.time()
corpus = load_corpus("synthetic:users=204000,items=1000000,length=50,topics=1000", run.data)
read, split = time.time() - started, leave_one_out(corpus.sequences)
model = SASRec(run.model, Catalogue(len(corpus.items), 0, 50))
loop = TrainingLoop(
    model,
    training_batches(split, run),
    training_loss(run.training, counts=item_counts(split, len(corpus.items)),
                  device=torch.device("cpu")),
    settings=run.training,
    observer=LogObserver(),
)
loss, seconds, targets = loop.epoch(1)
print(json.dumps({
    "events": corpus.sequences.n_events, "items": len(corpus.items), "targets": targets,
    "loss": loss, "read": read, "seconds": seconds,
    "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""

MANY_EPOCHS = """
import json, resource
import sasrec
from sasrec.training.progress import LogObserver

memory = []

class MemoryRecorder(LogObserver):
    def finished_epoch(self, result):
        with open("/proc/self/statm") as file:
            memory.append(int(file.read().split()[1]) * resource.getpagesize())

sasrec.train(
    "synthetic:users=200,items=60,length=15",
    {"epochs": 500, "patience": 500, "hidden_size": 16, "inner_size": 16, "device": "cpu"},
    observer=MemoryRecorder(),
)
print(json.dumps(memory))
"""


def printed(program: str) -> dict[str, float] | list[int]:
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] | list[int] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_memory_stays_flat_over_five_hundred_epochs() -> None:
    memory = printed(MANY_EPOCHS)
    assert isinstance(memory, list)
    assert len(memory) == 500
    grown = max(memory[250:]) - max(memory[50:250])
    print(f"memory: {memory[50] / 1e6:.0f} MB after 50 epochs, {memory[-1] / 1e6:.0f} MB after 500")
    assert grown < 5e6


def test_ten_million_events_of_a_million_items_train_within_eight_gigabytes() -> None:
    found = printed(LARGE)
    assert isinstance(found, dict)
    print(
        f"{found['events']:,} events, {found['items']:,} items: read in {found['read']:.0f} s, "
        f"an epoch of {found['targets']:,} targets in {found['seconds']:.0f} s, "
        f"{found['bytes'] / 1e9:.2f} GB at most"
    )
    assert found["events"] >= 10e6
    assert found["items"] >= 950_000  # of a million; the others never occur
    assert found["bytes"] < 8e9
