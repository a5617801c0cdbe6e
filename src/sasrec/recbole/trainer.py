"""RecBole's dataset, model and trainer functions, for scripts as in its guide "use modules"."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.data.target_types import asked_type, seen_events
from sasrec.errors import SettingsError
from sasrec.evaluation.measure import measure
from sasrec.evaluation.protocol import EvaluationProtocol
from sasrec.experiment.fitting import new_model
from sasrec.experiment.prepared import prepare, prepared_device
from sasrec.models.contract import NextItemModel
from sasrec.models.popularity import item_counts
from sasrec.recbole.config import Config
from sasrec.recbole.data import Dataset, parts_of, whole_of
from sasrec.recbole.training import best_score, rounded, trained
from sasrec.recommender.loading import load
from sasrec.settings.registry import MODELS, canonical_model
from sasrec.system.device import deterministic_operations
from sasrec.training.progress import EpochResult, LogObserver


def create_dataset(config: Config) -> Dataset:
    """Return the data of a run, read and filtered, as RecBole's ``data.create_dataset``.

    Args:
        config: Settings with the name of the data and how to read them.

    Returns:
        The data set, not yet split.
    """
    return whole_of(load_corpus(config.dataset, config.run.data), config.run)


def data_preparation(config: Config, dataset: Dataset) -> tuple[Dataset, Dataset, Dataset]:
    """Return the parts of a data set, as RecBole's ``data.data_preparation``.

    Args:
        config: Settings of the split.
        dataset: The data set from ``create_dataset``.

    Returns:
        Training, validation and test part.
    """
    return parts_of(dataset, make_split(dataset.corpus, config.run.evaluation))


@dataclass(frozen=True, slots=True)
class ModelClass:
    """Stands in for a model class of RecBole: it is called with a config and a data set.

    Attributes:
        __name__: Name of the model.
    """

    __name__: str

    def __call__(self, config: Config, dataset: Dataset) -> NextItemModel:
        """Return a model with new weights, the same that ``run_recbole`` starts with.

        Args:
            config: Settings of a run of this model.
            dataset: The data set of the run, or a part of it.

        Returns:
            The model, on the CPU.

        Raises:
            SettingsError: The config is for another model.
        """
        if canonical_model(config.model) != self.__name__:
            raise SettingsError(
                f"the config is for {config.model}, but the model is {self.__name__}; use "
                f"Config(model={self.__name__!r}, …)"
            )
        prepared = prepare(dataset.corpus, config.run, dataset.split)
        with torch.random.fork_rng():
            torch.manual_seed(prepared.run.training.seed)
            return new_model(prepared)


def get_model(model_name: str) -> ModelClass:
    """Return the class of a model, as RecBole's ``utils.get_model``.

    Args:
        model_name: Such as ``SASRec``.

    Returns:
        The class.
    """
    name = canonical_model(model_name)
    MODELS[name]  # refuses an unknown name
    return ModelClass(name)


def get_trainer(model_type: object, model_name: str) -> type[Trainer]:
    """Return the class of the trainer, as RecBole's ``utils.get_trainer``.

    Args:
        model_type: Ignored; one trainer trains all models.
        model_name: Name of the model.

    Returns:
        The class ``Trainer``.
    """
    get_model(model_name)
    return Trainer


class Trainer:
    """RecBole's trainer: ``fit`` trains the model, ``evaluate`` measures it.

    Attributes:
        config: Settings of the run.
        model: The model; after ``fit`` it has the best weights.
        saved_model_file: The model folder written by ``fit``; empty before.
        best_valid_score: Best value of ``valid_metric``; None before ``fit`` or without
            validation.
        best_valid_result: All validation metrics of the best epoch.
    """

    def __init__(self, config: Config, model: NextItemModel) -> None:
        """Create a trainer.

        Args:
            config: Settings of the run.
            model: A model from ``get_model(name)(config, dataset)``; training starts with its
                weights.
        """
        self.config, self.model = config, model
        self.saved_model_file = ""
        self.best_valid_score: float | None = None
        self.best_valid_result: dict[str, float] = {}
        self._is_trained = False

    def fit(
        self,
        train_data: Dataset,
        valid_data: Dataset | None = None,
        verbose: bool = True,
        saved: bool = True,
        show_progress: bool = False,
        callback_fn: Callable[[int, float | None], object] | None = None,
    ) -> tuple[float | None, dict[str, float]]:
        """Train the model, as RecBole's ``Trainer.fit``.

        Args:
            train_data: The training part.
            valid_data: The validation part of the same data; None trains all epochs without
                validation.
            verbose: Log each epoch.
            saved: Save the model in ``checkpoint_dir``.
            show_progress: Ignored; epochs are logged.
            callback_fn: Called after each epoch with its number, from 0, and ``valid_metric``.

        Returns:
            The best validation score, and all validation metrics of that epoch.

        Raises:
            SettingsError: The two parts are of different splits.
            Interrupted: The user stopped the training.
        """  # Interrupted by trained
        if valid_data is not None and valid_data.split is not train_data.split:
            raise SettingsError(
                "train_data and valid_data must come from one call of data_preparation"
            )
        run = self.config.run
        if valid_data is None:
            without_validation = run.training.model_copy(update={"validate_every": 0})
            run = replace(run, training=without_validation)
        observer = _CallbackObserver(run.output.loss_decimals if verbose else None, callback_fn)
        outcome, folder = trained(
            run, train_data.corpus, saved=saved, observer=observer, weights=self.model.state_dict()
        )
        self.model.load_state_dict(outcome.recommender.model.state_dict())
        self.model.eval()
        self.saved_model_file = "" if folder is None else str(folder)
        self.best_valid_score = best_score(outcome, run)
        self.best_valid_result = rounded(outcome.reports[0].validation, run)
        self._is_trained = True
        return self.best_valid_score, self.best_valid_result

    def evaluate(
        self,
        eval_data: Dataset,
        load_best_model: bool = True,
        model_file: str | Path | None = None,
        show_progress: bool = False,
    ) -> dict[str, float]:
        """Return the metrics of a part of the data, as RecBole's ``Trainer.evaluate``.

        Args:
            eval_data: The validation or the test part.
            load_best_model: Require that ``fit`` was called, so that the model has its best
                weights.
            model_file: A model folder whose weights are loaded instead.
            show_progress: Ignored.

        Returns:
            Metric key, such as ``ndcg@10``, to value.

        Raises:
            SettingsError: The model was not trained, or the data are not split.
        """
        if eval_data.split is None or eval_data.part not in {"valid", "test"}:
            raise SettingsError(
                "eval_data must be the validation or test part from data_preparation"
            )
        if model_file is not None:
            self.model.load_state_dict(load(model_file).model.state_dict())
        elif load_best_model and not self._is_trained:
            raise SettingsError(
                "the model is not trained yet; call fit, give a model_file, or set "
                "load_best_model=False"
            )
        run, split = self.config.run, eval_data.split
        device = prepared_device(run)
        evaluation = run.evaluation
        candidates = (
            evaluation.candidates if eval_data.part == "test" else evaluation.validation_candidates
        )
        protocol = EvaluationProtocol(
            split=split,
            settings=evaluation,
            counts=item_counts(split, len(eval_data.corpus.items)),
            max_history=run.data.max_history,
            device=device,
            asked_type=asked_type(eval_data.corpus.event_types, evaluation),
            seen_events=seen_events(eval_data.corpus, evaluation),
        )
        with deterministic_operations(device) if run.training.deterministic else nullcontext():
            values, _ = measure(
                self.model.to(device),
                protocol,
                eval_data.cases,
                candidates=candidates,
            )
        return rounded(values, run)


class _CallbackObserver(LogObserver):
    """Logs each epoch, unless silent, and calls the script's callback function."""

    def __init__(
        self, decimals: int | None, callback: Callable[[int, float | None], object] | None
    ) -> None:
        super().__init__(decimals or 0)
        self._is_silent, self._callback = decimals is None, callback

    def finished_epoch(self, result: EpochResult) -> None:
        """Log the result of an epoch, and call the callback.

        Args:
            result: The result of the epoch.
        """
        if not self._is_silent:
            super().finished_epoch(result)
        if self._callback is not None:
            self._callback(result.epoch - 1, result.score)
