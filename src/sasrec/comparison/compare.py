"""Trains or loads several models and ranks the targets of the same test cases with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sasrec.comparison.entries import Comparison, Measured, entries_of, timing_of
from sasrec.comparison.kept import KeptTrainings
from sasrec.comparison.remarks import remarks_on
from sasrec.comparison.trainings import Trainings, n_weights
from sasrec.data.corpus import Corpus
from sasrec.errors import DataError, Interrupted, ModelError, SettingsError
from sasrec.evaluation.protocol import describe_protocol
from sasrec.evaluation.registration import rank_metric
from sasrec.evaluation.slices import slices_of
from sasrec.experiment.measuring import baseline_reports, measured
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings, split_settings
from sasrec.settings.files import Layer
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.output import OutputSettings
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings, known_keys, our_name, resolve_layers
from sasrec.system.memory import peak_bytes, reset_peak
from sasrec.training.progress import Observer

DEFAULT_MODEL = "SASRec"
SHARED = (DataSettings, EvaluationSettings, OutputSettings)
"""Groups of settings that all models share."""


def compare_models(
    corpus: Corpus,
    models: Sequence[str],
    *,
    settings: Sequence[Layer],
    seeds: Sequence[int],
    observer: Callable[[str, int], Observer],
    saved: Mapping[str, Recommender] | None = None,
    kept: KeptTrainings | None = None,
) -> Comparison:
    """Train models on a data set, or load them, and rank the same test cases with each.

    Args:
        corpus: The data set.
        models: Names of the models to train; the baselines are always added.
        settings: Layers of settings, from the weakest to the strongest. A setting that only some
            models have applies to those.
        seeds: Each model is trained once with each seed.
        observer: Model name and seed to an observer of that training.
        saved: Saved models from ``load_saved``, by their names in the comparison.
        kept: Finished trainings on disk, which are not repeated; None keeps none.

    Returns:
        The comparison.

    Raises:
        SettingsError: No model has a setting, or a metric is not computed from ranks.
        Interrupted: The user stopped it; half-trained models are not compared.
        ModelError: A training failed.
    """  # by settings_of_all and compared_metrics
    runs = settings_of_all(settings, models)
    first = protocol_of(settings, models)
    keys = compared_metrics(first)
    prepared = require_test_cases(prepare(corpus, first))
    work = Trainings(prepared, observer, kept)
    results: dict[str, Measured] = {}
    counting: list[str] = []
    try:
        work.begin(runs, seeds)
        for run in work.runs:
            own = results.setdefault(run.model_name, Measured(settings=run.given()))
            for seed in seeds:
                own.add(work.outcome(run, seed))
        for name, known in (saved or {}).items():
            results[name] = _saved_model_measured(name, known, prepared)
        for report in baseline_reports(prepared):
            results[report.model] = Measured([report.ranks["test"]])
            counting.append(report.model)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(
            f"the comparison was interrupted before it had a result; {work.progress()}"
        ) from None
    protocol, dataset = describe_protocol(corpus, first.evaluation), report.dataset
    slices = slices_of(prepared.split, prepared.counts)
    entries = entries_of(results, keys, slices, baselines=counting)
    sizes = {name: int(mask.sum()) for name, mask in slices.items()}
    remarks = remarks_on(entries, keys[0], counting)
    return Comparison(dataset, protocol, tuple(seeds), keys, entries, sizes, remarks)


def _saved_model_measured(name: str, known: Recommender, prepared: Prepared) -> Measured:
    """Return the ranks that a saved model gives to the targets of the test cases."""
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
    )


def compared_metrics(run: RunSettings) -> tuple[str, ...]:
    """Return the metrics to compare.

    Args:
        run: Settings with metrics and cut-offs.

    Returns:
        Keys such as ``ndcg@10``.

    Raises:
        SettingsError: A metric is not a mean over test cases.
    """
    others = [name for name in run.evaluation.metrics if rank_metric(name) is None]
    if others:
        raise SettingsError(
            f"metric {others[0]!r} is not a mean over test cases, so it cannot be compared; "
            "remove it from 'metrics'"
        )
    return tuple(f"{name}@{k}" for name in run.evaluation.metrics for k in run.evaluation.topk)


def require_test_cases(prepared: Prepared) -> Prepared:
    """Raise an error if there are no test cases.

    Args:
        prepared: The data, split.

    Returns:
        The same data.

    Raises:
        DataError: There are no test cases.
    """
    if not len(prepared.split.test):
        raise DataError(
            "this split of the data has no test cases, so models cannot be compared; choose "
            "another split, or give more data"
        )
    return prepared


def protocol_of(settings: Sequence[Layer], models: Sequence[str]) -> RunSettings:
    """Return the settings of data and evaluation, which are the same for all models.

    Args:
        settings: For all models, from the weakest to the strongest.
        models: Names of the models to train; may be empty.

    Returns:
        The settings of the first model; those of data and evaluation are the same for the others.
    """
    return run_settings(models[0] if models else DEFAULT_MODEL, settings, models)


def run_settings(name: str, settings: Sequence[Layer], models: Sequence[str]) -> RunSettings:
    """Return a model's settings, without keys that only other models of the comparison have.

    Args:
        name: The model.
        settings: For all models, from the weakest to the strongest.
        models: All models of the comparison.

    Returns:
        The settings.
    """
    own = known_keys(name)
    others = frozenset(key for model in models for key in known_keys(model)) - own
    layers = [  # with the keys of all models, so that each unknown key gets the same hint
        replace(
            layer,
            values={k: v for k, v in layer.values.items() if k not in others},
            other_keys=others,
        )
        for layer in settings
    ]
    return resolve_layers(layers, name, DEFAULT if name == DEFAULT_MODEL else None)


def settings_of_all(settings: Sequence[Layer], models: Sequence[str]) -> list[RunSettings]:
    """Return the settings of each model.

    Args:
        settings: For all models, from the weakest to the strongest.
        models: Names of the models to train.

    Returns:
        Settings in the order of the models.

    Raises:
        SettingsError: A setting is wrong; the error lists the mistakes for all models.
    """  # by Mistakes.raise_all
    mistakes = Mistakes()
    runs = []
    for name in models:
        with mistakes.collected():
            runs.append(run_settings(name, settings, models))
    mistakes.raise_all()
    return runs


def check_given(settings: Sequence[Layer], models: Sequence[str]) -> None:
    """Raise an error for a setting that no model to train has, only other models.

    Args:
        settings: For all models.
        models: Names of the models to train; saved models keep their own settings.

    Raises:
        SettingsError: There is such a setting.
    """  # raised in Mistakes.raise_all
    shared = {key for group in SHARED for key in group.model_fields}
    all_keys = {key for model in (*MODELS.built_in, *models) for key in known_keys(model)}
    used_keys = {key for model in models for key in known_keys(model)}
    mistakes = Mistakes()
    for layer in settings:
        for key in layer.values:
            if key in all_keys - used_keys and our_name(key, DEFAULT_MODEL) not in shared:
                trained = ", ".join(models) or "none"
                where = layer.origin_of(key).within
                mistakes.add(
                    f"{key!r} {where} has no effect: no model to train ({trained}) has this "
                    "setting, and saved models keep their own; remove it"
                )
    mistakes.raise_all()


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
