"""A trained model with everything that its folder holds, and how it is saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.data.content.columns import ContentColumn
from sasrec.data.item_columns import ItemColumns
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.models.contract import NextItemModel
from sasrec.recommender.answers import Answerer
from sasrec.recommender.asked_types import asked_number
from sasrec.recommender.columns_file import item_columns_as_json
from sasrec.recommender.content_file import content_as_json
from sasrec.recommender.folder import (
    CONTENT,
    ENVIRONMENT,
    FORMAT,
    ITEM_COLUMNS,
    METRICS,
    SETTINGS,
    VOCABULARY,
    write_folder,
)
from sasrec.recommender.prepared_table import PreparedTable
from sasrec.recommender.serving import Scorer
from sasrec.recommender.time_units import trained_unit
from sasrec.recommender.vocabulary_file import VocabularyFile
from sasrec.recommender.with_vectors import WithVectors
from sasrec.system.forking import use_one_thread_if_forked
from sasrec.system.pictures import plain_texts
from sasrec.training.curve import training_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class TrainedModel(WithVectors):
    """A trained model with its vocabulary, settings and metrics.

    Attributes:
        model: The network, on its device and in evaluation mode.
        items: Item tokens by number.
        counts: int64 [V], training events of each item. The model knows nothing about items
            without any, so it recommends them only if they are given as candidates.
        titles: Item token to title; may be empty.
        users: User tokens by number, for models with user vectors; otherwise None.
        settings: All settings of the training run, by group.
        metrics: Validation and test metrics, and the course of training.
        environment: Versions and hardware of the training run.
        recent: int64 [V], the latest training events of each item (``popularity_window``), which
            define the most popular items; None uses ``counts``.
        learned: bool [V], items the model has learned, for imported models; None means the items
            with a training event.
        people: bool [U + 1], users the model has learned a vector for; None means all users.
        item_columns: Facts about items, such as their category, for rules; None if there are none.
        event_types: Names of the types of events that the model knows; empty if it uses none.
        content: How the content of items was turned into numbers; empty without content.
    """

    model: NextItemModel
    items: Vocabulary
    counts: np.ndarray
    titles: dict[str, str]
    settings: dict[str, Any]
    users: Vocabulary | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    recent: np.ndarray | None = None
    learned: np.ndarray | None = None
    people: np.ndarray | None = None
    item_columns: ItemColumns | None = None
    event_types: tuple[str, ...] = ()
    content: tuple[ContentColumn, ...] = ()
    _table: PreparedTable = field(default_factory=PreparedTable, init=False, compare=False)

    def __repr__(self) -> str:
        """Return one line: model, number of items, and training data."""
        return (
            f"<Recommender: {self.settings.get('model_name')}, {len(self.items):,} items, trained "
            f"on {self.settings.get('source') or 'a data frame'}>"
        )

    @property
    def max_history(self) -> int:
        """Number of latest events of a history that the model uses."""
        return int(self.settings["data"]["max_history"])

    @property
    def untrained(self) -> list[str]:
        """Items that occur in no training event, so that the model knows nothing about them."""
        return self.items.tokens(np.flatnonzero(~self._trained[1:]) + 1)

    def plot_training(self) -> Figure:
        """Return a figure of training loss and validation score by epoch; notebooks display it.

        Raises:
            DataError: The model was imported, so the course of its training is unknown.
        """
        if not self.metrics.get("epochs"):
            raise DataError("the course of this model's training is unknown, so there is no curve")
        with plain_texts():
            return training_curve(self.metrics, self.settings["evaluation"]["valid_metric"])

    @property
    def _trained(self) -> np.ndarray:
        """Items the model has learned, bool [V]; all items if no training events were counted."""
        trained = (self.counts > 0) if self.learned is None else self.learned.copy()
        trained[0] = False
        if not trained.any():
            trained[1:] = True
        return trained

    def _answerer(self, next_type: str | None = None) -> Answerer:
        use_one_thread_if_forked()
        table = self._table.of(self.model)
        asked = asked_number(next_type, self.event_types, self.settings["evaluation"])
        return Answerer(
            scorer=Scorer(self.model, table, len(self.items), self.max_history, asked),
            items=self.items,
            users=self.users,
            trained_users=self.people,
            trained=self._trained,
            popularity=self.counts if self.recent is None else self.recent,
            event_types=self.event_types,
            time_unit=trained_unit(self.metrics),
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Save the model as a folder, completely or not at all.

        Args:
            folder: The folder to write; missing parent folders are created.
            overwrite: Replace a model that is already there.

        Returns:
            The folder.

        Raises:
            ModelError: The folder exists and may not be replaced, or cannot be written.
        """  # raised by write_folder
        texts = self._texts()
        return write_folder(Path(folder), self.model.state_dict(), texts, overwrite=overwrite)

    def _texts(self) -> dict[str, dict[str, Any]]:
        """Return the contents of the JSON files of the folder, by file name."""
        vocabulary = VocabularyFile(
            items=self.items,
            counts=self.counts,
            titles=self.titles,
            users=self.users,
            recent=self.recent,
            learned=self.learned,
            learned_users=self.people,
            event_types=self.event_types,
        )
        texts = {
            SETTINGS: {"format": FORMAT, "sasrec": version("sasrec"), **self.settings},
            VOCABULARY: vocabulary.as_json(),
            METRICS: self.metrics,
            ENVIRONMENT: self.environment,
        }
        if self.item_columns is not None:
            texts[ITEM_COLUMNS] = item_columns_as_json(self.item_columns)
        if self.content:
            texts[CONTENT] = content_as_json(self.content)
        return texts
