"""Is an updated model as good as one that was trained again, and how much faster?

A model is trained until T. Then come ten steps of new events. After each step, three models are
measured on the events of the next one: the model of T (nothing), the one that was updated with each
step (update), and one trained on everything again (retraining).

.venv/bin/python benchmarks/update.py drift
.venv/bin/python benchmarks/update.py ml-100k --seeds 1 2 3
.venv/bin/python benchmarks/update.py online-retail --folder data/online-retail
"""

import argparse
import csv
import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import sasrec
from drift import drifting_events
from sasrec.data.corpus import renumbered
from sasrec.data.make_split import split_events
from sasrec.data.sources import load_corpus
from sasrec.evaluation.measure import measure
from sasrec.evaluation.metrics import RANK_METRICS
from sasrec.evaluation.protocol import EvaluationProtocol
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings

RESULTS = Path(__file__).parent / "results"
K = 10
WEEK = 7 * 86_400
MODELS = ("nothing", "update", "retraining")


@dataclass(frozen=True, slots=True)
class Score:
    """How good a model is at the events of a step.

    Attributes:
        ndcg: NDCG@10 on all of them; an item that the model does not know counts as not found.
        new: Recall@10 on those whose item appeared after T; None if there are none.
        targets: Number of events.
        new_targets: Number of those whose item appeared after T.
    """

    ndcg: float
    new: float | None
    targets: int
    new_targets: int


def main() -> None:
    """Run the steps for each seed; print a table and write the rows."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("data", choices=("drift", "ml-100k", "online-retail"))
    arguments.add_argument("--folder", type=Path, default=Path(), help="of online-retail.parquet")
    arguments.add_argument("--seeds", nargs="+", type=int, default=[1])
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--model", default="SASRec")
    arguments.add_argument("--measured", nargs="+", type=int, help="steps; default: all")
    arguments.add_argument(
        "--no-history", action="store_true", help="update without earlier events"
    )
    given = arguments.parse_args()
    logging.getLogger("sasrec").setLevel("ERROR")
    events = loaded(given.data, given.folder)
    moments = begins_of(given.data, events, given.steps)
    rows = [row for seed in given.seeds for row in steps(given, events, moments, seed)]
    path = RESULTS / f"update-{given.data}-{given.model}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    show(rows)


def loaded(name: str, folder: Path) -> pl.DataFrame:
    """Return the events of a data set: user_id, item_id, timestamp, oldest first."""
    if name == "drift":
        return drifting_events()
    if name == "online-retail":
        rows = pl.read_parquet(folder / "online-retail.parquet").drop_nulls(
            ["CustomerID", "Description"]
        )
        rows = rows.filter(pl.col("Quantity") > 0)
        found = rows.select(
            user_id=pl.col("CustomerID").cast(pl.Int64).cast(pl.String),
            item_id=pl.col("Description").str.strip_chars(),
            timestamp=pl.col("InvoiceDate").dt.epoch("s").cast(pl.Float64),
        )
        return found.sort("timestamp", maintain_order=True)
    corpus = load_corpus(name, DataSettings())
    sequences = corpus.sequences
    users = np.repeat(np.arange(sequences.n_users), sequences.lengths())
    columns = {"user_id": users, "item_id": sequences.items, "timestamp": sequences.times}
    texts = pl.col("user_id", "item_id").cast(pl.String)
    return pl.DataFrame(columns).with_columns(texts).sort("timestamp", maintain_order=True)


def begins_of(name: str, events: pl.DataFrame, steps: int) -> np.ndarray:
    """Return T, and the end of each step; one more step than asked, to measure on."""
    times = events["timestamp"].to_numpy()
    if name == "online-retail":
        return times.max() - np.arange(steps + 1, -1, -1) * WEEK
    if name == "drift":
        first = times.min() + 0.75 * np.ptp(times)
        return np.linspace(first, times.max(), steps + 2)
    return np.quantile(times, np.linspace(0.75, 1, steps + 2))


def steps(
    given: argparse.Namespace, events: pl.DataFrame, moments: np.ndarray, seed: int
) -> list[dict]:
    """Return the figures of each step."""
    first = until(events, moments[0])
    border = float(np.quantile(first["timestamp"].to_numpy(), 0.95))
    own = {"seed": seed}
    chosen = sasrec.train(first, {**own, "valid_from": border}, model=given.model)
    own |= {"split": "none", "epochs": chosen.metrics["best_epoch"]}
    nothing = update = sasrec.train(first, own, model=given.model)
    known = set(first["item_id"].unique())
    rows = []
    for step in range(1, len(moments) - 1):
        before, now, after = moments[step - 1 : step + 2]
        earlier, everything = until(events, before), until(events, now)
        new = everything.slice(earlier.height)
        call = partial(sasrec.update, update, new, history=None if given.no_history else earlier)
        result, spent = timed(call)
        update = result.recommender
        if given.measured and step not in given.measured:
            continue
        retraining, all_spent = timed(partial(sasrec.train, everything, own, model=given.model))
        models = dict(zip(MODELS, (nothing, update, retraining), strict=True))
        later = set(everything["item_id"].unique()) - known
        found = {
            name: score(model, until(events, after), now, later) for name, model in models.items()
        }
        rows.append({"data": given.data, "model": given.model, "seed": seed, "step": step})
        rows[-1] |= row_of(found) | {"update s": spent, "retraining s": all_spent}
        print({name: figures(value) for name, value in rows[-1].items()}, flush=True)
    return rows


def until(events: pl.DataFrame, moment: float) -> pl.DataFrame:
    """Return the events until a moment."""
    return events.filter(pl.col("timestamp") <= moment)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function, and the processor time it took in seconds."""
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


