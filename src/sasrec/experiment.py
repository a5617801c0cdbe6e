"""Experiment: the wiring. Settings and data in; a recommender and reports out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from sasrec.data.batching import Collator, TrainingBatches
from sasrec.data.negatives import uniform
from sasrec.data.sequences import Corpus
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Split, make_split
from sasrec.errors import SettingsError, did_you_mean
from sasrec.evaluation.metrics import SMALLER_IS_BETTER, check_names, split_key
from sasrec.evaluation.report import Report, environment, evaluate_model, measure
from sasrec.model_folder import check_target
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import item_counts
from sasrec.recommender import Recommender
from sasrec.registry import BASELINES, LOSSES, MODEL_SETTINGS, MODELS, resolve
from sasrec.settings import DataSettings, EvaluationSettings, Settings, TrainingSettings
from sasrec.training.progress import LogObserver, Observer
from sasrec.training.trainer import Loss, Trained, fit, pick_device, pick_precision

if TYPE_CHECKING:
    from sasrec.data.sources import Source


@dataclass(frozen=True, slots=True)
class RunSettings:
    """All settings of one run, by group."""

    model_name: str
    data: DataSettings
    model: Settings
    training: TrainingSettings
    evaluation: EvaluationSettings

    def groups(self) -> dict[str, Settings]:
        """Return the groups by name."""
        return {
            "data": self.data,
            "model": self.model,
            "training": self.training,
            "evaluation": self.evaluation,
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything in types JSON has."""
        groups = {name: group.model_dump(mode="json") for name, group in self.groups().items()}
        return {"model_name": self.model_name, **groups}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training came to.

    Attributes:
        recommender: Ready for use.
        reports: The model's, then the baselines', on the same cases.
        trained: Epoch by epoch.
        folder: Where the model was saved, or None.
    """

    recommender: Recommender
    reports: list[Report]
    trained: Trained
    folder: Path | None = field(default=None)


def resolve_settings(values: Mapping[str, Any] | None = None, model: str = "SASRec") -> RunSettings:
    """Sort flat values into their groups and check them.

    Our names and RecBole's are both understood, as ``batch_size`` and ``train_batch_size``.

    Args:
        values: Setting to value; what is absent takes its default.
        model: Name of the model.

    Returns:
        The settings.

    Raises:
        SettingsError: A key is unknown, given under two names, or has a value out of range.
    """
    classes: dict[str, type[Settings]] = {
        "data": DataSettings,
        "model": resolve("model", MODEL_SETTINGS, model),
        "training": TrainingSettings,
        "evaluation": EvaluationSettings,
    }
    owner = {name: (group, name) for group, kind in classes.items() for name in kind.model_fields}
    owner |= {
        alias: (group, name)
        for group, kind in classes.items()
        for name, rule in kind.model_fields.items()
        if isinstance(rule.json_schema_extra, dict)
        and isinstance(alias := rule.json_schema_extra.get("recbole"), str)
    }
    if not isinstance(values, Mapping | None):
        raise SettingsError(f"settings are a dict of names to values, not {values!r}")
    flat: dict[str, dict[str, Any]] = {group: {} for group in classes}
    written: dict[str, str] = {}
    for key, value in (values or {}).items():
        if key not in owner:
            raise SettingsError(f"unknown key {key!r}{did_you_mean(str(key), owner)}")
        group, name = owner[key]
        if name in flat[group]:
            raise SettingsError(f"{written[name]!r} and {key!r} are the same setting; keep one")
        flat[group][name], written[name] = value, key
    checked = {group: _validated(kind, flat[group], written) for group, kind in classes.items()}
    run = RunSettings(model, **checked)  # type: ignore[arg-type]  # each group has its class
    check_names(run.evaluation.metrics)
    split_key(run.evaluation.valid_metric)
    return run


def _validated(kind: type[Settings], values: dict[str, Any], written: dict[str, str]) -> Settings:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(message) from None
        name = str(first["loc"][0])
        choices = first.get("ctx", {}).get("expected", "").replace("'", "").replace(" or ", ", ")
        hint = did_you_mean(str(first["input"]), filter(None, choices.split(", ")))
        raise SettingsError(
            f"{written.get(name, name)} is {_shortened(first['input'])}: {message}{hint}"
        ) from None


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text):,} characters)"


def train(
    data: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Recommender:
    """Train SASRec on a data set and return a recommender.

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        settings: Setting to value, such as ``{"epochs": 20}``; the rest takes its default.
        out: Folder to save the model in; None saves nothing.
        overwrite: Replace a model already in ``out``.
        observer: Told how training goes; None writes to the log.

    Returns:
        The recommender; its ``metrics`` hold validation and test figures beside two baselines.

    Raises:
        SasrecError: Settings or data cannot be used, or the model cannot be saved.
    """  # raised by the parts
    run = resolve_settings(settings)
    if out is not None:
        check_target(Path(out), overwrite=overwrite)
    corpus = load_corpus(data, run.data)
    outcome = run_experiment(corpus, run, observer=observer or LogObserver())
    if out is not None:
        outcome.recommender.save(out, overwrite=overwrite)
    return outcome.recommender


def run_experiment(corpus: Corpus, run: RunSettings, *, observer: Observer) -> Outcome:
    """Train a model on a data set and measure it beside the baselines.

    Random numbers come from the seed in the settings; the caller's generators are left as found.

    Args:
        corpus: The data set.
        run: All settings.
        observer: Told how training goes.

    Returns:
        The outcome; nothing is written.
    """
    device = pick_device(run.training.device)
    split = make_split(corpus, run.evaluation)
    n_items = len(corpus.items)
    with torch.random.fork_rng():
        torch.manual_seed(run.training.seed)
        model: NextItemModel = resolve("model", MODELS, run.model_name)(
            run.model, n_items=n_items, max_history=run.data.max_history
        )
        model.to(device)
        trained = fit(
            model,
            training_batches(split, run),
            training_loss(run.training, n_items=n_items, device=device),
            validate=validator(model, split, run, device=device),
            settings=run.training,
            observer=observer,
        )
    model.eval()
    reports = [evaluate(run.model_name, model, corpus, split, run=run, device=device)]
    for name in BASELINES:
        baseline: NextItemModel = resolve("baseline", BASELINES, name)(split, n_items).to(device)
        reports.append(evaluate(name, baseline, corpus, split, run=run, device=device))
    recommender = Recommender(
        model=model,
        items=corpus.items,
        counts=item_counts(split, n_items),
        titles=corpus.titles,
        settings={**run.as_json(), "source": corpus.source},
        metrics=_metrics(reports, trained),
        environment={
            **environment(),
            "device": device.type,
            "precision": pick_precision(run.training.precision, device),
        },
    )
    return Outcome(recommender, reports, trained)


def training_batches(split: Split, run: RunSettings) -> TrainingBatches:
    """Return where the epochs of a run come from.

    Args:
        split: What trains.
        run: All settings.

    Returns:
        The batches.
    """
    return TrainingBatches(
        split,
        max_history=run.data.max_history,
        context=min(int(run.training.context * run.data.max_history), run.data.max_history - 1),
        batch_size=run.training.batch_size,
        collator=Collator(split.sequences),
    )


def training_loss(settings: TrainingSettings, *, n_items: int, device: torch.device) -> Loss:
    """Return the loss a run lowers, with negatives drawn where it needs them.

    Args:
        settings: The loss by name, and the seed.
        n_items: Items in the catalogue, padding not counted.
        device: Where negatives are drawn.

    Returns:
        From states, targets and item table to a scalar.

    Raises:
        SettingsError: The loss needs a second item and there is none.
    """
    loss: Callable[..., torch.Tensor] = resolve("loss", LOSSES, settings.loss)
    if settings.loss == "CE":
        return loss
    if n_items < 2:
        raise SettingsError("loss BPR needs at least two items to draw a negative from")
    generator = torch.Generator(device).manual_seed(settings.seed)

    def against_negatives(
        hidden: torch.Tensor, targets: torch.Tensor, table: torch.Tensor
    ) -> torch.Tensor:
        negatives = uniform(targets, n_items=n_items, count=1, generator=generator)
        return loss(hidden, targets, table, negatives)

    return against_negatives


def validator(
    model: NextItemModel, split: Split, run: RunSettings, *, device: torch.device
) -> Callable[[], float] | None:
    """Return a function that measures the watched metric, higher being better.

    Args:
        model: Being trained.
        split: Its validation cases.
        run: The watched metric.
        device: Where to compute.

    Returns:
        The function, or None if there are no validation cases.
    """
    if not len(split.validation):
        return None
    name, k = split_key(run.evaluation.valid_metric)
    only = EvaluationSettings(metrics=(name,), topk=(k,), valid_metric=f"{name}@{k}")
    counts = item_counts(split, model_items(model))
    sign = -1.0 if name in SMALLER_IS_BETTER else 1.0

    def score() -> float:
        values, _ = measure(
            model,
            split,
            split.validation,
            settings=only,
            counts=counts,
            max_history=run.data.max_history,
            device=device,
        )
        return sign * values[f"{name}@{k}"]

    return score


def model_items(model: NextItemModel) -> int:
    """Return the size of a model's catalogue, padding not counted.

    Args:
        model: With an item table.

    Returns:
        Number of items.

    Raises:
        SettingsError: The model has no item table.
    """
    if model.item_table is None:
        raise SettingsError(f"{type(model).__name__} has no item table to train against")
    return len(model.item_table) - 1


def evaluate(
    name: str,
    model: NextItemModel,
    corpus: Corpus,
    split: Split,
    *,
    run: RunSettings,
    device: torch.device,
) -> Report:
    """Measure a model on a data set's validation and test cases.

    Args:
        name: What to call the model.
        model: On ``device``.
        corpus: The data set.
        split: Its cases.
        run: Metrics, cut-offs, longest history.
        device: Where to compute.

    Returns:
        The report.
    """
    return evaluate_model(
        name,
        model,
        corpus,
        split,
        settings=run.evaluation,
        counts=item_counts(split, len(corpus.items)),
        max_history=run.data.max_history,
        device=device,
    )


def _metrics(reports: list[Report], trained: Trained) -> dict[str, Any]:
    return {
        "reports": [report.as_json() for report in reports],
        "best_epoch": trained.best_epoch,
        "stopped_because": trained.stopped_because,
        "epochs": [
            {
                "epoch": each.epoch,
                "loss": each.loss,
                "seconds": each.seconds,
                "score": each.score,
            }
            for each in trained.epochs
        ],
    }
