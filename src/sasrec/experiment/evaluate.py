"""evaluate: measure a saved model and the baselines on any data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.movielens import Progress
from sasrec.data.presplit.sources import as_parts
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, printable
from sasrec.evaluation.baseline_check import worse_than_counts
from sasrec.evaluation.report import Report
from sasrec.evaluation.text import reports_as_text, short_metrics
from sasrec.experiment.data_reading import GIVEN, SAVED, data_settings_of
from sasrec.experiment.known_data import (
    check_known_items,
    name_of,
    source_for,
    with_model_numbers,
)
from sasrec.experiment.measuring import baseline_reports, measured
from sasrec.experiment.overlap_check import check_overlap
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.content import WITHOUT_CONTENT
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.files import Layer
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.layers import classes_of, merge_layers, names_of
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.plugins import PLUGINS_KEY, require_parts
from sasrec.settings.resolve import RunSettings, resolve_layers

if TYPE_CHECKING:
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)
OTHER_KEYS = ("device", "gpu_id", "deterministic", "decimals")
"""Settings that evaluation uses, besides those of the groups data and evaluation."""


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """Metrics of a saved model and of the baselines.

    Attributes:
        report: Report of the model.
        baselines: Reports of the baselines, on the same cases.
        remarks: Possible problems with the data, and their overlap with the training data.
        overlap: Shares of the evaluated events that the model was trained on; None if the data
            and split are those of its training, or if the overlap is zero or unknown.
        decimals: Decimal places for printing metrics.
    """

    report: Report
    baselines: list[Report]
    remarks: list[Remark] = field(default_factory=list)
    overlap: dict[str, Any] | None = None
    decimals: int = 4

    def __str__(self) -> str:
        """Return tables of the validation and test metrics, and the remarks."""
        notes = [f"note: {printable(remark.text)}" for remark in self.remarks]
        return "\n".join([reports_as_text(self.reports, self.decimals), *notes])

    def __repr__(self) -> str:
        """Return one line: the model, the data and the test metrics."""
        values = short_metrics(self.report.test, self.decimals)
        name = self.report.dataset["name"]
        return printable(f"<Evaluation of {self.report.model} on {name}, test: {values}>")

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the tables in IPython and notebooks."""
        printer.text("Evaluation(...)" if cycle else str(self))

    @property
    def reports(self) -> list[Report]:
        """The model's report, then the baselines'."""
        return [self.report, *self.baselines]

    def as_json(self) -> dict[str, Any]:
        """Return the model's report, the baselines' and the remarks, in types JSON has."""
        return {
            **self.report.as_json(),
            "baselines": [each.as_json() for each in self.baselines],
            "remarks": [remark.as_json() for remark in self.remarks],
            "overlap": self.overlap,
        }


def evaluate(
    model: Recommender | str | Path,
    data: Source | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    valid: Source | None = None,
    test: Source | None = None,
    **keywords: Unpack[Keywords],
) -> Evaluation:
    """Measure a saved model on the validation and test events of a data set.

    >>> evaluate("saved/films", topk=(5, 10)).report.test["ndcg@10"]  # doctest: +SKIP
    0.0719

    Args:
        model: A recommender, or the folder of one.
        data: A name, a path or a data frame; None uses the data the model was trained on.
        settings: Settings of data and evaluation, and ``device``, ``gpu_id``, ``deterministic``
            and ``decimals``; the default is the value the model was trained with.
        valid: Events to validate on, if the data are split already, as for ``train``.
        test: Events to test on, likewise.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        Reports of the model and of the baselines, and remarks.

    Raises:
        DataError: A part is given without the training part.
        SasrecError: Settings, data or the model cannot be used.
    """  # raised by the parts
    recommender = model if isinstance(model, Recommender) else load(model)
    folder = None if isinstance(model, Recommender) else Path(model)
    if data is None and (valid is not None or test is not None):
        raise DataError("valid and test are parts of data; give the training part as data=")
    data = as_parts(data, valid, test)
    return evaluate_with(recommender, data, given_layers(settings, keywords, GIVEN), folder=folder)


