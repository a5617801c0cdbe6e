"""Trains RecTools' SASRec in its own environment; run by peers.py in a separate process.

Prints one line of JSON: for each epoch the seconds of training and the validation NDCG@10, the
number of targets per epoch, and peak memory. The validation targets are the second-to-last events
of the users, ranked among all items; validation is not included in the seconds.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

LENGTH = 50


class EpochRecorder(Callback):
    """Times and validates each epoch."""

    def __init__(self) -> None:
        """Start without measurements."""
        self.histories: list = []
        self.targets: list = []
        self.rows: list = []

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop the clock, then validate."""
        seconds = time.perf_counter() - self.started
        self.rows.append({"seconds": seconds, "ndcg": self.ndcg(module)})

    @torch.no_grad()
    def ndcg(self, module: LightningModule) -> float:
        """Return NDCG@10 of the validation targets; ties count against the target."""
        numbers = module.data_preparator.item_id_map.to_internal.to_dict()
        network = module.torch_model.eval()
        items = network.item_model.get_all_embeddings()
        gains = []
        for begin in range(0, len(self.histories), 256):
            x = torch.zeros(len(self.histories[begin : begin + 256]), LENGTH, dtype=torch.long)
            for row, history in enumerate(self.histories[begin : begin + 256]):
                known = [numbers[item] for item in history if item in numbers]
                x[row, LENGTH - len(known) :] = torch.tensor(known)
            state = network.encode_sessions({"x": x}, items)[:, -1]
            scores = state @ items.T
            goal = torch.tensor(
                [numbers.get(item, 0) for item in self.targets[begin : begin + 256]]
            )
            own = scores.gather(1, goal[:, None])
            own[goal == 0] = -torch.inf  # items without training events rank last
            scores[:, 0] = -torch.inf  # padding
            rank = (scores >= own).sum(1)
            gains.append(torch.where(rank <= 10, 1 / torch.log2(rank + 1.0), 0.0))
        network.train()
        return float(torch.cat(gains).mean())


recorder = EpochRecorder()


def make_trainer(epochs: int) -> Trainer:
    """Return a trainer with the callback; RecTools needs an importable function."""
    return Trainer(
        max_epochs=epochs,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        enable_checkpointing=False,
        callbacks=[recorder],
        accelerator="cpu",
    )


def main(path: str, epochs: int, blocks: int, heads: int, dropout: float, seed: int) -> None:
    """Train the model and print the measurements."""
    seed_everything(seed, verbose=False)
    frame = pd.read_csv(path, sep="\t", dtype=str).rename(columns=lambda name: name.split(":")[0])
    frame["timestamp"] = frame["timestamp"].astype(float)
    frame = frame.sort_values("timestamp", kind="stable")
    back = frame.groupby("user_id").cumcount(ascending=False)
    long = frame.groupby("user_id")["user_id"].transform("size") >= 3
    train = frame[(back >= 2) | ~long]
    histories = train[long].groupby("user_id")["item_id"].agg(lambda x: x.tolist()[-LENGTH:])
    goals = frame[(back == 1) & long].set_index("user_id")["item_id"]
    recorder.histories = histories.tolist()
    recorder.targets = goals[histories.index].tolist()
    events = pd.DataFrame(
        {
            Columns.User: train["user_id"],
            Columns.Item: train["item_id"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(train["timestamp"], unit="s"),
        }
    )
    model = SASRecModel(
        n_factors=64,
        n_blocks=blocks,
        n_heads=heads,
        dropout_rate=dropout,
        session_max_len=LENGTH,
        loss="softmax",
        lr=1e-3,
        batch_size=128,
        epochs=epochs,
        get_trainer_func=make_trainer,
        get_trainer_func_kwargs={"epochs": epochs},
    )
    model.fit(Dataset.construct(events))
    [used] = [
        each for each in model.fit_trainer.callbacks if isinstance(each, EpochRecorder)
    ]  # a copy
    taken = np.minimum(train.groupby("user_id").size(), LENGTH + 1) - 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "epochs": used.rows,
                "targets": int(taken.sum()),
                "cases": len(goals),
                "peak_bytes": memory,
            }
        )
    )


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), 2020)
