"""Does content find items that nobody has bought yet, and what does it cost for the others?

    .venv/bin/python benchmarks/content.py cold --folder DATA --epochs 60
    .venv/bin/python benchmarks/content.py warm --folder DATA --seeds 2020 2021 2022

DATA holds amazon-beauty and lastfm as RecBole's atomic files, with S3-Rec's attributes in their
.item files.

``cold`` holds all events of 10 % of the items of amazon-beauty out of training, trains SASRec with
and without content on the rest, and measures both among all items, apart for targets that occur in
training and for those that do not. The chance to compare with is that of ten random items of a
category: the category of the last item of the history, which a shop knows; and that of the target,
which only an oracle knows. The category is the last attribute of an item, which is the innermost
one.

``warm`` trains on all of lastfm, in the protocol of S3-Rec's code for its table of full rankings:
leave-one-out, items of the history removed. The settings were chosen on validation. To keep the
items of the history, as RecBole does, add ``--set remove_seen=False``.
"""

import argparse
import csv
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from sasrec.cli.progress import observer_for
from sasrec.data.corpus import Corpus
from sasrec.data.sources import load_corpus
from sasrec.evaluation.metrics import RANK_METRICS
from sasrec.experiment.fitting import train_model
from sasrec.experiment.measuring import measured
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.settings.resolve import resolve_settings

RESULTS = Path(__file__).parent / "results"
COLUMNS = ("attributes",)
SYSTEMS: dict[str, dict] = {"without content": {}, "with content": {"content_columns": COLUMNS}}
WARM = {"with content": {"id_dropout_prob": 0.0}}
"""Settings for data without new items; see docs/content.md."""
REPORTED = {"metrics": ("ndcg", "recall"), "topk": (10, 20)}
K = 10
DCG = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(2, K + 2)))))
"""Sum of the gains of the first n ranks: NDCG@10 of n equally good places, times n."""


@dataclass(frozen=True)
class Measured:
    """Ranks of the test targets, and what is known about each case."""

    ranks: np.ndarray
    is_seen: np.ndarray
    epoch: int
    seconds: float