def evaluate_with(
    recommender: Recommender,
    data: Source | None,
    layers: Sequence[Layer],
    *,
    folder: Path | None = None,
    fetching: Progress = lambda done, total: None,
) -> Evaluation:
    """Measure a saved model with settings from several sources.

    Args:
        recommender: The model; it is on its own device again afterwards.
        data: A name, a path or a data frame; None uses the data the model was trained on.
        layers: Settings of data, evaluation and device; a later layer overrides an earlier one.
        folder: Folder of the model, for error texts.
        fetching: Called with the progress of a download.

    Returns:
        Reports and remarks.
    """
    run = _settings_for(recommender, layers, "the model" if folder is None else folder)
    source = source_for(recommender, data)
    original = load_corpus(source, run.data, fetching)
    corpus, unknown = with_model_numbers(original, recommender)
    check_known_items(corpus, source)
    prepared = prepare(corpus, run)
    _check_cases(prepared, source)
    overlap_remarks, shares = check_overlap(recommender, run, name_of(source), original, prepared)
    return _evaluated(
        prepared, recommender, [*original.remarks, *unknown, *overlap_remarks], shares
    )


def _check_cases(prepared: Prepared, source: Source) -> None:
    """Raise an error if there is nothing to evaluate on.

    Raises:
        DataError: The split has neither validation nor test targets.
    """
    if not len(prepared.split.validation) and not len(prepared.split.test):
        raise DataError(
            f"{name_of(source)} has no event to evaluate on with "
            f"split={prepared.run.evaluation.split}; choose another split, such as "
            "split=leave_one_out, and data that the model was not trained on"
        )


def _evaluated(
    prepared: Prepared,
    recommender: Recommender,
    remarks: list[Remark],
    shares: dict[str, Any] | None,
) -> Evaluation:
    """Return reports of the model, with item counts of its training, and of the baselines."""
    own = replace(prepared, counts=recommender.counts)
    weight = next(recommender.model.parameters(), None)
    device = None if weight is None else weight.device
    network = recommender.model.to(prepared.device)
    try:
        report = measured(own, recommender.settings["model_name"], network)
    finally:
        if device is not None:
            network.to(device)
    baselines = baseline_reports(prepared)
    worse = worse_than_counts([report, *baselines], prepared.run.evaluation.valid_metric)
    log_remarks(worse, prepared.corpus.name)
    return Evaluation(
        report, baselines, [*remarks, *worse], shares, prepared.run.evaluation.decimals
    )


def _settings_for(
    recommender: Recommender, layers: Sequence[Layer], shown: str | Path
) -> RunSettings:
    """Return the settings of an evaluation; all mistakes in them are reported together.

    Args:
        recommender: The model.
        layers: Settings of data, evaluation and device; a later layer overrides an earlier one.
        shown: What the model is called in error texts.

    Returns:
        The settings of the model's training, overridden by the layers.

    Raises:
        SettingsError: A setting is wrong, only affects training, or cannot be changed.
    """  # raised in Mistakes.raise_all
    saved = recommender.settings
    if not any("metrics" in layer.values for layer in layers):
        require_parts(saved.get(PLUGINS_KEY, []), ["metric"], shown)
    mistakes = Mistakes()
    accepted = [_without_training(layer, saved["model_name"], mistakes) for layer in layers]
    before = Layer(SAVED, {**data_settings_of(recommender), **saved["evaluation"]})
    runs = []
    with mistakes.collected():
        run = resolve_layers([before, *accepted], saved["model_name"], inputs="optional")
        runs.append(run)
        own = recommender.max_history
        if run.data.max_history != own:
            mistakes.add(
                f"this model has max_history={own}, which cannot be changed; train another model "
                f"with max_history={run.data.max_history}"
            )
    mistakes.raise_all()
    [run] = runs
    if run.without_effect:
        logger.warning("settings without effect: %s", ", ".join(run.without_effect))
    return run


def _without_training(layer: Layer, model: str, mistakes: Mistakes) -> Layer:
    """Return a layer without settings that only affect training; each of them is a mistake.

    Their values are not checked against the model's, which are not among the settings here.

    Args:
        layer: The layer, with keys as written.
        model: Name of the model.
        mistakes: Receives the settings that only affect training.

    Returns:
        The layer with the other settings.
    """
    names = names_of(classes_of(model))
    used = {*DataSettings.model_fields, *EvaluationSettings.model_fields, *OTHER_KEYS}
    used -= WITHOUT_CONTENT.keys()
    rejected = set()
    for name, origin in merge_layers([layer], names, Mistakes()).origins.items():
        if name not in used:
            is_word = origin.kind == "command line"
            what = f"--{origin.key or name}" if is_word else f"{name} in {origin}"
            mistakes.add(
                f"{what} only changes training; a saved model accepts settings of data and "
                "evaluation"
            )
            rejected.add(origin.key or name)
    return replace(layer, values={k: v for k, v in layer.values.items() if k not in rejected})
