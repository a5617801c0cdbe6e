"""How long does an export take, how large is it, and how fast does ONNX Runtime answer?

Exports models with the network of ``best`` and random weights, loads the network in a new process,
and computes states of histories of 50 events with it and with PyTorch, in turn, each on one thread.

.venv/bin/python benchmarks/export.py                       # 12,101 and 1,000,000 items
.venv/bin/python benchmarks/export.py --items 12101
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import sasrec
from sasrec.data.batches.batch import Batch
from sasrec.data.vocabulary import Vocabulary
from sasrec.models.contract import Catalogue
from sasrec.models.sasrec import SASRec, SASRecSettings
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.presets import PRESETS

RESULTS = Path(__file__).parent / "results" / "export.csv"
LENGTH, ROUNDS = 50, 50
BATCHES = (1, 16, 64)
LOADING = """
import json, sys, time
started = time.perf_counter()
import numpy as np, onnxruntime
imported = time.perf_counter()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
loaded = time.perf_counter()
session.run(None, {"items": np.ones((1, 50), np.int64), "lengths": np.array([50])})
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line) / 1024
print(json.dumps([imported - started, loaded - imported, peak]))
"""


def random_model(n_items: int) -> Recommender:
    """Return a model of random weights with the settings of ``best``."""
    torch.manual_seed(0)
    fields = SASRecSettings.model_fields
    form = SASRecSettings(**{k: v for k, v in PRESETS["best"].values.items() if k in fields})
    tokens = [f"B{number:09d}" for number in range(n_items)]
    data, evaluation = DataSettings(max_history=LENGTH), EvaluationSettings()
    return Recommender(
        SASRec(form, Catalogue(n_items, 0, LENGTH)).eval(),
        Vocabulary(tokens),
        np.arange(n_items + 1),
        {token: f"Title of item {token}" for token in tokens},
        {
            "model_name": "SASRec",
            "data": data.model_dump(mode="json"),
            "evaluation": evaluation.model_dump(mode="json"),
        },
    )


def milliseconds(recommender: Recommender, folder: Path, size: int) -> tuple[float, float]:
    """Return the median time of a batch, with ONNX Runtime and with PyTorch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "network.onnx", options, providers=["CPUExecutionProvider"]
    )
    items = np.random.default_rng(0).integers(1, len(recommender.items) + 1, (size, LENGTH))
    inputs = {"items": items, "lengths": np.full(size, LENGTH)}
    flat = torch.from_numpy(items.ravel())
    offsets, users = torch.arange(size + 1) * LENGTH, torch.zeros(size, dtype=torch.long)
    batch = Batch(flat, offsets, torch.zeros_like(flat), users, None, LENGTH)
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 5):
        started = time.perf_counter()
        session.run(None, inputs)
        between = time.perf_counter()
        with torch.inference_mode():
            recommender.model.encode(batch, batch.last)
        if number >= 5:
            found[0].append(between - started)
            found[1].append(time.perf_counter() - between)
    return statistics.median(found[0]) * 1e3, statistics.median(found[1]) * 1e3


def measured(n_items: int) -> list[dict[str, float]]:
    """Return rows for one number of items, one for each size of a batch."""
    recommender = random_model(n_items)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "out"
        started = time.perf_counter()
        exported = sasrec.export(recommender, folder)
        seconds = time.perf_counter() - started
        told = subprocess.run(
            [sys.executable, "-c", LOADING, folder / "network.onnx"],
            capture_output=True,
            check=True,
        )
        imported, loaded, peak = json.loads(told.stdout)
        print(
            f"{n_items:,} items: export {seconds:.1f} s, {exported.n_bytes / 1e6:.0f} MB, "
            f"difference {exported.largest_difference:.0e}; a new process imports ONNX Runtime in "
            f"{imported:.2f} s, loads the network in {loaded:.3f} s, peak {peak:.0f} MB"
        )
        rows = []
        for size in BATCHES:
            onnx, plain = milliseconds(recommender, folder, size)
            print(
                f"  {size:3} histories: ONNX {onnx:.2f} ms, PyTorch {plain:.2f} ms, "
                f"ratio {plain / onnx:.1f}"
            )
            rows.append(
                {
                    "items": n_items,
                    "export_seconds": seconds,
                    "bytes": exported.n_bytes,
                    "load_seconds": loaded,
                    "peak_mib": peak,
                    "histories": size,
                    "onnx_ms": onnx,
                    "torch_ms": plain,
                }
            )
    return rows


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[12_101, 1_000_000])
    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, one thread each")
    rows = [row for n_items in parser.parse_args().items for row in measured(n_items)]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
