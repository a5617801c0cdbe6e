"""Records RecBole's metrics with sampled candidates for users with several cases.

Writes tests/golden/recbole_sampled.json, which the tests compare with:

    .venv-recbole/bin/python benchmarks/peer_sampled.py
"""

import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

warnings.filterwarnings("ignore")
np.bool = np.bool_  # RecBole's GAUC uses the name that NumPy dropped
TARGET = Path(__file__).resolve().parent.parent / "tests" / "golden" / "recbole_sampled.json"
sys.argv = sys.argv[:1]

from recbole.config import Config  # noqa: E402
from recbole.evaluator import Collector, Evaluator  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402
from recbole.utils import EvaluatorType  # noqa: E402

METRICS = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP", "GAUC", "ItemCoverage"]
METRICS += ["AveragePopularity", "GiniIndex", "ShannonEntropy", "TailPercentage"]
N_ITEMS, NEGATIVES, TOPK = 40, 12, [1, 3, 10]


def main() -> None:
    """Write the file."""
    generator = np.random.default_rng(3)
    cases_of = [1, 3, 2, 5, 1, 4]
    users = np.repeat(np.arange(1, len(cases_of) + 1), cases_of)
    targets = generator.integers(1, N_ITEMS, len(users))
    targets[2] = targets[1]  # the same item twice, because a user may have an item more than once
    drawn = np.array(
        [generator.choice(np.delete(np.arange(1, N_ITEMS), t - 1), NEGATIVES) for t in targets]
    )
    drawn[8, 0] = targets[7]  # the target of one case is a negative of the next
    items = np.concatenate([targets[:, None], drawn], axis=1)
    scores = generator.permutation(items.size).reshape(items.shape).astype(np.float32) / 100
    counts = {
        int(item): int(n) for item, n in enumerate(generator.integers(1, 60, N_ITEMS)) if item
    }
    config = {
        "metrics": METRICS,
        "topk": TOPK,
        "metric_decimal_place": 8,
        "device": torch.device("cpu"),
        "eval_type": EvaluatorType.RANKING,
        "ITEM_ID_FIELD": "item_id",
        "eval_args": {"mode": {"valid": "uni12", "test": "uni12"}},
    }
    settings = Config(
        model="SASRec", dataset="ml-100k", config_dict={"train_neg_sample_args": None}
    )
    settings.final_config_dict.update(config)
    collector = Collector(settings)
    # Order of NegSampleEvalDataLoader: for each user, all targets, then the negatives in rounds.
    order = [
        (place, column)
        for user in np.unique(users)
        for column in range(items.shape[1])
        for place in np.flatnonzero(users == user)
    ]
    predicted = torch.tensor([float(scores[each]) for each in order])
    batch = {"item_id": torch.tensor([int(items[each]) for each in order])}
    interaction = type(
        "Batch",
        (),
        {
            "length": len(order),
            "to": lambda self, device: self,
            "__getitem__": lambda self, key: batch[key],
        },
    )()
    trainer = SimpleNamespace(
        model=SimpleNamespace(predict=lambda _: predicted),
        test_batch_size=10**9,
        tot_item_num=N_ITEMS,
        device=torch.device("cpu"),
        config=settings,
    )
    rows = torch.tensor([int(users[place]) - 1 for place, _ in order])
    positive = torch.from_numpy(users - 1), torch.from_numpy(targets)
    _, table, *_ = Trainer._neg_sample_batch_eval(trainer, (interaction, rows, *positive))
    collector.eval_batch_collect(table, interaction, *positive)
    collector.data_struct.set("data.num_items", N_ITEMS)
    collector.data_struct.set("data.count_items", counts)
    values = Evaluator(settings).evaluate(collector.data_struct)
    TARGET.write_text(
        json.dumps(
            {
                "users": users.tolist(),
                "items": items.tolist(),
                "scores": scores.tolist(),
                "counts": [0, *counts.values()],
                "topk": TOPK,
                "metrics": {key: float(value) for key, value in values.items()},
            }
        )
        + "\n"
    )


main()
