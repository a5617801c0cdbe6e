"""``sasrec.compare``: compares several models on one data set; it can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from sasrec.comparison.compare import (
    DEFAULT_MODEL,
    check_given,
    check_inputs_used,
    compare_models,
    compared_metrics,
    protocol_of,
    settings_of_all,
)
from sasrec.comparison.entries import Comparison
from sasrec.comparison.kept import KeptTrainings
from sasrec.comparison.result_folder import locked_result_folder, write_result
from sasrec.comparison.saved_models import load_saved
from sasrec.data.corpus import Corpus
from sasrec.data.movielens import Progress
from sasrec.data.sources import load_corpus
from sasrec.errors import SettingsError, did_you_mean
from sasrec.recommender.recommender import Recommender
from sasrec.settings.arguments import path_argument, whole_number
from sasrec.settings.files import Layer
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import Origin
from sasrec.settings.registry import BASELINES, MODELS, canonical_model
from sasrec.settings.resolve import RunSettings
from sasrec.training.bars import default_observer
from sasrec.training.progress import Observer

if TYPE_CHECKING:
    from sasrec.data.sources import Source

DEFAULT_MODELS = ("SASRec", "GRU4Rec", "FPMC", "BPR")
Protocol = Literal["full", "paper"]
PROTOCOLS: dict[str, dict[str, Any]] = {
    "full": {},
    "paper": {
        "candidates": "paper100",
        "metrics": ("hit", "ndcg"),
        "topk": (10,),
        "valid_metric": "ndcg@10",
    },
}


@dataclass(frozen=True, slots=True)
class Task:
    """What to compare, and how.

    Attributes:
        names: Names of the models to train.
        saved: Folders of saved models.
        settings: Layers of settings for all models, from the weakest to the strongest.
        seeds: Number of trainings per model, each with another seed.
        mistakes: Error texts of names of models that are unknown.
    """

    names: Sequence[str]
    saved: Sequence[Path]
    settings: Sequence[Layer]
    seeds: int
    mistakes: tuple[str, ...] = ()

    @property
    def first(self) -> RunSettings:
        """Settings of data and evaluation, which all models share."""
        return protocol_of(self.settings, self.names)

    def all_mistakes(self) -> Mistakes:
        """Return the mistakes in the names and settings."""
        mistakes = Mistakes()
        mistakes.add_all(self.mistakes)
        with mistakes.collected():
            check_given(self.settings, self.names)
        with mistakes.collected():
            runs = settings_of_all(self.settings, self.names or [DEFAULT_MODEL])
            if not self.saved:
                check_inputs_used(runs)
        return mistakes


def task_of(models: Sequence[str | Path], settings: Sequence[Layer], seeds: int) -> Task:
    """Return a task with names and folders of models as the user gave them.

    Args:
        models: Names and folders, or ``all`` alone.
        settings: Layers of settings for all models, from the weakest to the strongest.
        seeds: Number of trainings per model.

    Returns:
        The task; its mistakes are raised when it starts.
    """
    mistakes = Mistakes()
    names, folders = names_and_folders(models, mistakes)
    return Task(names, folders, settings, seeds, mistakes.texts)


def compare(
    data: Source,
    models: str | Sequence[str | Path] = DEFAULT_MODELS,
    settings: Mapping[str, Any] | None = None,
    *,
    seeds: int = 1,
    protocol: Protocol = "full",
    out: str | Path | None = None,
    **keywords: Unpack[Keywords],
) -> Comparison:
    """Train or load several models, and compare their metrics on the same test cases.

    Popularity, Markov counts and recent popularity are always compared too.

    >>> compare("ml-100k", ["SASRec", "FPMC"], seeds=3).entries  # doctest: +SKIP

    Args:
        data: A name, a path or a data frame.
        models: Model names, or folders of saved models; ``"all"`` takes every model.
        settings: Setting to value; it applies to the models that have the setting. Saved models
            keep their own.
        seeds: Number of trainings per model, each with another seed.
        protocol: ``full`` ranks targets among all items; ``paper`` among 100 sampled items, as
            in 2018.
        out: Folder for the result; it must not hold one yet. Finished trainings are kept there
            until all are done, so the same call resumes an interrupted comparison. None writes
            nothing.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        The comparison.

    Raises:
        SasrecError: A setting, the data or a saved model cannot be used.
        SettingsError: An argument has a wrong type.
        Interrupted: The user stopped it; half-trained models are not compared.
    """  # raised by the parts
    layers = [
        protocol_layer(protocol),
        *given_layers(settings, keywords, Origin("python", "the settings given")),
    ]
    if not isinstance(models, Iterable):
        raise SettingsError(f"models is {models!r}; it must be a list of model names or folders")
    parts = models.split(",") if isinstance(models, str) else models
    task = task_of(parts, layers, whole_number("seeds", seeds, least=1))
    folder = None if out is None else path_argument("out", out)
    lock = locked_result_folder(folder, task.all_mistakes, overwrite=False) if folder else None
    with lock or nullcontext():
        return compare_in(
            folder,
            data,
            task,
            lambda model, seed: default_observer(task.first.output.loss_decimals),
        )


def protocol_layer(protocol: object) -> Layer:
    """Return the evaluation settings of a protocol.

    Args:
        protocol: ``full`` or ``paper``.

    Returns:
        The weakest layer of settings, which the user's settings override; an unknown protocol is
        a mistake in it.
    """
    mistakes = Mistakes()
    name = protocol if isinstance(protocol, str) else ""
    if name not in PROTOCOLS:
        hint = did_you_mean(str(protocol), PROTOCOLS)
        mistakes.add(f"unknown protocol {protocol!r}{hint} (known: full, paper)")
    values = {"metrics": ("ndcg", "recall", "mrr"), **PROTOCOLS.get(name, {})}
    return Layer(Origin("python", "compare"), values, mistakes=mistakes.texts)


def compare_in(
    folder: Path | None,
    data: Source,
    task: Task,
    observer: Callable[[str, int], Observer],
    fetching: Progress = lambda done, total: None,
) -> Comparison:
    """Compare models; mistakes in the settings are reported before the first training.

    Args:
        folder: Folder for the result, and for finished trainings until then; None writes nothing.
        data: A name, a path or a data frame.
        task: What to compare.
        observer: Model name and seed to an observer of that training.
        fetching: Called with the progress of a download.

    Returns:
        The comparison.
    """
    task.all_mistakes().raise_all()
    first = task.first
    compared_metrics(first)
    corpus = load_corpus(data, first.data, fetching)
    saved = _loaded(task.saved, corpus, first)
    seeds = range(first.training.seed, first.training.seed + task.seeds)
    kept = None if folder is None else KeptTrainings(folder)
    try:
        found = compare_models(
            corpus,
            task.names,
            settings=task.settings,
            seeds=seeds,
            observer=observer,
            saved=saved,
            kept=kept,
        )
        if folder is not None and kept is not None:
            write_result(found, folder)
            kept.forget()
    finally:
        if kept is not None:
            kept.close()
    return found


def _loaded(paths: Sequence[Path], corpus: Corpus, first: RunSettings) -> dict[str, Recommender]:
    """Return saved models by their names in the comparison."""
    loaded = {}
    for path in paths:
        model = load_saved(path, corpus, first)
        loaded[f"{path} ({model.settings['model_name']})"] = model
    return loaded


def names_and_folders(
    models: Sequence[str | Path], mistakes: Mistakes
) -> tuple[list[str], list[Path]]:
    """Return the models to train and the folders of saved models, each once.

    Args:
        models: Names and folders, or ``all`` alone.
        mistakes: Receives names that are unknown, or that no model is given.

    Returns:
        Names as spelled in the registry, and folders of saved models.
    """
    parts = list(dict.fromkeys(str(each).strip() for each in models if str(each).strip()))
    if [part.lower() for part in parts] == ["all"]:
        return list(MODELS), []
    known = {name.lower() for name in (*MODELS, *BASELINES)}
    is_folder = {
        part: "/" in part or (part.lower() not in known and Path(part).is_dir()) for part in parts
    }
    folders = list(dict.fromkeys(Path(part) for part in parts if is_folder[part]))
    names = [canonical_model(part) for part in parts if not is_folder[part]]
    names = [name for name in dict.fromkeys(names) if name not in BASELINES]
    for name in names:
        if name not in MODELS:
            mistakes.add(
                f"unknown model {name!r}{did_you_mean(name, MODELS)} (known: {', '.join(MODELS)})"
            )
    if not names and not folders:
        mistakes.add("no model to train or load is given; give names separated by commas, or 'all'")
    return [name for name in names if name in MODELS], folders
