"""Compare: train or load several models on a data set, and rank the same targets with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sasrec.comparison.entries import Comparison, Measured, course_of, entries_of, remarks_on
from sasrec.comparison.kept import KeptTrainings
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
from sasrec.settings.evaluation import SPLIT_KEYS, EvaluationSettings
from sasrec.settings.files import Layer
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.output import OutputSettings
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import BASELINES, MODELS
from sasrec.settings.resolve import RunSettings, known_keys, our_name, resolve_layers
from sasrec.system.memory import peak_bytes, reset_peak
from sasrec.training.progress import Observer

DEFAULT_MODEL = "SASRec"
SHARED = (DataSettings, EvaluationSettings, OutputSettings)
"""Groups of settings that are of no model."""


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
        models: Names; baselines without training are always there.
        settings: For all models, from the weakest to the strongest; what only some have goes to
            those.
        seeds: Each model is trained once with each.
        observer: From model and seed to somebody who watches.
        saved: Models trained before, by the names they shall have; from ``load_saved``.
        kept: Where finished trainings are kept until the comparison is, and looked for first;
            None keeps none.

    Returns:
        The comparison.

    Raises:
        SettingsError: A setting is unknown to every model, or a metric is not about ranks.
        Interrupted: Somebody stopped it; there is no comparison of half-trained models.
        ModelError: A training went wrong.
    """  # by settings_of_all and compared_metrics
    runs = settings_of_all(settings, models)
    first = protocol_of(settings, models)
    keys = compared_metrics(first)
    prepared = tested(prepare(corpus, first))
    work = Trainings(prepared, observer, kept)
    results: dict[str, Measured] = {}
    try:
        work.begin(runs, seeds)
        for run in work.runs:
            own = results.setdefault(run.model_name, Measured(settings=run.given()))
            for seed in seeds:
                own.add(work.outcome(run, seed))
        for name, known in (saved or {}).items():
            results[name] = _measured_again(name, known, prepared)
        for report in baseline_reports(prepared):
            results[report.model] = Measured([report.ranks["test"]])
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(
            f"the comparison was stopped, so there is no table; {work.left()}"
        ) from None
    protocol, dataset = describe_protocol(corpus, first.evaluation), report.dataset
    slices = slices_of(prepared.split, prepared.counts)
    entries = entries_of(results, keys, slices)
    sizes = {name: int(mask.sum()) for name, mask in slices.items()}
    remarks = remarks_on(entries, keys[0], list(BASELINES))
    return Comparison(dataset, protocol, tuple(seeds), keys, entries, sizes, remarks)


def _measured_again(name: str, known: Recommender, prepared: Prepared) -> Measured:
    """Return what a model that was trained before reaches on the test cases."""
    reset_peak()
    course = course_of(known.metrics)
    data = prepared.run.data.model_copy(update={"max_history": known.max_history})
    own = replace(prepared, run=replace(prepared.run, data=data))
    network = known.model.to(prepared.device)
    report = measured(own, name, network)
    return Measured(
        ranks=[report.ranks["test"]],
        courses=[] if course is None else [course],
        parameters=n_weights(network),
        peak=peak_bytes() / 1e6,
        saved=True,
    )


def compared_metrics(run: RunSettings) -> tuple[str, ...]:
    """Return the metrics to compare.

    Args:
        run: Metrics and cut-offs.

    Returns:
        Keys such as ``ndcg@10``.

    Raises:
        SettingsError: A metric is no mean over cases.
    """
    odd = [name for name in run.evaluation.metrics if rank_metric(name) is None]
    if odd:
        raise SettingsError(f"{odd[0]} is no mean over cases, so it cannot be compared")
    return tuple(f"{name}@{k}" for name in run.evaluation.metrics for k in run.evaluation.topk)


def tested(prepared: Prepared) -> Prepared:
    """Refuse data that models cannot be compared on.

    Args:
        prepared: The data, split.

    Returns:
        The same.

    Raises:
        DataError: There are no test cases.
    """
    if not len(prepared.split.test):
        raise DataError("a comparison needs test cases, and these data, split so, have none")
    return prepared


