"""Saved models in a comparison: they are loaded, checked, and measured on the test cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sasrec.comparison.entries import Measured, timing_of
from sasrec.comparison.inputs import saved_without
from sasrec.comparison.trainings import n_weights
from sasrec.data.corpus import Corpus
from sasrec.errors import ModelError
from sasrec.experiment.measuring import measured
from sasrec.experiment.prepared import Prepared
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.settings.evaluation import split_settings
from sasrec.settings.resolve import RunSettings
from sasrec.system.memory import peak_bytes, reset_peak


def load_saved(path: Path, corpus: Corpus, run: RunSettings) -> Recommender:
    """Load a saved model, and check that it was not trained on the test cases.

    Args:
        path: Folder of the model.
        corpus: The data to test on.
        run: Settings with the split of these data.

    Returns:
        The model.

    Raises:
        ModelError: The folder holds no model, weights are NaN or infinite, or the model was
            trained on other data or another split.
    """
    recommender = load(path)
    reports = recommender.metrics.get("reports") or [{}]
    fingerprint = corpus.sequences.fingerprint()
    if reports[0].get("dataset", {}).get("fingerprint") != fingerprint:
        raise ModelError(
            f"{path} was not trained on {corpus.name} with these data settings, so it may have "
            "been trained on test targets; give the data settings it was trained with, or train it "
            "again"
        )
    if not all(weight.isfinite().all() for weight in recommender.model.parameters()):
        raise ModelError(f"{path} holds weights that are NaN or infinite; train it again")
    if len(recommender.items) != len(corpus.items):
        raise ModelError(
            f"{path} was trained with {len(recommender.items):,} items, and {corpus.name} has "
            f"{len(corpus.items):,} with these data settings, as items with content count too; "
            "give the content_columns and item_vectors it was trained with, or train it again"
        )
    own, given = recommender.settings["evaluation"], run.as_json()["evaluation"]
    parts = recommender.settings["data"].get("split_files"), run.as_json()["data"]["split_files"]
    if parts[0] != parts[1]:
        raise ModelError(
            f"{path} was trained with split_files {parts[0]!r}, not {parts[1]!r}, so its test "
            "cases differ; use the same --split_files, or train it again"
        )
    for key, value in split_settings(own).items():
        if value != given[key]:
            raise ModelError(
                f"{path} was trained with {key} {value!r}, not {given[key]!r}, so its test "
                f"cases differ; use the same --{key}, or train it again"
            )
    return recommender


def saved_model_measured(name: str, known: Recommender, prepared: Prepared) -> Measured:
    """Return the ranks that a saved model gives to the targets of the test cases.

    Args:
        name: Name of the model in the comparison.
        known: The model.
        prepared: The data, split.

    Returns:
        The ranks, with the costs of its training.
    """
    reset_peak()
    timing = timing_of(known.metrics)
    data = prepared.run.data.model_copy(update={"max_history": known.max_history})
    own = replace(prepared, run=replace(prepared.run, data=data))
    network = known.model.to(prepared.device)
    report = measured(own, name, network)
    return Measured(
        ranks=[report.ranks["test"]],
        timings=[] if timing is None else [timing],
        parameters=n_weights(network),
        peak=peak_bytes() / 1e6,
        saved=True,
        unused=saved_without(known, prepared.run.data),
    )
