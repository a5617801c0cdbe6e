"""Recommender: a trained model with its vocabulary; raw item tokens in, raw item tokens out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.models.contract import NextItemModel
from sasrec.recommender.answers import Answerer, Choice
from sasrec.recommender.answers import Recommendation as Recommendation
from sasrec.recommender.attention import attention_maps
from sasrec.recommender.folder import (
    ENVIRONMENT,
    FORMAT,
    METRICS,
    SETTINGS,
    VOCABULARY,
    write_folder,
)
from sasrec.recommender.histories import in_chunks, tokens_of
from sasrec.recommender.serving import PreparedTable, Scorer
from sasrec.system.forking import use_one_thread_if_forked
from sasrec.system.pictures import plain_texts
from sasrec.training.curve import training_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Recommender:
    """A trained model and what its numbers mean.

    Its methods may be called by several threads, and in processes forked after it was loaded.

    Attributes:
        model: The network, on the device it computes on, in evaluation mode.
        items: Item tokens by number.
        counts: int64 [V], training events of each item; those with none are never recommended
            unasked, as nothing was learned of them.
        titles: Item token to the text a person knows it by; may be empty.
        users: User tokens by number, for models that have learned something of each; else None.
        settings: All settings of the training run, by group.
        metrics: What was measured after training.
        environment: Versions and machine of the training run.
        recent: int64 [V], the latest training events of each item (``popularity_window``), for
            histories the model can say nothing of; None takes ``counts``.
        learned: bool [V], items something was learned of, where that is known otherwise; None
            takes those with a training event.
        people: bool [U + 1], users something was learned of, the others being nobody in
            particular; None takes all.
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
    _table: PreparedTable = field(default_factory=PreparedTable, init=False, compare=False)

    def __repr__(self) -> str:
        """Return one line: the model, its catalogue, the data it was trained on."""
        return (
            f"<Recommender: {self.settings.get('model_name')}, {len(self.items):,} items, trained "
            f"on {self.settings.get('source') or 'a data frame'}>"
        )

    @property
    def max_history(self) -> int:
        """Longest history the model looks at."""
        return int(self.settings["data"]["max_history"])

    @property
    def untrained(self) -> list[str]:
        """Items without a training event, of which the model knows nothing."""
        return self.items.tokens(np.flatnonzero(~self._trained[1:]) + 1)

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        times: Sequence[Sequence[float] | None] | None = None,
        users: Sequence[str | None] | None = None,
    ) -> list[Recommendation]:
        """Return the k items most likely to come next, for each history.

        A list is the same whoever else is asked for; its scores may differ in their last digits.

        Args:
            histories: Item tokens of each person, oldest first; people and lengths are free.
            k: Length of the lists, from 1; shorter where fewer items are left.
            exclude_seen: Leave out the items of the history.
            candidates: Choose among these item tokens only, and let items without a training event
                in; None allows the whole catalogue but for such items.
            times: When each event of each history was, in the unit of the training data; models
                that look at it (``relative_bias`` by time) do without if there are none, or None
                for a history.
            users: Token of the person behind each history, where a model knows people (FPMC,
                Caser, TransRec, BPR); None, or one it does not know or who had no training target,
                is nobody in particular. Of these BPR says nothing, and the most popular items come.

        Returns:
            One recommendation a history, in the same order.

        Raises:
            DataError: ``k`` is below 1, a history is a single text and not a list of tokens,
                candidates are a single text or none of them is known, or times or users do not fit.
        """  # by the parts
        choice = self._choice(k, candidates, exclude_seen=exclude_seen)
        chunks = list(in_chunks(histories, times, users))  # all is checked before work begins
        answerer = self._answerer()
        return [each for chunk in chunks for each in answerer.lists(chunk, choice)]

    def recommend_iter(
        self,
        histories: Iterable[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        times: Iterable[Sequence[float] | None] | None = None,
        users: Iterable[str | None] | None = None,
    ) -> Iterator[Recommendation]:
        """Return the same as ``recommend``, one by one, in memory that does not grow.

        Histories are read some thousands at a time, so any iterable will do, such as a generator.

        Args:
            histories: As for ``recommend``, and so are all others.
            k: Length of the lists.
            exclude_seen: Leave out the items of the history.
            candidates: Choose among these item tokens only.
            times: When each event of each history was.
            users: Token of the person behind each history.

        Returns:
            An iterator over the recommendations.

        Raises:
            DataError: As for ``recommend``; what is inside histories, times and users is looked at
                as they are read.
        """  # by the parts
        choice = self._choice(k, candidates, exclude_seen=exclude_seen)
        chunks = in_chunks(histories, times, users)
        answerer = self._answerer()
        return (each for chunk in chunks for each in answerer.lists(chunk, choice))

    def score(
        self,
        histories: Sequence[Sequence[str]],
        items: Sequence[str],
        *,
        times: Sequence[Sequence[float] | None] | None = None,
        users: Sequence[str | None] | None = None,
    ) -> np.ndarray:
        """Return how well each of some items would follow each history.

        Args:
            histories: Item tokens of each person, oldest first.
            items: Item tokens to judge.
            times: When each event of each history was; as for ``recommend``.
            users: Token of the person behind each history; as for ``recommend``.

        Returns:
            float32 [histories, items]; NaN for an item the model does not know, or has met in no
            training event. Of histories that ``recommend`` would answer by popularity, the counts
            behind that.

        Raises:
            DataError: ``items`` or a history is no list of tokens, or times or users do not fit.
        """  # by the parts
        wanted = self.items.numbers(tokens_of(items, "items are")).astype(np.int64)
        chunks = list(in_chunks(histories, times, users))
        answerer = self._answerer()
        if len(strange := wanted[(wanted > 0) & ~answerer.trained[wanted]]):
            logger.warning(
                "score: %d of the %d items occur in no training event, such as %r; their scores "
                "are NaN",
                len(strange),
                len(wanted),
                self.items.tokens(strange[:1])[0],
            )
        parts = [answerer.scores(chunk, wanted) for chunk in chunks]
        return np.concatenate(parts) if parts else np.zeros((0, len(wanted)), dtype=np.float32)

    def attention(
        self, history: Sequence[str], *, times: Sequence[float] | None = None
    ) -> tuple[list[str], np.ndarray]:
        """Return how much each event of a history looks at each other one.

        Args:
            history: Item tokens, oldest first; unknown ones are skipped, and of more than
                ``max_history`` the last count.
            times: When each event was; as for ``recommend``.

        Returns:
            The L tokens looked at, and float32 [layers, heads, L, L]: rows look, columns are looked
            at, rows sum to one. BERT4Rec adds a row and a column for its mask.

        Raises:
            DataError: The model has no attention, or knows nothing of the history.
        """
        [chunk] = in_chunks([history], None if times is None else [times])
        found = attention_maps(self._answerer(), chunk)
        if found is None:
            raise DataError(f"{self.settings['model_name']} has no attention to look at")
        return found

    def plot_training(self) -> Figure:
        """Return training loss and validation score by epoch as a figure; a notebook shows it.

        Raises:
            DataError: The model was not trained here, but imported.
        """
        if not self.metrics.get("epochs"):
            raise DataError("nothing is known of this model's training, so there is no curve")
        with plain_texts():
            return training_curve(self.metrics, self.settings["evaluation"]["valid_metric"])

    @property
    def _trained(self) -> np.ndarray:
        """Whether something was learned of an item, bool [V]; of all if nothing was counted."""
        trained = (self.counts > 0) if self.learned is None else self.learned.copy()
        trained[0] = False
        if not trained.any():
            trained[1:] = True
        return trained

    def _choice(self, k: int, candidates: Sequence[str] | None, *, exclude_seen: bool) -> Choice:
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise DataError(f"k is {k!r}; a recommendation needs a whole number of items, from 1")
        barred = ~self._trained
        if candidates is not None:
            barred[:] = True
            barred[self.items.numbers(tokens_of(candidates, "candidates are"))] = False
            barred[0] = True
            if barred.all():
                raise DataError("none of the candidates is an item the model knows")
        return Choice(int(k), barred, exclude_seen)

    def _answerer(self) -> Answerer:
        use_one_thread_if_forked()
        table = self._table.of(self.model)
        return Answerer(
            scorer=Scorer(self.model, table, len(self.items), self.max_history),
            items=self.items,
            users=self.users,
            people=self.people,
            trained=self._trained,
            popularity=self.counts if self.recent is None else self.recent,
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model as a folder: whole or not at all.

        Args:
            folder: Where to; its parents are made.
            overwrite: Replace a model that is there already.

        Returns:
            The folder.

        Raises:
            ModelError: The folder exists and may not be replaced, or cannot be written.
        """  # by write_folder
        texts = self._texts()
        return write_folder(Path(folder), self.model.state_dict(), texts, overwrite=overwrite)

    def _texts(self) -> dict[str, dict[str, Any]]:
        """Return all but the weights, by file of the folder."""
        items = self.items.entries.to_list()
        vocabulary = {
            "items": items,
            "counts": self.counts[1:].tolist(),
            "titles": {item: self.titles[item] for item in items if item in self.titles},
        }
        if self.recent is not None:
            vocabulary["recent"] = self.recent[1:].tolist()
        if self.learned is not None:
            vocabulary["learned"] = self.learned[1:].tolist()
        if self.users is not None:
            vocabulary["users"] = self.users.entries.to_list()
        if self.people is not None:
            vocabulary["learned_users"] = self.people[1:].tolist()
        return {
            SETTINGS: {"format": FORMAT, "sasrec": version("sasrec"), **self.settings},
            VOCABULARY: vocabulary,
            METRICS: self.metrics,
            ENVIRONMENT: self.environment,
        }
