"""Do event types help where they tell something, and do they hurt where they tell nothing?

Trains on two generated logs, with three seeds each, with and without the types as input; the
targets are the same in each comparison:

    .venv/bin/python benchmarks/event_types.py

In the first log a user views six items, puts one of them into the cart, and buys that one in four
of five cases; the targets are purchases. In the second, types are random.
"""

import argparse
import csv
import statistics
from pathlib import Path

import numpy as np
import polars as pl

import sasrec

RESULTS = Path(__file__).parent / "results" / "event_types.csv"
NAMES = ["user_id", "item_id", "event", "timestamp"]
SIZES = {"hidden_size": 32, "inner_size": 64, "n_layers": 1, "n_heads": 2, "max_history": 20}
TRAINING = {
    "preset": "recbole",
    "epochs": 20,
    "batch_size": 256,
    "learning_rate": 3e-3,
    "hidden_dropout_prob": 0.1,
    "attn_dropout_prob": 0.1,
    "metrics": ["ndcg"],
}
PURCHASES = {"type_column": "event", "target_types": "purchase"}
VARIANTS = {
    "carts": {
        "types, trained on all events": {**PURCHASES, "train_target_types": "all"},
        "types, trained on purchases": PURCHASES,
        "no types, trained on all events": {
            **PURCHASES,
            "train_target_types": "all",
            "event_types": "none",
        },
        "no types, trained on purchases": {**PURCHASES, "event_types": "none"},
    },
    "random types": {
        "types": {"type_column": "event"},
        "no types": {"type_column": "event", "event_types": "none"},
    },
}
"""Log to variant to its settings."""


def carts(users: int, items: int, seed: int) -> pl.DataFrame:
    """Return a log in which carts foretell purchases.

    Args:
        users: Number of users.
        items: Number of items.
        seed: Seed of the generator.

    Returns:
        The events.
    """
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        clock = 0
        for _ in range(4):
            viewed = generator.permutation(items)[:6]
            chosen = generator.integers(6)
            for place, item in enumerate(viewed):
                rows.append((user, int(item), "view", clock))
                if place == chosen:
                    rows.append((user, int(item), "cart", clock + 1))
                clock += 2
            bought = viewed[chosen] if generator.random() < 0.8 else generator.integers(items)
            rows.append((user, int(bought), "purchase", clock))
            clock += 2
    return pl.DataFrame(rows, schema=NAMES, orient="row")


def random_types(users: int, items: int, seed: int) -> pl.DataFrame:
    """Return a log of a Markov chain whose types are random.

    Args:
        users: Number of users.
        items: Number of items.
        seed: Seed of the generator.

    Returns:
        The events.
    """
    generator = np.random.default_rng(seed)
    followers = generator.integers(items, size=(items, 3))
    rows = []
    for user in range(users):
        item = int(generator.integers(items))
        for clock in range(24):
            rows.append((user, item, str(generator.choice(["view", "cart", "purchase"])), clock))
            follows = generator.random() < 0.8
            item = int(generator.choice(followers[item]) if follows else generator.integers(items))
    return pl.DataFrame(rows, schema=NAMES, orient="row")


def measured(log: pl.DataFrame, settings: dict, seed: int) -> float:
    """Train a model.

    Args:
        log: The events.
        settings: Settings of the variant.
        seed: Seed of the training.

    Returns:
        NDCG@10 on the test targets.
    """
    trained = sasrec.train(log, {**SIZES, **TRAINING, **settings, "seed": seed})
    return trained.metrics["reports"][0]["test"]["ndcg@10"]


def main() -> None:
    """Train all variants, print the mean and spread of each, and write all values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=600)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    logs = {"carts": carts, "random types": random_types}
    rows = []
    for name, variants in VARIANTS.items():
        for variant, settings in variants.items():
            values = [
                measured(logs[name](options.users, options.items, seed), settings, seed)
                for seed in range(options.seeds)
            ]
            rows += [(name, variant, seed, value) for seed, value in enumerate(values)]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"{name:13} {variant:32} NDCG@10 {statistics.mean(values):.4f} ± {spread:.4f}")
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["log", "variant", "seed", "ndcg@10"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
