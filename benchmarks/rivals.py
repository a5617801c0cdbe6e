"""How long does an epoch of each model on ml-100k take, here and in RecBole, for the same targets?

    .venv/bin/python benchmarks/rivals.py [--models GRU4Rec Caser] [--limit 120]

Each model has RecBole's sizes and defaults in both packages; each measurement runs in its own
process, one after the other. An epoch of RecBole is stopped after --limit seconds and extrapolated
by the number of batches. For models whose epochs take RecBole about a second, the first epoch is a
warm-up, as in our measurements, and four are timed.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
from pathlib import Path

from common import timed
from sasrec.data.sources import load_corpus
from sasrec.experiment.fitting import train_model
from sasrec.experiment.prepared import prepare
from sasrec.settings.resolve import resolve_settings
from sasrec.training.progress import LogObserver

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "rivals.csv"
PEER = HERE.parent / ".venv-recbole" / "bin" / "python"
MODELS = ["SASRec", "GRU4Rec", "NextItNet", "Caser", "BERT4Rec", "FPMC", "TransRec", "BPR"]
QUICK = {"FPMC", "TransRec", "BPR"}
OURS_ALONE = ["FMC"]
"""Models that RecBole does not have."""


def ours(model: str, epochs: int) -> dict:
    """Return the seconds of each epoch of one of our models, without the first (warm-up)."""
    values = {"preset": "recbole", "epochs": epochs + 1, "validate_every": 0, "device": "cpu"}
    run = resolve_settings(values, model)
    prepared = prepare(load_corpus("ml-100k", run.data), run)
    _, trained = train_model(prepared, observer=LogObserver())
    seconds = [each.seconds for each in trained.epochs[1:]]
    return {"seconds": seconds, "targets": trained.epochs[-1].targets}


def main() -> None:
    """Print one line with the ratio for each model; write the rows as CSV."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--models", nargs="+", default=MODELS, choices=MODELS + OURS_ALONE)
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument(
        "--limit", type=float, default=120, help="maximum seconds of RecBole per epoch"
    )
    arguments.add_argument("--one", help="measure only this model (used by this script itself)")
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(ours(given.one, given.epochs)))
        return
    rows = read_rows()
    print(f"{'':<12}{'targets':>9}{'s/epoch':>9}{'RecBole':>9}{'ratio':>8}")
    for model in given.models:
        own = timed([sys.executable, __file__, "--one", model, "--epochs", str(given.epochs)])
        taken, theirs, note = statistics.median(own["seconds"]), float("nan"), ""
        if model not in OURS_ALONE:
            with tempfile.TemporaryDirectory() as folder:
                epochs = "5" if model in QUICK else "1"
                words = [str(HERE / "peer_recbole.py"), epochs, model, str(given.limit)]
                peer = timed([str(PEER), *words], folder)
            theirs = statistics.median(peer["seconds"][-4:])
            note = "" if peer["share"] == 1 else f"  (of {peer['share']:.0%} of its batches)"
        print(
            f"{model:<12}{own['targets']:>9,}{taken:>9.3f}{theirs:>9.2f}{theirs / taken:>7.1f}x"
            f"{note}",
            flush=True,
        )
        rows[model] = {
            "model": model,
            "targets": str(own["targets"]),
            "seconds": f"{taken:.4f}",
            "recbole_seconds": f"{theirs:.4f}",
        }
        write_rows(rows)


def read_rows() -> dict[str, dict[str, str]]:
    """Return the rows of earlier runs, by model."""
    if not RESULTS.is_file():
        return {}
    with RESULTS.open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def write_rows(rows: dict[str, dict[str, str]]) -> None:
    """Write all rows measured so far."""
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["model", "targets", "seconds", "recbole_seconds"])
        writer.writeheader()
        writer.writerows(rows.values())


if __name__ == "__main__":
    main()
