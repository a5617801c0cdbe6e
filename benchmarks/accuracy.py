"""Which loss, block and history length make SASRec accurate? Compares systems on data sets.

    .venv/bin/python benchmarks/accuracy.py --folder DATA --data amazon-beauty ml-100k
    .venv/bin/python benchmarks/accuracy.py --folder DATA --finalists best recbole --seeds 1 2 3

Systems are compared on validation; test figures are computed for finalists only, with bootstrap
intervals over users, and their means and standard errors over seeds. DATA is a folder with
amazon-beauty, lastfm and ml-1m-gsasrec as RecBole's atomic files; ml-100k is downloaded.

Full ranking, leave-one-out. On amazon-beauty and ml-1m-gsasrec the items of a user's history are
removed from the ranking, as in the tables of eSASRec and gSASRec. The test of ml-1m-gsasrec is one
target for each of 512 users; validation uses the last training event of every user (for the 512
users, the event before their target), so that the test targets do not influence any choice.
"""

import argparse
import csv
import statistics
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import torch

from sasrec.cli.progress import observer_for
from sasrec.data.sources import load_corpus
from sasrec.evaluation.metrics import RANK_METRICS
from sasrec.evaluation.significance import bootstrap_interval
from sasrec.experiment.run import run_experiment
from sasrec.settings.metric_names import split_key
from sasrec.settings.resolve import resolve_settings

REMOVED = {"remove_seen": True}
PROTOCOLS = {
    "amazon-beauty": REMOVED,
    "lastfm": {},
    "ml-100k": {},
    "ml-1m-gsasrec": REMOVED | {"split_files": ("train", "valid", "test")},
}
"""Evaluation settings of each data set."""
REPORTED = {"metrics": ("ndcg", "recall", "mrr"), "topk": (10, 20)}
DOT = {"similarity": "dot", "temperature": 1.0}
SYSTEMS = {
    "best": {},
    "recbole": {"preset": "recbole"},
    "paper": {"preset": "paper"},
    "gsasrec": {"preset": "gsasrec"},
    "esasrec": {"preset": "esasrec"},
    # best with one change
    "best, dot product": DOT,
    "best, temperature 0.05": {"temperature": 0.05},
    "best, temperature 0.1": {"temperature": 0.1},
    "best, learned positions": {"positions": "learned"},
    "best, no positions": {"positions": "none"},
    "best, rotary positions": {"positions": "rotary"},
    "best, bias by position": {"positions": "none", "relative_bias": "position"},
    "best, post-norm": {"block": "post_norm", "input_norm": True, "output_norm": False},
    "best, gated": {"block": "gated", "feed_forward": "swiglu"},
    "best, paper's block": {"block": "paper"},
    "best, RMSNorm": {"norm": "rms"},
    "best, two blocks": {"n_layers": 2},
    "best, no residual connections": {"residual": False},
    "best, one head": {"n_heads": 1},
    "best, two heads": {"n_heads": 2},
    "best, four heads": {"n_heads": 4},
    "best, no dropout": {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0},
    "best, events dropped": {"event_dropout_prob": 0.2},
    "best, separate output": {"tied_output": False},
    "best, smoothed labels": {"label_smoothing": 0.1},
    "best, sampled softmax": {"loss": "SSM", "negative_count": 512, "shared_negatives": True},
    "best, in-batch": {"loss": "SSM", "negatives": "in_batch"},
    "best, gBCE": DOT | {"loss": "gBCE", "negative_count": 256, "shared_negatives": True},
    "best, BCE": DOT | {"loss": "BCE"},
    "best, BPR": DOT | {"loss": "BPR"},
    "best, last weights": {"averaging": 0.0},
    "best, length 25": {"max_history": 25},
    "best, length 50": {"max_history": 50},
    "best, length 100": {"max_history": 100},
    "best, length 200": {"max_history": 200},
}
HEAD = ["data", "system", "seed", "part", "metric", "value", "low", "high", "epoch", "seconds"]


