"""Trains or loads several models and ranks the targets of the same test cases with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sasrec.comparison.entries import Comparison, Measured, entries_of
from sasrec.comparison.inputs import input_remarks, measured_so_far
from sasrec.comparison.kept import KeptTrainings
from sasrec.comparison.remarks import remarks_on
from sasrec.comparison.saved_models import saved_model_measured
from sasrec.comparison.trainings import Trainings
from sasrec.data.corpus import Corpus
from sasrec.errors import DataError, Interrupted, SettingsError
from sasrec.evaluation.protocol import describe_protocol
from sasrec.evaluation.registration import rank_metric
from sasrec.evaluation.slices import slices_of
from sasrec.experiment.measuring import baseline_reports
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.files import Layer
from sasrec.settings.inputs import wasted_inputs
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.output import OutputSettings
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings, known_keys, our_name, resolve_layers
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
            own = results.setdefault(run.model_name, measured_so_far(run))
            for seed in seeds:
                own.add(work.outcome(run, seed))
        for name, known in (saved or {}).items():
            results[name] = saved_model_measured(name, known, prepared)
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
    remarks = (*input_remarks(entries, first.data), *remarks_on(entries, keys[0], counting))
    return Comparison(dataset, protocol, tuple(seeds), keys, entries, sizes, remarks)


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
    return resolve_layers(
        layers, name, DEFAULT if name == DEFAULT_MODEL else None, inputs="optional"
    )


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


def check_inputs_used(runs: Sequence[RunSettings]) -> None:
    """Raise an error if the settings name an input that no model can use.

    Args:
        runs: Settings of each model to train, where no saved model is compared.

    Raises:
        SettingsError: There is such an input.
    """  # raised in Mistakes.raise_all
    mistakes = Mistakes()
    classes = {run.model_name: MODELS[run.model_name] for run in runs}
    mistakes.add_all(wasted_inputs(runs[0].data, runs[0].evaluation, classes))
    mistakes.raise_all()


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