def main() -> None:
    """Run one of the two parts."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("part", choices=("cold", "warm"))
    arguments.add_argument("--folder", type=Path, default=Path(), help="folder of the data sets")
    arguments.add_argument("--seeds", nargs="+", type=int, default=[2020])
    arguments.add_argument("--epochs", type=int, help="default: until validation stops improving")
    arguments.add_argument("--share", type=float, default=0.1, help="share of items held out")
    arguments.add_argument("--set", nargs="*", default=[], help="settings of both, as key=value")
    given = arguments.parse_args()
    values = dict(each.split("=", 1) for each in given.set)
    if given.epochs:
        values["epochs"] = str(given.epochs)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {values}", flush=True)
    rows = (cold if given.part == "cold" else warm)(given, values)
    with (RESULTS / f"content-{given.part}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def cold(given: argparse.Namespace, values: dict[str, str]) -> list[dict]:
    """Return figures for unseen and seen targets of amazon-beauty, and print them.

    Args:
        given: Arguments of the command.
        values: Settings of both systems.

    Returns:
        Rows of the CSV file.
    """
    rows = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as made:
            source = with_held_out_items(given.folder / "amazon-beauty", Path(made), given.share)
            found = {}
            for name, own in SYSTEMS.items():
                parts = {"split_files": ("train", "valid", "test"), "remove_seen": True}
                found[name], prepared = trained(source, {**parts, **values, **own, "seed": seed})
        chance = chances(prepared, found["with content"].is_seen)
        rows += [row(name, seed, each) for name, each in found.items()]
        empty = {**dict.fromkeys(rows[-1], ""), "seed": seed}
        rows += [{**empty, "system": n, "unseen": value} for n, value in chance.items()]
        show_cold(rows[-len(found) - len(chance) :], found["with content"])
    return rows


def with_held_out_items(source: Path, made: Path, share: float) -> Path:
    """Return a folder with the data in three parts, without some items in the first.

    Args:
        source: Folder of a data set.
        made: Where to write.
        share: Share of the items whose events are held out; always the same items.
    """
    target = made / source.name
    target.mkdir()
    events = pl.read_csv(source / f"{source.name}.inter", separator="\t", infer_schema=False)
    user, item, moment = events.columns
    events = events.sort(user, pl.col(moment).cast(pl.Float64), maintain_order=True)
    left = pl.int_range(pl.len()).reverse().over(user)  # events of the user after this one
    items = events[item].unique().sort().to_numpy()
    held = np.random.default_rng(0).choice(items, int(share * len(items)), replace=False)
    is_held = pl.col(item).is_in(held.tolist())
    train = events.filter(left >= 2, ~is_held)
    known = pl.col(user).is_in(train[user].unique().implode())
    valid, test = events.filter(left == 1, known), events.filter(left == 0, known)
    for name, part in {"train": train, "valid": valid, "test": test}.items():
        part.write_csv(target / f"{source.name}.{name}.inter", separator="\t")
    table = source / f"{source.name}.item"
    (target / table.name).write_bytes(table.read_bytes())
    return target


def trained(source: Path, values: dict) -> tuple[Measured, Prepared]:
    """Train one system, and return the ranks of its test targets.

    Args:
        source: Folder of the data set.
        values: Settings that differ from preset ``best``.

    Returns:
        The ranks, and the data.
    """
    run = resolve_settings({"preset": "best", **REPORTED, **values})
    corpus = load_corpus(str(source), run.data)
    prepared = prepare(corpus, run)
    started = time.perf_counter()
    model, course = train_model(prepared, observer=observer_for(quiet=False, loss_decimals=4))
    seconds = time.perf_counter() - started
    report = measured(prepared, run.model_name, model)
    cases = prepared.split.test
    targets = prepared.split.sequences.items[cases.stops]
    found = Measured(report.ranks["test"], prepared.counts[targets] > 0, course.best_epoch, seconds)
    return found, prepared


def chances(prepared: Prepared, is_seen: np.ndarray) -> dict[str, float]:
    """Return the expected NDCG@10 of ten random items of a category, for unseen targets."""
    cases, events = prepared.split.test, prepared.split.sequences.items
    category = categories(prepared.corpus)
    sizes = np.bincount(category)
    targets, last = events[cases.stops][~is_seen], events[cases.stops - 1][~is_seen]
    of_target, of_last = category[targets], category[last]
    value = DCG[np.minimum(K, sizes[of_target])] / sizes[of_target]
    return {
        "chance, category of the last item": float((value * (of_target == of_last)).mean()),
        "chance, category of the target": float(value.mean()),
        "chance, any item": float(DCG[K] / len(prepared.corpus.items)),
    }


def categories(corpus: Corpus) -> np.ndarray:
    """Return the category of each item, int64 [V]; its last attribute."""
    attributes = corpus.item_columns.aligned(corpus.items)["attributes"]
    codes = attributes.list.last().rank("dense").fill_null(0).cast(pl.Int64)
    return np.append(0, codes.to_numpy())


def row(name: str, seed: int, found: Measured) -> dict:
    """Return the figures of a system, for the CSV file."""
    ndcg = RANK_METRICS["ndcg"](found.ranks, K)
    recall = RANK_METRICS["recall"](found.ranks, K)
    return {
        "system": name,
        "seed": seed,
        "unseen": float(ndcg[~found.is_seen].mean()) if (~found.is_seen).any() else "",
        "seen": float(ndcg[found.is_seen].mean()),
        "all": float(ndcg.mean()),
        "recall": float(recall.mean()),
        "epoch": found.epoch,
        "seconds": round(found.seconds),
    }


def show_cold(rows: list[dict], found: Measured) -> None:
    """Print the table of one seed and its two ratios."""
    n_unseen, n_seen = int((~found.is_seen).sum()), int(found.is_seen.sum())
    print(f"NDCG@{K} among all items, {n_unseen:,} unseen targets and {n_seen:,} seen ones")
    for each in rows:
        seen = each["seen"] if each["seen"] == "" else f"{each['seen']:.4f}"
        epoch = each["epoch"] and f"epoch {each['epoch']}"
        print(f"  {each['system']:36}{each['unseen']:8.4f}  {seen:8}  {epoch}")
    without, content, by_last, by_target = rows[:4]
    print(f"  unseen / chance in the last item's category: {ratio(content, by_last):.2f}")
    print(f"  unseen / chance in the target's category:    {ratio(content, by_target):.2f}")
    print(f"  seen, with / without content: {content['seen'] / without['seen']:.3f}", flush=True)


def ratio(one: dict, other: dict) -> float:
    """Return how many times better one is for unseen targets."""
    return one["unseen"] / other["unseen"]


def warm(given: argparse.Namespace, values: dict[str, str]) -> list[dict]:
    """Return test figures on lastfm, and print them.

    Args:
        given: Arguments of the command.
        values: Settings of both systems.

    Returns:
        Rows of the CSV file.
    """
    rows = []
    for name, own in SYSTEMS.items():
        for seed in given.seeds:
            settings = {"remove_seen": True, **own, **WARM.get(name, {}), **values, "seed": seed}
            found, _ = trained(given.folder / "lastfm", settings)
            rows.append(row(name, seed, found))
            print(rows[-1], flush=True)
    for key in ("all", "recall"):
        means = []
        for name in SYSTEMS:
            each = [one[key] for one in rows if one["system"] == name]
            means.append(statistics.mean(each))
            spread = statistics.stdev(each) / len(each) ** 0.5 if len(each) > 1 else 0.0
            print(f"  {name:18}{key:8}{means[-1]:.4f} ({spread:.4f}), {len(each)} seeds")
        print(f"  with / without content: {means[1] / means[0]:.3f}")
    return rows


if __name__ == "__main__":
    main()
