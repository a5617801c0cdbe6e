"""What do rules cost beside recommending without rules?

Recommends for random histories with an untrained model, without rules, with each rule alone and
with all of them, in turns in one process:

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/rules.py

It measures processor time, since wall time on a shared machine varies by more than rules cost.
Looking rules up (``prepare_rules``) is not included.
"""

import argparse
import csv
import platform
import resource
import statistics
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from sasrec.data.item_columns import ItemColumns
from sasrec.data.vocabulary import Vocabulary
from sasrec.models.contract import Catalogue
from sasrec.models.sasrec import SASRec
from sasrec.recommender.recommender import Recommender
from sasrec.settings.resolve import resolve_settings

RESULTS = Path(__file__).parent / "results" / "rules.csv"


def random_recommender(n_items: int, generator: np.random.Generator) -> Recommender:
    """Return an untrained model with item columns.

    Args:
        n_items: Items in the catalogue.
        generator: Draws the columns.

    Returns:
        The recommender.
    """
    run = resolve_settings({})
    torch.manual_seed(0)
    model = SASRec(run.model, Catalogue(n_items, 0, run.data.max_history)).eval()
    items = Vocabulary([f"i{number}" for number in range(1, n_items + 1)])
    columns = pl.DataFrame(
        {
            "stock": generator.integers(0, 10, n_items),
            "category": [f"c{code}" for code in generator.integers(0, 500, n_items)],
            "price": generator.uniform(1, 100, n_items),
        }
    )
    return Recommender(
        model=model,
        items=items,
        counts=np.append(0, generator.integers(1, 1000, n_items)),
        titles={},
        settings=run.as_json(),
        item_columns=ItemColumns(items.entries, columns),
    )


def rules_to_measure(recommender: Recommender, users: list[str]) -> dict[str, dict]:
    """Return the rules to measure, by name; the last has all of them.

    Args:
        recommender: The model.
        users: The users, for exclusions by user.

    Returns:
        Name to rules.
    """
    generator = np.random.default_rng(1)
    pairs = pl.DataFrame(
        {
            "user_id": np.repeat(users, 20),
            "item_id": [
                f"i{n}" for n in generator.integers(1, len(recommender.items), 20 * len(users))
            ],
        }
    )
    single = {
        "only_where": {"only_where": "stock > 0 and category != 'c7'"},
        "exclude_by_user": {"exclude_by_user": pairs},
        "max_per": {"max_per": {"category": 2}},
        "boost a tenth": {"boost": "multiply 1.2 where price > 90"},
        "boost all": {"boost": "add 0.01 * price"},
        "diversity": {"diversity": 0.3},
    }
    together: dict = {"fill_up": "popularity"}
    for name, rules in single.items():
        if name != "boost a tenth":
            together |= rules
    return {**single, "all of them": together}


def main() -> None:
    """Print the table with its ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--items", type=int, default=100_000)
    arguments.add_argument("--users", type=int, default=512)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--k", type=int, default=10)
    given = arguments.parse_args()
    generator = np.random.default_rng(0)
    recommender = random_recommender(given.items, generator)
    users = [f"u{number}" for number in range(given.users)]
    histories = [
        [f"i{n}" for n in generator.integers(1, given.items, generator.integers(5, 50))]
        for _ in users
    ]
    written = rules_to_measure(recommender, users)
    prepared = {name: recommender.prepare_rules(rules) for name, rules in written.items()}
    everything = {"no rules": None, **prepared}
    seconds: dict[str, list[float]] = {name: [] for name in everything}
    for run in range(given.runs + 1):
        for name, rules in everything.items():
            started = time.process_time()
            recommender.recommend(histories, given.k, users=users, rules=rules)
            if run:
                seconds[name].append(time.process_time() - started)
    base = statistics.median(seconds["no rules"])
    print(
        f"{given.users} histories, {given.items:,} items, k = {given.k}, "
        f"{torch.get_num_threads()} threads, {platform.processor() or platform.machine()}"
    )
    print(f"{'':<20}{'lists/s':>10}{'spread':>10}{'ratio':>8}")
    rows = []
    for name, each in seconds.items():
        median = statistics.median(each)
        # Rounds differ in load, so each round is compared with the same round without rules.
        ratio = statistics.median(
            one / other for one, other in zip(each, seconds["no rules"], strict=True)
        )
        spread = (max(each) - min(each)) / median
        print(f"{name:<20}{given.users / median:>10.0f}{spread:>10.0%}{ratio:>8.2f}", flush=True)
        rows += [(given.items, given.users, given.k, name, run, s) for run, s in enumerate(each)]
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("items", "users", "k", "rules", "run", "seconds"))
        writer.writerows(rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"peak memory {peak:.0f} MB; ratio of all rules to none: {ratio:.2f} ({base:.2f} s without)"
    )


main()
