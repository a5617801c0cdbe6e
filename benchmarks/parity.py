"""Does this package prepare data and evaluate models exactly as RecBole does?

Runs RecBole (in .venv-recbole) and this package with the same configurations and prints every
difference:

    make .venv-recbole/.ready && .venv/bin/python benchmarks/parity.py
"""

import csv
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import torch

from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.catalogue import fetch
from sasrec.data.corpus import Corpus
from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Cases, Split
from sasrec.errors import SasrecError
from sasrec.evaluation.metrics import LIST_METRICS, Lists
from sasrec.evaluation.ranking import rank_targets
from sasrec.models.contract import NextItemModel
from sasrec.recbole.checkpoint import read_checkpoint
from sasrec.recbole.importing import import_model, resolve_import
from sasrec.settings.files import Layer
from sasrec.settings.resolve import RunSettings, resolve_layers

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / ".venv-recbole" / "bin" / "python"
METRICS = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP", "GAUC", "ItemCoverage"]
METRICS += ["AveragePopularity", "GiniIndex", "ShannonEntropy", "TailPercentage"]


def eval_args(split: dict, **more: object) -> dict:
    """Return a configuration with evaluation settings.

    Args:
        split: The split, in RecBole's form.
        more: Other keys of ``eval_args``.

    Returns:
        The configuration.
    """
    args = {"split": split, "group_by": "user", "order": "TO", "mode": "full", **more}
    return {"eval_args": args}


CONFIGS: list[dict] = [
    {},
    {"MAX_ITEM_LIST_LENGTH": 1},
    {"MAX_ITEM_LIST_LENGTH": 7},
    {"val_interval": {"rating": "[4,inf)"}},
    {"val_interval": {"rating": "(2,4];[5,5]"}},
    {"val_interval": {"rating": "[3,inf)"}, "user_inter_num_interval": "[4,inf)"},
    {"user_inter_num_interval": "[6,12)"},
    {"item_inter_num_interval": "[8,inf)"},
    {"user_inter_num_interval": "[6,inf)", "item_inter_num_interval": "[9,inf)"},
    {"user_inter_num_interval": "[6,inf)", "item_inter_num_interval": "(3,40]"},
    {"rm_dup_inter": "first"},
    {"rm_dup_inter": "last"},
    {"rm_dup_inter": "last", "item_inter_num_interval": "[5,inf)"},
    eval_args({"LS": "valid_only"}),
    eval_args({"LS": "test_only"}),
    eval_args({"RS": [0.8, 0.1, 0.1]}),
    eval_args({"RS": [0.6, 0.2, 0.2]}),
    eval_args({"RS": [8, 1, 1]}, group_by=None),
    eval_args({"RS": [0.5, 0.25, 0.25]}, group_by="none"),
    {**eval_args({"RS": [0.7, 0.1, 0.2]}), "user_inter_num_interval": "[5,inf)"},
    eval_args({"TS": [0.8, 0.1, 0.1]}),
    {"eval_args": {"order": "TO", "mode": "full"}},
    {"load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id"]}},
    {
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id"]},
        "item_inter_num_interval": "[8,inf)",
    },
]
MODELS: list[dict] = [
    {"hidden_act": "gelu", "n_layers": 1},
    {"hidden_act": "tanh", "n_heads": 4, "MAX_ITEM_LIST_LENGTH": 9},
    {"hidden_act": "sigmoid", **eval_args({"RS": [0.8, 0.1, 0.1]}, group_by=None)},
]
SAMPLED: list[dict] = [
    {"n_layers": 1, **eval_args({"LS": "valid_and_test"}, mode=mode)} for mode in ("uni30", "pop30")
]
"""The sampled candidates differ, so metrics only have to agree within sampling error."""
CHANCES = 5
"""Maximum difference of two sampled metrics in standard errors; exceeded once in a million."""
EXPLAINED = {
    "rm_dup_inter": "RecBole's sort by time is not stable, so simultaneous events of a user are in "
    "arbitrary order",
}


