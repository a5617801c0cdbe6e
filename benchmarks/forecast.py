"""How far is the forecast of a training from what it takes?

For each data set, a fresh process forecasts a training of the preset ``best``, and another one
trains two epochs. Both report processor time, which other programs hardly disturb, wall time, and
the peak of memory. After a comma, a data set may have a file of settings. Run it with
OMP_NUM_THREADS=1 if the machine is shared.

    python benchmarks/forecast.py ml-100k dataset/lastfm online-retail.parquet,shop.yaml
"""

import argparse
import csv
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from common import timed
from sasrec.data.sources import load_corpus
from sasrec.experiment import fitting
from sasrec.experiment.forecast import forecast_of
from sasrec.experiment.plan import TrainingPlan
from sasrec.experiment.prepared import prepare
from sasrec.experiment.train_into import train_by_plan
from sasrec.settings.files import layers_with_mistakes
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import canonical_model
from sasrec.settings.resolve import RunSettings, resolve_layers
from sasrec.system.memory import peak_bytes
from sasrec.training.loop import TrainingLoop
from sasrec.training.progress import LogObserver
from sasrec.training.trainer import Validation

RESULTS = Path(__file__).parent / "results" / "forecast.csv"
CLOCKS = {"processor": time.process_time, "wall": time.perf_counter}
EPOCHS = 2


def run_settings(model: str, files: list[str]) -> RunSettings:
    """Return the settings of a training of two epochs."""
    name = canonical_model(model)
    layers = layers_with_mistakes(list(map(Path, files)), [f"--epochs={EPOCHS}"], ())
    return resolve_layers(layers, name, DEFAULT if name == "SASRec" else None)


def forecasts(data: str, run: RunSettings) -> dict:
    """Return the forecast by each clock."""
    prepared = prepare(load_corpus(data, run.data), run)
    found = {}
    for name, clock in CLOCKS.items():
        each = forecast_of(prepared, clock=clock)
        found[name] = [each.training_seconds, each.validation_seconds, each.memory_bytes]
    return found


def truths(data: str, run: RunSettings) -> dict:
    """Return the median time of epochs and validations by each clock, and the peak of memory."""
    epochs, validations = [], []
    plain_epoch, plain_validation = TrainingLoop.epoch, fitting.validation_of

    def now() -> list[float]:
        return [clock() for clock in CLOCKS.values()]

    def timed_into(rows, work, *words):
        begin = now()
        value = work(*words)
        rows.append([after - before for before, after in zip(begin, now(), strict=True)])
        return value

    def validation_of(model, protocol):
        made = plain_validation(model, protocol)
        return Validation(
            lambda: timed_into(validations, made.measure), made.watched, made.smaller_is_better
        )

    TrainingLoop.epoch = lambda self, number: timed_into(epochs, plain_epoch, self, number)
    fitting.validation_of = validation_of
    with tempfile.TemporaryDirectory() as folder:
        train_by_plan(TrainingPlan(run, data, Path(folder) / "model"), LogObserver())
    peak = peak_bytes()
    return {
        name: [median(row[n] for row in epochs), median(row[n] for row in validations), peak]
        for n, name in enumerate(CLOCKS)
    }


def main() -> None:
    """Run all processes, write the rows, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--model", default="SASRec")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("forecast", "truth"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    if given.only:
        work = forecasts if given.only == "forecast" else truths
        data, *files = given.data[0].split(",")
        print(json.dumps(work(data, run_settings(given.model, files))))
        return
    rows = []
    for data in given.data:
        words = [sys.executable, __file__, data, f"--model={given.model}"]
        for run in range(1, given.runs + 1):
            for kind in ("forecast", "truth"):
                for clock, values in timed([*words, f"--only={kind}"]).items():
                    name = Path(data.partition(",")[0]).stem
                    rows.append([name, given.model, run, kind, clock, *values])
    head = ["data", "model", "run", "kind", "clock", "training_s", "validation_s", "peak_bytes"]
    with RESULTS.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    show(rows)


def show(rows: list[list]) -> None:
    """Print medians and, last, the ratio of forecast to truth."""
    for data in dict.fromkeys(row[0] for row in rows):
        for clock in CLOCKS:
            epoch, memory = {}, {}
            for kind in ("forecast", "truth"):
                own = [row for row in rows if (row[0], row[3], row[4]) == (data, kind, clock)]
                epoch[kind] = median(row[5] + row[6] for row in own)
                memory[kind] = median(row[7] for row in own) / 1e6
            ratios = [each["forecast"] / each["truth"] for each in (epoch, memory)]
            print(
                f"{data:15} {clock:9} epoch {epoch['forecast']:7.2f} s of {epoch['truth']:7.2f} s, "
                f"memory {memory['forecast']:5.0f} MB of {memory['truth']:5.0f} MB, "
                f"ratios {ratios[0]:.2f} {ratios[1]:.2f}"
            )


if __name__ == "__main__":
    main()
