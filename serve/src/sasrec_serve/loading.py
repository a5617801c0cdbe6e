"""Loading an export."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from sasrec_serve.answers import Catalogue
from sasrec_serve.errors import ExportError, SettingsError
from sasrec_serve.exported.folder import read_export
from sasrec_serve.queries import Queries
from sasrec_serve.recommender import Recommender
from sasrec_serve.rules.columns import ExportedColumns
from sasrec_serve.scoring.approximate import ApproximateVectors
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.self_check import run_check

SAMPLE, SEED = 200, 2026
"""Number of random histories that the recall of an approximate search is measured on."""


def load(folder: str | Path, *, approximate: bool = False, threads: int = 1) -> Recommender:
    """Load an export, after checking all hashes and the lists of some histories.

    Args:
        folder: A folder that ``sasrec export`` wrote.
        approximate: Search with a graph index of USearch, which finds most of the best items in
            time that hardly grows with the catalogue. The index is built now, which takes minutes
            for a million items, and ``recall`` says what share of the best ten items it finds.
            Lists of candidates are still exact.
        threads: Threads that share an exact search among 100,000 items or more, 1 or 2. Two answer
            a single request sooner; one answers more requests at the same time.

    Returns:
        The recommender.

    Raises:
        ExportError: The folder is not an export, is damaged, comes from a newer version, or does
            not recommend as the trained model does.
        SettingsError: ``threads`` is neither 1 nor 2, USearch is not installed, or the model has no
            item vectors to search among.
    """
    if not isinstance(folder, str | os.PathLike):
        raise ExportError(f"{folder!r} is not a path; give the folder of an export as text or Path")
    if type(threads) is not int or threads not in (1, 2):
        raise SettingsError(f"threads is {threads!r}; it must be 1 or 2")
    export = read_export(Path(folder).expanduser())
    vectors = None if export.vectors is None else replace(export.vectors, threads=threads)
    catalogue = Catalogue(export.items, export.trained, export.popularity)
    columns = ExportedColumns(export.item_columns, len(export.items))
    recommender = Recommender(export, catalogue, vectors, columns)
    run_check(recommender)
    return with_index(recommender) if approximate else recommender


def with_index(recommender: Recommender) -> Recommender:
    """Return a recommender that searches approximately.

    Args:
        recommender: One that searches exactly.

    Returns:
        The same model with an index.

    Raises:
        SettingsError: USearch is not installed, or the model has no item vectors.
    """
    if not isinstance(recommender.vectors, ItemVectors):
        raise SettingsError(
            f"{recommender.export.serving.model} has no item vectors, so there is no approximate "
            "search; load it without approximate"
        )
    states = typical_states(recommender)
    trained = recommender.catalogue.trained
    return replace(recommender, vectors=ApproximateVectors.of(recommender.vectors, trained, states))


def typical_states(recommender: Recommender) -> np.ndarray:
    """Return states of random histories of popular and other items, float32 [n, d].

    Args:
        recommender: The model.
    """
    random = np.random.default_rng(SEED)
    serving, catalogue = recommender.export.serving, recommender.catalogue
    numbers = np.flatnonzero(catalogue.trained)
    weights = catalogue.popularity[numbers] + 1.0
    lengths = random.integers(1, serving.max_history + 1, SAMPLE)
    items = [random.choice(numbers, length, p=weights / weights.sum()) for length in lengths]
    users = random.integers(0, serving.n_users + 1, SAMPLE)
    types = [random.integers(0, len(serving.event_types) + 1, length) for length in lengths]
    outputs = recommender.export.network.outputs(
        Queries(items, [None] * SAMPLE, users, types), serving.asked_type
    )
    return np.concatenate([output for _, output in outputs])
