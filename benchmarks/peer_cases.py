"""Records how RecBole orders events by time and where its splits cut.

Writes tests/golden/recbole_cases.json and recbole_sizes.json, which the tests compare with:

    make .venv-recbole/.ready && .venv-recbole/bin/python benchmarks/peer_cases.py

The data sets are small enough to be stored in that file. An outcome lists, for every user, the
items in RecBole's order and the numbers of training, validation and test targets.
"""

import itertools
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
TARGET = Path(__file__).resolve().parent.parent / "tests" / "golden" / "recbole_cases.json"
sys.argv = sys.argv[:1]  # RecBole reads the command line itself

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.utils import init_seed  # noqa: E402

SPLITS = [
    {"split": {"LS": "valid_and_test"}, "order": "TO"},
    {"split": {"LS": "valid_only"}, "order": "TO"},
    {"split": {"LS": "test_only"}, "order": "TO"},
    {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "user"},
    {"split": {"RS": [0.6, 0.2, 0.2]}, "order": "TO", "group_by": None},
    {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "none"},
    {"split": {"TS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "user"},
    {"split": {"TS": [0.5, 0.25, 0.25]}, "order": "TO", "group_by": "user"},
    {"split": {"TS": [0.8, 0.1, 0.1]}, "order": "RO", "group_by": "user"},
]
SCALINGS = [{}, {"normalize_all": True}, {"normalize_field": ["timestamp"]}]
FILTERS = [{"item_inter_num_interval": "[5,inf)"}, {"val_interval": {"timestamp": "(LOW,inf)"}}]


def generated(kind: str, seed: int) -> list[list]:
    """Return events in the order of a file: user, item, time.

    Args:
        kind: Kind of the timestamps.
        seed: Seed of the random numbers.

    Returns:
        One row for each event.
    """
    generator = np.random.default_rng(seed)
    n_events = 110
    users = generator.integers(1, 14, n_events)
    items = np.minimum(generator.geometric(0.12, n_events), 25)
    if kind == "seconds":
        times = 1_700_000_000 + generator.integers(0, 3000, n_events)
    elif kind == "milliseconds":
        times = 1_700_000_000_000 + generator.integers(0, 400_000, n_events)
    elif kind == "ties":
        times = 1_200_000_000 + generator.integers(0, 12, n_events) * 86_400
    elif kind == "fractions":
        times = generator.random(n_events) * 0.5
    elif kind == "wide":  # scaled to 0..1, events of one day become simultaneous
        times = generator.integers(0, 200, n_events)
        times[generator.integers(n_events)] = 4_000_000_000
    else:
        times = np.full(n_events, 5)
    return [[f"u{u}", f"i{i}", float(t)] for u, i, t in zip(users, items, times, strict=True)]


def written(rows: list[list], path: Path) -> None:
    """Write events as an atomic file.

    Args:
        rows: User, item, time.
        path: The .inter file.
    """
    path.parent.mkdir(parents=True)
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    lines += [f"{user}\t{item}\t{time!r}" for user, item, time in rows]
    path.write_text("\n".join(lines) + "\n")


def outcome(name: str, folder: Path, values: dict) -> dict:
    """Return the outcome of RecBole for a data set and a configuration.

    Args:
        name: Name of the data set.
        folder: Folder that contains it.
        values: The configuration.

    Returns:
        ``histories`` and ``counts`` by user, or the error.
    """
    config_dict = {
        "train_neg_sample_args": None,
        "use_gpu": False,
        "state": "CRITICAL",
        "data_path": str(folder),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": 100,
        **values,
    }
    try:
        config = Config(model="SASRec", dataset=name, config_dict=config_dict)
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        parts = data_preparation(config, dataset)
    except Exception as error:  # our package must reject it as well
        return {"error": f"{type(error).__name__}: {error}"}
    histories: dict[str, list[str]] = {}
    counts: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        features = part.dataset.inter_feat
        for user, item, length, items in zip(
            *(features[key].numpy() for key in ("user_id", "item_id", "item_length")),
            features["item_id_list"].numpy(),
            strict=True,
        ):
            owner = str(dataset.id2token("user_id", user))
            whole = [str(dataset.id2token("item_id", each)) for each in [*items[:length], item]]
            longest = histories.setdefault(owner, whole)
            shared = min(len(longest), len(whole))
            assert longest[:shared] == whole[:shared]
            histories[owner] = max(longest, whole, key=len)
            given = counts.setdefault(owner, [0, 0, 0])
            assert len(whole) == sum(given) + 2, "a later part starts before an earlier one ends"
            given[number] += 1
    return {
        "histories": {user: " ".join(items) for user, items in histories.items()},
        "counts": counts,
    }


COUNTED = [
    {},
    {"item_inter_num_interval": "[0,inf)"},
    {"item_inter_num_interval": "(0,inf)"},
    {"item_inter_num_interval": "[0,12]"},
    {"item_inter_num_interval": "[1,inf)"},
    {"item_inter_num_interval": "[5,inf)"},
    {"item_inter_num_interval": "[0,3];[6,30]"},
    {"item_inter_num_interval": None, "user_inter_num_interval": None},
    {"user_inter_num_interval": "[0,9]"},
    {"user_inter_num_interval": "[7,inf)"},
    {"user_inter_num_interval": "[7,inf)", "item_inter_num_interval": "[0,9]"},
    {"filter_inter_by_user_or_item": False},
]
LISTS = [["item"], ["user"], ["item", "user"]]


def counted(folder: Path) -> dict:
    """Return the numbers of users, items and events in RecBole if files list users and items.

    Args:
        folder: Folder in which the data set is written.

    Returns:
        The events, the lists, and each configuration with its outcome.
    """
    rows = generated("ties", 9)
    written(rows, folder / "listed" / "listed.inter")
    lists = {
        "item": [f"i{number}" for number in range(1, 40) if number % 7],
        "user": [f"u{number}" for number in range(3, 20)],
    }
    for name, tokens in lists.items():
        path = folder / "listed" / f"listed.{name}"
        path.write_text("\n".join([f"{name}_id:token", *tokens]) + "\n")
    found = []
    for chosen, more in itertools.product(LISTS, COUNTED):
        columns = {"inter": ["user_id", "item_id", "timestamp"]}
        values = {"load_col": columns | {name: [f"{name}_id"] for name in chosen}, **more}
        base = {"train_neg_sample_args": None, "use_gpu": False, "state": "CRITICAL"}
        try:
            config = Config(
                model="SASRec",
                dataset="listed",
                config_dict={**base, "data_path": str(folder), **values},
            )
            dataset = create_dataset(config)
            sizes = [dataset.user_num - 1, dataset.item_num - 1, dataset.inter_num]
        except ValueError:  # nothing is left
            sizes = None
        found.append({"config": values, "sizes": sizes})
    return {"rows": [" ".join(map(str, row)) for row in rows], "lists": lists, "found": found}


def main() -> None:
    """Write the files."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        kinds = ("seconds", "milliseconds", "ties", "fractions", "wide", "equal")
        for seed, kind in enumerate(kinds):
            rows = generated(kind, seed)
            written(rows, Path(place) / kind / f"{kind}.inter")
            middle = sorted(time for *_, time in rows)[len(rows) // 4]
            filters = json.loads(json.dumps(FILTERS).replace("LOW", repr(middle)))
            configs = [
                {**scaling, "eval_args": split}
                for scaling, split in itertools.product(SCALINGS, SPLITS)
            ]
            configs += [
                {**scaling, **chosen, "eval_args": split}
                for scaling in SCALINGS[:2]
                for chosen in filters
                for split in (SPLITS[0], SPLITS[6])
            ]
            configs.append({**SCALINGS[1], **SCALINGS[2], "eval_args": SPLITS[0]})
            configs.append({"normalize_field": ["timestmap"], "eval_args": SPLITS[0]})
            outcomes: list[dict] = []
            places: list[int] = []
            for config in configs:
                made = outcome(kind, Path(place), config)
                if made not in outcomes:
                    outcomes.append(made)
                places.append(outcomes.index(made))
            histories: list[dict] = []
            for made in outcomes:
                if "histories" in made:
                    if made["histories"] not in histories:
                        histories.append(made["histories"])
                    made["histories"] = histories.index(made["histories"])
            found.append(
                {
                    "kind": kind,
                    "rows": [" ".join(map(str, row)) for row in rows],
                    "configs": configs,
                    "outcome_of": places,
                    "outcomes": outcomes,
                    "histories": histories,
                }
            )
            print(kind, len(configs), "configurations,", len(outcomes), "outcomes")
        sizes = counted(Path(place))
        TARGET.with_name("recbole_sizes.json").write_text(json.dumps(sizes) + "\n")
    lines = [json.dumps(each, separators=(",", ":")) for each in found]
    TARGET.write_text("[\n" + ",\n".join(lines) + "\n]\n")


main()
