"""A run put together by hand, as RecBole's guide "use modules" shows: data, model, trainer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
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
from sasrec.settings.registry import MODELS, model_called
from sasrec.system.device import deterministic_operations
from sasrec.training.progress import EpochResult, LogObserver


def create_dataset(config: Config) -> Dataset:
    """Return the data of a run, read and filtered, as RecBole's ``data.create_dataset``.

    Args:
        config: Names the data, and says how to read them.

    Returns:
        The data set; nothing is split yet.
    """
    return whole_of(load_corpus(config.dataset, config.run.data), config.run)


def data_preparation(config: Config, dataset: Dataset) -> tuple[Dataset, Dataset, Dataset]:
    """Return the parts of a data set, as RecBole's ``data.data_preparation``.

    Args:
        config: How to split.
        dataset: From ``create_dataset``.

    Returns:
        Training, validation and test part.
    """
    return parts_of(dataset, make_split(dataset.corpus, config.run.evaluation))


@dataclass(frozen=True, slots=True)
class ModelClass:
    """What RecBole's classes of models are asked for: a model of a configuration and data.

    Attributes:
        __name__: Name of the model.
    """

    __name__: str

    def __call__(self, config: Config, dataset: Dataset) -> NextItemModel:
        """Return a model with fresh weights, those that ``run_recbole`` begins with.

        Args:
            config: Of a run of this model.
            dataset: Its data, or a part of them.

        Returns:
            The model, on the CPU.

        Raises:
            SettingsError: The configuration is of another model.
        """
        if model_called(config.model) != self.__name__:
            raise SettingsError(
                f"the configuration is of {config.model} and the model is {self.__name__}; name "
                f"the same one: Config(model={self.__name__!r}, …)"
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
    name = model_called(model_name)
    MODELS[name]  # refuses one that is not here
    return ModelClass(name)


def get_trainer(model_type: object, model_name: str) -> type[Trainer]:
    """Return the class of the trainer, as RecBole's ``utils.get_trainer``.

    Args:
        model_type: Not looked at; one trainer trains all models.
        model_name: Of the model.

    Returns:
        The class.
    """
    get_model(model_name)
    return Trainer


class Trainer:
    """RecBole's trainer: ``fit`` trains the model it was given, ``evaluate`` measures it.

    Attributes:
        config: Of the run.
        model: Has the best weights after ``fit``.
        saved_model_file: The model folder that ``fit`` has written; empty before.
        best_valid_score: The watched metric at its best; None before, or without validation.
        best_valid_result: All metrics then.
    """

    def __init__(self, config: Config, model: NextItemModel) -> None:
        """Take the settings of a run, and a model.

        Args:
            config: The settings.
            model: From ``get_model(name)(config, dataset)``; its weights are begun with.
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
            valid_data: The validation part of the same data; None trains all epochs.
            verbose: Whether each epoch is logged.
            saved: Save the model in ``checkpoint_dir``.
            show_progress: Not looked at; epochs are logged.
            callback_fn: Called with the number of an epoch, from 0, and the watched metric.

        Returns:
            The best score, and the metrics of the validation part then.

        Raises:
            SettingsError: The parts are not of one data set.
            Interrupted: The user stopped it.
        """  # Interrupted by trained
        if valid_data is not None and valid_data.split is not train_data.split:
            raise SettingsError("train_data and valid_data come from one call of data_preparation")
        run = self.config.run
        if valid_data is None:
            never = run.training.model_copy(update={"validate_every": 0})
            run = replace(run, training=never)
        observer = _Calling(run.output.loss_decimals if verbose else None, callback_fn)
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
            load_best_model: Whether the model must have been trained; it has its best weights then.
            model_file: A model folder whose weights to take.
            show_progress: Not looked at.

        Returns:
            Key, such as ``ndcg@10``, to value.

        Raises:
            SettingsError: Nothing has been trained, or the data are not split.
        """
        if eval_data.split is None or eval_data.part not in {"valid", "test"}:
            raise SettingsError("evaluate takes the validation or test part of data_preparation")
        if model_file is not None:
            self.model.load_state_dict(load(model_file).model.state_dict())
        elif load_best_model and not self._is_trained:
            raise SettingsError(
                "nothing has been trained yet: call fit, name a model_file, or give "
                "load_best_model=False"
            )
        run, split = self.config.run, eval_data.split
        device = prepared_device(run)
        asked = run.evaluation
        against = asked.candidates if eval_data.part == "test" else asked.validated_against
        protocol = EvaluationProtocol(
            split=split,
            settings=run.evaluation,
            counts=item_counts(split, len(eval_data.corpus.items)),
            max_history=run.data.max_history,
            device=device,
        )
        with deterministic_operations(device) if run.training.deterministic else nullcontext():
            values, _ = measure(
                self.model.to(device), protocol, eval_data.cases, candidates=against
            )
        return rounded(values, run)


class _Calling(LogObserver):
    """Logs each epoch, and calls a function of the script's own."""

    def __init__(
        self, decimals: int | None, callback: Callable[[int, float | None], object] | None
    ) -> None:
        super().__init__(decimals or 0)
        self._is_silent, self._callback = decimals is None, callback

    def finished_epoch(self, result: EpochResult) -> None:
        """Log what an epoch came to, and hand it on.

        Args:
            result: Of the epoch.
        """
        if not self._is_silent:
            super().finished_epoch(result)
        if self._callback is not None:
            self._callback(result.epoch - 1, result.score)