def score(model: sasrec.Recommender, events: pl.DataFrame, begin: float, later: set) -> Score:
    """Return how good a model is at all events after a moment, each predicted from those before."""
    border = repr(float(np.nextafter(begin, np.inf)))
    settings = EvaluationSettings(valid_from=border, metrics=("ndcg",))
    corpus = load_corpus(events, DataSettings())
    cases = split_events(corpus, settings).validation
    targets = corpus.items.tokens(corpus.sequences.items[cases.stops])
    own = renumbered(corpus, model.items, model.users, model.event_types)
    split = split_events(own, settings)
    protocol = EvaluationProtocol(
        split=split,
        settings=settings,
        counts=model.counts,
        max_history=model.max_history,
        device=torch.device("cpu"),
    )
    _, ranks = measure(model.model, protocol, split.validation)
    found = model.items.tokens(own.sequences.items[split.validation.stops])
    is_later = np.array([item in later for item in found], dtype=bool)
    new_targets = sum(item in later for item in targets)
    recall = RANK_METRICS["recall"](ranks[is_later], K).sum()
    return Score(
        ndcg=float(RANK_METRICS["ndcg"](ranks, K).sum() / len(targets)),
        new=float(recall / new_targets) if new_targets else None,
        targets=len(targets),
        new_targets=new_targets,
    )


def row_of(found: dict[str, Score]) -> dict:
    """Return the figures of a step by the names of their columns."""
    row = {"targets": found["update"].targets, "new targets": found["update"].new_targets}
    for name in MODELS:
        row |= {name: found[name].ndcg, f"{name}, new items": found[name].new}
    return row | {"ratio": found["update"].ndcg / found["retraining"].ndcg}


def figures(value: object) -> object:
    """Return a number with four decimals, and anything else unchanged."""
    return round(value, 4) if isinstance(value, float) else value


def show(rows: list[dict]) -> None:
    """Print the means over all steps and seeds, and the ratios last."""
    mean = {name: statistics.mean(row[name] for row in rows) for name in MODELS}
    spent = {name: sum(row[f"{name} s"] for row in rows) for name in ("update", "retraining")}
    new = [row for row in rows if row["new targets"]]
    hits = {
        name: sum(row[f"{name}, new items"] * row["new targets"] for row in new) for name in MODELS
    }
    last = [row["ratio"] for row in rows if row["step"] == max(row["step"] for row in rows)]
    print("mean NDCG@10:", {name: round(value, 4) for name, value in mean.items()})
    print(f"update / nothing, lowest step: {min(r['update'] / r['nothing'] for r in rows):.3f}")
    print(f"update / retraining, last step: {statistics.mean(last):.3f}")
    print(f"update / retraining, recall on new items: {hits['update'] / hits['retraining']:.3f}")
    print(f"update / retraining, processor time: {spent['update'] / spent['retraining']:.4f}")
    print(f"update / retraining, mean NDCG@10: {mean['update'] / mean['retraining']:.4f}")


if __name__ == "__main__":
    main()
