"""How many users a second get a list, how much memory does it take, and how much faster is it?

Measures ``sasrec.recommend_all`` from the events to the Parquet file, and ``recommend_iter`` on
some of the same histories, in turn. The data are as large as Amazon Beauty (12,000 items, nine
events per user), the model has the size that ``best`` chooses for it, and its weights are random.

.venv/bin/python benchmarks/recommend.py                      # 100,000 users
.venv/bin/python benchmarks/recommend.py --users 1000000
.venv/bin/python benchmarks/recommend.py --length 20 --layers 2
"""

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

import sasrec
from sasrec.data.sources import load_corpus
from sasrec.data.vocabulary import Vocabulary
from sasrec.models.contract import Catalogue
from sasrec.models.sasrec import SASRec, SASRecSettings
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.presets import PRESETS
from sasrec.system.memory import peak_bytes, reset_peak

RESULTS = Path(__file__).parent / "results" / "recommend.csv"
K, COMPARED = 10, 5_000
"""Items in a list; users whose lists ``recommend_iter`` makes too."""


def random_model(n_items: int, layers: int) -> Recommender:
    """Return a model of random weights with the settings of ``best``."""
    torch.manual_seed(0)
    fields = SASRecSettings.model_fields
    best = {key: value for key, value in PRESETS["best"].values.items() if key in fields}
    form = SASRecSettings(**{**best, "n_layers": layers, "n_heads": layers})
    return Recommender(
        SASRec(form, Catalogue(n_items, 0, 50)).eval(),
        Vocabulary([f"i{number}" for number in range(n_items)]),
        np.arange(n_items + 1),
        {f"i{number}": f"Title of item {number}" for number in range(n_items)},
        {
            "data": DataSettings(max_history=50).model_dump(),
            "evaluation": EvaluationSettings().model_dump(),
            "model_name": "SASRec",
        },
    )


def write_events(path: Path, users: int, items: int, length: int) -> None:
    """Write histories of random items and of half to one and a half times a length."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(length - length // 2, length + length // 2 + 1, users)
    owners = np.repeat(np.arange(users), lengths)
    pl.DataFrame(
        {
            "user_id": owners.astype(np.int32),
            "item_id": pl.Series(generator.integers(0, items, len(owners))),
            "timestamp": np.arange(len(owners), dtype=np.float64),
        }
    ).with_columns(item_id=pl.format("i{}", "item_id")).write_parquet(path)


def one_by_one(recommender: Recommender, events: Path) -> tuple[float, float, list[list[str]]]:
    """Return seconds and seconds of processors of ``recommend_iter``, and the lists."""
    corpus = load_corpus(events, DataSettings())
    offsets, items = corpus.sequences.offsets, corpus.sequences.items
    histories = [
        corpus.items.tokens(items[offsets[user] : offsets[user + 1]]) for user in range(COMPARED)
    ]
    recommender.recommend(histories[:100], K)
    started, used = time.perf_counter(), time.process_time()
    lists = [each.items for each in recommender.recommend_iter(histories, K)]
    return time.perf_counter() - started, time.process_time() - used, lists


def all_at_once(
    recommender: Recommender, events: Path, out: Path
) -> tuple[float, float, float, float]:
    """Return seconds, those of processors, peak bytes, and bytes after reading the events."""
    load_corpus(events, DataSettings())
    reset_peak()
    loaded = peak_bytes()
    started, used = time.perf_counter(), time.process_time()
    sasrec.recommend_all(recommender, events, out=out, k=K)
    return time.perf_counter() - started, time.process_time() - used, peak_bytes(), loaded


def main() -> None:
    """Measure both ways several times, and print medians and the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--users", type=int, default=100_000)
    arguments.add_argument("--items", type=int, default=12_000)
    arguments.add_argument("--length", type=int, default=9, help="mean events per user")
    arguments.add_argument("--layers", type=int, default=1)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    recommender = random_model(given.items, given.layers)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        events, out = Path(folder) / "events.parquet", Path(folder) / "lists.parquet"
        write_events(events, given.users, given.items, given.length)
        for run in range(given.runs):
            slow, slow_used, lists = one_by_one(recommender, events)
            fast, fast_used, peak, loaded = all_at_once(recommender, events, out)
            written = pl.scan_parquet(out).head(K * COMPARED).collect()["item"].to_list()
            same = written == [item for each in lists for item in each]
            rows.append(
                {
                    **vars(given),
                    "threads": torch.get_num_threads(),
                    "run": run,
                    "users_per_second": given.users / fast,
                    "users_per_processor_second": given.users / fast_used,
                    "recommend_per_second": COMPARED / slow,
                    "recommend_per_processor_second": COMPARED / slow_used,
                    "peak_bytes": peak,
                    "bytes_before": loaded,
                    "file_bytes": out.stat().st_size,
                    "same_lists": same,
                }
            )
            print(", ".join(f"{key} {value:,.0f}" for key, value in list(rows[-1].items())[7:]))
    write_rows(rows)
    speed, old, per, old_per = (
        statistics.median(row[key] for row in rows)
        for key in (
            "users_per_second",
            "recommend_per_second",
            "users_per_processor_second",
            "recommend_per_processor_second",
        )
    )
    slowest, fastest = (pick(row["users_per_second"] for row in rows) for pick in (min, max))
    peak = max(row["peak_bytes"] for row in rows)
    print(f"{given.users:,} users x {given.items:,} items, {given.length} events a user,")
    print(f"{given.layers} blocks, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"from events to file: {speed:,.0f} users a second ({slowest:,.0f} to {fastest:,.0f});")
    print(f"{per:,.0f} a second of one processor; {given.users / speed:.1f} s in all;")
    print(f"peak memory {peak / 1e6:.0f} MB, {rows[0]['bytes_before'] / 1e6:.0f} MB before")
    print(f"recommend_iter: {old:,.0f} users a second, {old_per:,.0f} a second of one processor")
    print(f"same lists: {all(row['same_lists'] for row in rows)}")
    print(f"ratio: {speed / old:.1f}, by time of processors {per / old_per:.1f}")


def write_rows(rows: list[dict]) -> None:
    """Append the rows to the file of results."""
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
