"""FastAPI around the ``recommend`` of RecTools' SASRec, in its own environment; run by serving.py.

A request holds a history, which becomes a data set of one user. The weights are those of one short
epoch on random events: they do not matter for speed.
"""

import sys

import numpy as np
import pandas as pd
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from pytorch_lightning import Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

LENGTH, USER = 50, "u"
torch.set_num_threads(1)


class Asked(BaseModel):
    """A request."""

    history: list[str]
    k: int = 10


class Answer(BaseModel):
    """The items and scores of a list."""

    items: list[str]
    scores: list[float]


def quiet_trainer() -> Trainer:
    """Return a trainer for one epoch."""
    return Trainer(
        max_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        enable_checkpointing=False,
        accelerator="cpu",
    )


def data_of(histories: dict[str, list[str]]) -> Dataset:
    """Return histories as a data set."""
    users = np.repeat(list(histories), [len(each) for each in histories.values()])
    moments = np.concatenate([np.arange(len(each)) for each in histories.values()])
    events = pd.DataFrame(
        {
            Columns.User: users,
            Columns.Item: [item for each in histories.values() for item in each],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(moments, unit="s"),
        }
    )
    return Dataset.construct(events)


def trained(n_items: int) -> SASRecModel:
    """Return a model that knows all items."""
    items = [f"B{number:09d}" for number in np.random.default_rng(0).permutation(n_items)]
    histories = {f"t{n}": items[n : n + LENGTH] for n in range(0, n_items, LENGTH // 2)}
    model = SASRecModel(
        n_factors=64,
        n_blocks=1,
        n_heads=1,
        session_max_len=LENGTH,
        loss="softmax",
        batch_size=128,
        epochs=1,
        get_trainer_func=quiet_trainer,
    )
    return model.fit(data_of(histories))


def main(n_items: int, port: int) -> None:
    """Serve until the process is ended."""
    model, app = trained(n_items), FastAPI()

    @app.post("/recommend")
    def recommend(asked: Asked) -> Answer:
        found = model.recommend([USER], data_of({USER: asked.history}), asked.k, filter_viewed=True)
        return Answer(items=found[Columns.Item].tolist(), scores=found[Columns.Score].tolist())

    uvicorn.run(app, port=port, log_level="error")


main(int(sys.argv[1]), int(sys.argv[2]))