def generated(folder: Path, name: str, *, seed: int, ties: bool) -> None:
    """Write a small random data set with ratings, repeated pairs and short histories.

    Args:
        folder: Folder in which NAME/NAME.inter is written.
        name: Name of the data set.
        seed: Seed of the random numbers.
        ties: Whether many events are simultaneous.
    """
    generator = np.random.default_rng(seed)
    n_events = 3000
    users = generator.integers(1, 260, n_events)
    items = np.minimum(generator.geometric(0.03, n_events), 120)
    times = generator.integers(0, 50, n_events) if ties else generator.permutation(n_events)
    frame = pl.DataFrame(
        {
            "user_id:token": users,
            "item_id:token": items,
            "rating:float": generator.integers(1, 6, n_events).astype(float),
            "timestamp:float": times.astype(float) * 1000 + 1e9,
        }
    )
    (folder / name).mkdir()
    frame.write_csv(folder / name / f"{name}.inter", separator="\t")
    # Some items have no row, and some rows belong to items without events.
    listed = pl.DataFrame({"item_id:token": [n for n in range(1, 150) if n % 10]})
    listed.write_csv(folder / name / f"{name}.item", separator="\t")


def digest(corpus: Corpus, cases: Cases, longest: int) -> dict:
    """Return the number of cases and a checksum of all of them, as in peer_pipeline.py.

    Args:
        corpus: The data.
        cases: The cases of one part.
        longest: Length of the longest history.

    Returns:
        Cases, sum of history lengths, checksum.
    """
    tokens = np.array(["", *corpus.items.entries.to_list()])[corpus.sequences.items]
    names = corpus.users.entries.to_list()
    begins = np.maximum(corpus.sequences.offsets[cases.users - 1], cases.stops - longest)
    rows = [
        f"{names[user - 1]}|{' '.join(tokens[begin:stop])}|{tokens[stop]}"
        for user, begin, stop in zip(cases.users, begins, cases.stops, strict=True)
    ]
    text = "\n".join(sorted(rows))
    return {
        "cases": len(rows),
        "lengths": int((cases.stops - begins).sum()),
        "checksum": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def ours(case: dict, weights: Path) -> dict:
    """Return the outcome of this package for a case.

    Args:
        case: One configuration.
        weights: File with the weights of the model that RecBole trained, if it trained one.

    Returns:
        The outcome, in the form of peer_pipeline.py.
    """
    path = case["dataset"] if case["data_path"] is None else f"{case['data_path']}{case['dataset']}"
    config = {key: value for key, value in case["config"].items() if key != "epochs"}
    try:
        run = resolve_layers([Layer("case", config)], preset="recbole")
        corpus = load_corpus(path, run.data)
        split = make_split(corpus, run.evaluation)
    except SasrecError as error:
        return {"error": str(error)}
    counts = split.train_stops - split.train_starts
    users = np.repeat(np.arange(1, len(counts) + 1), counts)
    within = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    train = Cases(users, split.train_starts[users - 1] + within)
    found = {"users": len(corpus.users), "items": len(corpus.items)}
    for name, cases in (("train", train), ("valid", split.validation), ("test", split.test)):
        found[name] = digest(corpus, cases, run.data.max_history)
    if case["metrics"]:
        checkpoint = read_checkpoint(weights)
        given = {key: value for key, value in config.items() if key not in checkpoint.values}
        run_there = resolve_import(checkpoint.values, given)
        recommender, report = import_model(checkpoint, corpus, run_there)
        found["metrics"] = dict(report.test)
        if run.evaluation.candidates == "full":
            found["metrics"] |= counted_as_there(recommender.model, split, train, run)
    return found


def counted_as_there(model: NextItemModel, split: Split, train: Cases, run: RunSettings) -> dict:
    """Return the list metrics, with items and events counted as RecBole counts them.

    RecBole counts padding as an item of the catalogue, and does not count the first event of each
    user as a training event. We do neither, so our own values of these five metrics differ by
    design.

    Args:
        model: The imported model.
        split: The split of the data.
        train: All training targets.
        run: The settings.

    Returns:
        Metric to value.
    """
    cases = EvaluationCases(split.sequences, split.test, run.data.max_history, torch.device("cpu"))
    ranking = rank_targets(model, cases, top_k=max(run.evaluation.topk))
    n_items = len(model.item_table) - 1
    counts = np.bincount(split.sequences.items[train.stops], minlength=n_items + 1)
    lists = Lists(ranking.top, counts, n_items + 1)
    return {
        f"{name}@{k}": metric(lists, k)
        for name, metric in LIST_METRICS.items()
        for k in run.evaluation.topk
    }


def disagreements(mine: dict, theirs: dict, *, sampled: bool) -> list[str]:
    """Return the differences between two outcomes, as text.

    Args:
        mine: The outcome of this package.
        theirs: The outcome of RecBole.
        sampled: Whether the metrics use sampled candidates, which both draw independently.

    Returns:
        One line for each difference.
    """
    if "error" in mine or "error" in theirs:
        both = "error" in mine and "error" in theirs
        return [] if both else [f"ours: {mine.get('error')}; RecBole: {theirs.get('error')}"]
    lines = []
    for key in theirs:
        if key == "metrics":
            for name, value in theirs[key].items():
                error = np.sqrt(2 * 0.25 / theirs["test"]["cases"]) if sampled else 0.0
                if not abs(mine[key].get(name, np.nan) - value) <= CHANCES * error + 2e-6:
                    lines.append(f"{name}: {mine[key].get(name)} and {value}")
        elif mine[key] != theirs[key]:
            lines.append(f"{key}: {mine[key]} and {theirs[key]}")
    return lines


def main() -> None:
    """Print one line for each case, and the number of unexplained differences at the end."""
    measured = {"metrics": METRICS, "topk": [1, 5, 10], "metric_decimal_place": 6, "epochs": 1}
    small = {"hidden_size": 16, "inner_size": 16, **measured}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        generated(folder, "untied", seed=1, ties=False)
        generated(folder, "tied", seed=2, ties=True)
        (folder / "ml-100k").symlink_to(fetch("ml-100k"))
        rows = [(name, config, False) for name in ("untied", "tied") for config in CONFIGS]
        rows += [("ml-100k", config, False) for config in CONFIGS[::4]]
        of_ranks = {"metrics": ["Recall", "MRR", "NDCG", "Hit"]}
        trained = [{**small, **model} for model in MODELS]
        trained += [{**small, **of_ranks, **model} for model in SAMPLED]
        rows += [(name, config, True) for name in ("untied", "tied") for config in trained]
        cases = [
            {"dataset": name, "data_path": f"{folder}/", "config": config, "metrics": metrics}
            for name, config, metrics in rows
        ]
        (folder / "cases.json").write_text(json.dumps(cases))
        command = [PEER, HERE / "peer_pipeline.py", folder / "cases.json", folder / "out.json"]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        peers = json.loads((folder / "out.json").read_text())
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        unexplained = 0
        with (results / "parity.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["dataset", "config", "agrees", "difference", "explanation"])
            for number, (case, theirs) in enumerate(zip(cases, peers, strict=True)):
                mine = ours(case, folder / f"{number}.safetensors")
                mode = case["config"].get("eval_args", {}).get("mode", "full")
                lines = disagreements(mine, theirs, sampled=mode != "full")
                reason = next((EXPLAINED[key] for key in case["config"] if key in EXPLAINED), "")
                unexplained += bool(lines) and not reason
                label = json.dumps(case["config"])
                print(f"{'differs' if lines else 'agrees':<8}{case['dataset']:<9}{label[:110]}")
                for line in lines:
                    print(f"        {line}")
                if lines and reason:
                    print(f"        because {reason}")
                writer.writerow([case["dataset"], label, not lines, "; ".join(lines), reason])
    print(f"{len(cases)} configurations, {unexplained} unexplained differences")


main()