def main() -> None:
    """Run the requested trainings that are not in the table yet, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--folder", type=Path, default=Path(), help="folder of the data sets")
    arguments.add_argument("--data", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    arguments.add_argument("--systems", nargs="+", default=["best"], choices=SYSTEMS)
    arguments.add_argument("--finalists", nargs="+", default=[], choices=SYSTEMS)
    arguments.add_argument("--seeds", nargs="+", type=int, default=[2020])
    arguments.add_argument("--threads", type=int, help="default: all cores")
    arguments.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "accuracy.csv"
    )
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    done = read_rows(given.out)
    for data in given.data:
        for system in given.finalists or given.systems:
            for seed in given.seeds:
                part = "test" if given.finalists else "validation"
                key = (data, system, str(seed), part)
                if key in {(r["data"], r["system"], r["seed"], r["part"]) for r in done}:
                    continue
                rows = measured(
                    data, system, seed, folder=given.folder, tests=bool(given.finalists)
                )
                done += rows
                append_rows(given.out, rows)
    show([row for row in done if row["data"] in given.data])


def measured(data: str, system: str, seed: int, *, folder: Path, tests: bool) -> list[dict]:
    """Return the rows of one system and seed: validation and, if requested, the test."""
    values = {"preset": "best", **PROTOCOLS[data], **REPORTED, **SYSTEMS[system], "seed": seed}
    run = resolve_settings(values)
    with tempfile.TemporaryDirectory() as made:
        corpus = load_corpus(where(data, folder, Path(made)), run.data)
    print(f"{data}: {system}, seed {seed}", file=sys.stderr)
    started = time.perf_counter()
    outcome = run_experiment(corpus, run, observer=observer_for(quiet=False, loss_decimals=4))
    seconds = time.perf_counter() - started
    rows = []
    for report in outcome.reports:
        name = system if report is outcome.reports[0] else report.model
        for part in ("validation", "test") if tests else ("validation",):
            for metric, value in getattr(report, part).items():
                name_of, k = split_key(metric)
                low, high = bootstrap_interval(RANK_METRICS[name_of](report.ranks[part], k))
                rows.append(
                    {
                        "data": data,
                        "system": name,
                        "seed": str(seed) if name == system else "-",
                        "part": part,
                        "metric": metric,
                        "value": f"{value:.6f}",
                        "low": f"{low:.6f}",
                        "high": f"{high:.6f}",
                        "epoch": outcome.trained.best_epoch if name == system else "",
                        "seconds": f"{seconds:.1f}" if name == system else "",
                    }
                )
    return rows


def where(data: str, folder: Path, made: Path) -> str:
    """Return the path or name of a data set; ml-1m-gsasrec is first split into three files."""
    if data == "ml-100k":
        return data
    if data == "ml-1m-gsasrec":
        return str(split_by_gsasrec(folder / data, made / data))
    return str(folder / data)


def split_by_gsasrec(source: Path, target: Path) -> Path:
    """Return a new folder with gSASRec's MovieLens-1M in three parts, the 512 targets as test."""
    target.mkdir()
    events = pl.read_csv(source / "ml-1m-gsasrec.train.inter", separator="\t")
    user, item, time_ = events.columns
    asked = pl.read_csv(
        source / "validation.tsv", separator="\t", schema_overrides={"history": pl.String}
    )
    tested = pl.col(user).is_in(asked["user_id"].to_list())
    is_last = pl.col(time_) == pl.col(time_).max().over(user)
    late = events[time_].max() + 1  # their histories have one more event than the training file
    extra = asked.select(
        pl.col("user_id").alias(user),
        pl.col("history").str.split(" ").list.last().cast(events[item].dtype).alias(item),
        pl.lit(late, events[time_].dtype).alias(time_),
    )
    goal = asked.select(
        pl.col("user_id").alias(user),
        pl.col("target").cast(events[item].dtype).alias(item),
        pl.lit(late + 1, events[time_].dtype).alias(time_),
    )
    parts = {
        "train": events.filter(~is_last | tested),
        "valid": pl.concat([events.filter(is_last & ~tested), extra]),
        "test": goal,
    }
    for name, part in parts.items():
        part.write_csv(target / f"{target.name}.{name}.inter", separator="\t")
    return target


def read_rows(path: Path) -> list[dict]:
    """Return the rows of earlier runs."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append_rows(path: Path, rows: list[dict]) -> None:
    """Append the rows of a run to the file, so that an interruption loses nothing."""
    path.parent.mkdir(exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, HEAD)
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def show(rows: list[dict]) -> None:
    """Print means over seeds, their standard errors, and the widest bootstrap interval."""
    metrics = [f"{name}@10" for name in ("ndcg", "recall", "mrr")]
    cases = sorted({(row["data"], row["part"]) for row in rows})
    for data, part in cases:
        print(f"\n{data}, {part}")
        print(f"  {'system':26} seeds  {'  '.join(f'{m:>15}' for m in metrics)}  epoch  seconds")
        here = [row for row in rows if (row["data"], row["part"]) == (data, part)]
        lines = []
        for system in dict.fromkeys(row["system"] for row in here):
            own = [row for row in here if row["system"] == system]
            values = {
                metric: list(
                    {r["seed"]: float(r["value"]) for r in own if r["metric"] == metric}.values()
                )
                for metric in metrics
            }
            lines.append((values, system, own))
        for values, system, own in sorted(
            lines, key=lambda line: -statistics.mean(line[0][metrics[0]])
        ):
            cells = "  ".join(f"{spread(values[metric]):>15}" for metric in metrics)
            times = [float(r["seconds"]) for r in own if r["seconds"]]
            epochs = [float(r["epoch"]) for r in own if r["epoch"]]
            tail = f"{statistics.mean(epochs):5.0f}  {statistics.mean(times):7.0f}" if times else ""
            print(f"  {system:26} {len(values[metrics[0]]):5}  {cells}  {tail}")
            if part == "test":
                low = min(float(r["low"]) for r in own if r["metric"] == metrics[0])
                high = max(float(r["high"]) for r in own if r["metric"] == metrics[0])
                print(f"  {'':26}        95 % over users, all seeds: {low:.4f} to {high:.4f}")


def spread(values: list[float]) -> str:
    """Return a mean with its standard error, if there is more than one value."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.mean(values):.4f} ({error:.4f})"


if __name__ == "__main__":
    main()