def protocol_of(settings: Sequence[Layer], models: Sequence[str]) -> RunSettings:
    """Return the settings of data and evaluation, which are the same for all models.

    Args:
        settings: For all models, from the weakest to the strongest.
        models: To be trained; may be none.

    Returns:
        Those of the first model, which the others share.
    """
    return run_settings(models[0] if models else DEFAULT_MODEL, settings, models)


def run_settings(name: str, settings: Sequence[Layer], models: Sequence[str]) -> RunSettings:
    """Return a model's settings; a key that only others of the compared know is left out.

    Args:
        name: The model.
        settings: For all models, from the weakest to the strongest.
        models: All that are compared.

    Returns:
        The settings.
    """
    own = known_keys(name)
    others = {key for model in models for key in known_keys(model)} - own
    layers = [
        replace(layer, values={k: v for k, v in layer.values.items() if k not in others})
        for layer in settings
    ]
    return resolve_layers(layers, name, DEFAULT if name == DEFAULT_MODEL else None)


def settings_of_all(settings: Sequence[Layer], models: Sequence[str]) -> list[RunSettings]:
    """Return the settings of each model that is compared.

    Args:
        settings: For all models, from the weakest to the strongest.
        models: To be trained.

    Returns:
        Settings in the order of the models.

    Raises:
        SettingsError: A setting of any model is wrong; the mistakes of all are told together.
    """  # by Mistakes.tell
    mistakes = Mistakes()
    runs = []
    for name in models:
        with mistakes.collected():
            runs.append(run_settings(name, settings, models))
    mistakes.tell()
    return runs


def check_given(settings: Sequence[Layer], models: Sequence[str]) -> None:
    """Refuse a setting of models or training that none of the trained models has.

    Args:
        settings: For all models.
        models: To be trained; others are loaded, and keep their own.

    Raises:
        SettingsError: There is such a setting.
    """  # by Mistakes.tell
    shared = {key for group in SHARED for key in group.model_fields}
    everything = {key for model in (*MODELS.built_in, *models) for key in known_keys(model)}
    having = {key for model in models for key in known_keys(model)}
    mistakes = Mistakes()
    for layer in settings:
        for key in layer.values:
            if key in everything - having and our_name(key, DEFAULT_MODEL) not in shared:
                trained = ", ".join(models) or "none"
                where = layer.origin_of(key).where
                mistakes.add(
                    f"{key!r} in {where} has no effect: none of the models that are trained "
                    f"({trained}) has it, and saved ones keep their own"
                )
    mistakes.tell()


def load_saved(path: Path, corpus: Corpus, run: RunSettings) -> Recommender:
    """Return a saved model, once it is sure that it has not seen what it is tested on.

    Args:
        path: Its folder.
        corpus: What it is tested on.
        run: How that is split.

    Returns:
        The model.

    Raises:
        ModelError: It is no model, holds NaN, or was trained on other data or another split.
    """
    recommender = load(path)
    reports = recommender.metrics.get("reports") or [{}]
    fingerprint = corpus.sequences.fingerprint()
    if reports[0].get("dataset", {}).get("fingerprint") != fingerprint:
        raise ModelError(
            f"{path} was not trained on {corpus.name} as it is read here; its targets may be among "
            "what the model has learned from"
        )
    if not all(weight.isfinite().all() for weight in recommender.model.parameters()):
        raise ModelError(f"{path} holds weights that are NaN or infinite; train it again")
    own, asked = recommender.settings["evaluation"], run.as_json()["evaluation"]
    parts = recommender.settings["data"].get("split_files"), run.as_json()["data"]["split_files"]
    if parts[0] != parts[1]:
        raise ModelError(
            f"{path} was trained with split_files {parts[0]!r}, not {parts[1]!r}, so it would be "
            "tested on other cases; give --split_files as it was, or train it again"
        )
    for key in SPLIT_KEYS:
        if own.get(key) != asked[key]:
            raise ModelError(
                f"{path} was trained with {key} {own.get(key)!r}, not {asked[key]!r}; give "
                f"--{key} as it was, or train it again"
            )
    return recommender
