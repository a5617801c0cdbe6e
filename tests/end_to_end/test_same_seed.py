"""The same seed gives the same numbers: for every model, on one thread and on two, after a restart,
and with another seed of Python's hashes."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, json, sys
import torch
torch.set_num_threads(int(sys.argv[1]))
import sasrec
from sasrec.settings.registry import MODELS
found = {}
for name in MODELS:
    values = {"epochs": 2, "batch_size": 512, "device": "cpu"}
    one = sasrec.train("synthetic:users=300,items=80,length=25", values, model=name)
    digest = hashlib.sha256()
    for key, value in sorted(one.model.state_dict().items()):
        digest.update(key.encode() + value.numpy().tobytes())
    found[name] = [digest.hexdigest(), one.metrics["reports"][0]["test"]]
print(json.dumps(found))
"""


def outcome(threads: int, hash_seed: int) -> dict[str, list[object]]:
    """Return, for every model, a digest of its weights and its test figures."""
    found: dict[str, list[object]] = json.loads(
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(threads)],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_every_model_has_the_same_weights_and_metrics_again(threads: int) -> None:
    first, again = outcome(threads, 1), outcome(threads, 2)
    assert len(first) >= 9
    assert first == again
