"""Recommender: a trained model with its vocabulary; it takes and returns item tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sasrec.errors import DataError, SettingsError
from sasrec.recommender.attention import attention_maps
from sasrec.recommender.histories import in_chunks, tokens_of, users_in
from sasrec.recommender.recommendation import Recommendation as Recommendation
from sasrec.recommender.recommendations import Recommendations
from sasrec.recommender.rules.prepared import PreparedRules, prepare_rules
from sasrec.recommender.rules.shop import Shop, shop_columns
from sasrec.recommender.rules.written import rules_from
from sasrec.recommender.trained_model import TrainedModel
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from typing import TypeAlias

    from sasrec.data.formats.item_files import ItemSource
    from sasrec.recommender.rules.written import RulesSource

    AnyRules: TypeAlias = RulesSource | PreparedRules
    Types: TypeAlias = Sequence[Sequence[str | None] | None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Recommender(TrainedModel):
    """A trained model that recommends; its attributes are those of ``TrainedModel``.

    Its methods are thread-safe, and work in processes forked after the model was loaded.
    """

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        times: Sequence[Sequence[float] | None] | None = None,
        users: Sequence[str | None] | None = None,
        rules: AnyRules | None = None,
        items: ItemSource | None = None,
        types: Types | None = None,
        next_type: str | None = None,
    ) -> Recommendations:
        """Return the k items most likely to come next, for each history.

        The list for a history does not depend on the other histories; its scores may differ in
        the last digits.

        Args:
            histories: Item tokens of each history, oldest first; any length, and not limited to
                users of the training data.
            k: Number of items in a list, from 1; fewer are returned if fewer are allowed.
            exclude_seen: Leave out the items of the history.
            candidates: Recommend only these item tokens, including those without a training
                event; None allows all items with a training event.
            times: Time of each event of each history: numbers in the unit of the training data;
                or dates, as date, datetime, NumPy datetime64 or ISO text, if the training data
                have dates or seconds since 1970. Only models that use times (``relative_bias`` by
                time) read them, and they also work without; None for a history means that its
                times are unknown.
            users: User token of each history, for models with user vectors (FPMC, Caser,
                TransRec, BPR). None, an unknown user, or a user without a training target gets no
                personal vector; BPR then recommends the most popular items.
            rules: Rules for the lists: ``Rules``, a mapping, the path of a YAML file, or what
                ``prepare_rules`` returned.
            items: A table with a row for each item, for the rules: a path or a data frame; its
                columns replace those that were saved with the model.
            types: Type of each event of each history, such as ``[["view", "purchase"]]``, for
                models trained with ``type_column`` and for the rule ``seen_types``. None for an
                event or a history means that the type is unknown, with which the models also work.
            next_type: The type of event to predict, such as ``purchase``, or ``any``. None takes
                ``target_types`` if the model was trained with one, and otherwise any type.

        Returns:
            One recommendation per history, in the same order: a list, which ``.to_polars()`` and
            ``.to_pandas()`` turn into a table with titles.

        Raises:
            DataError: ``k`` is not a whole number of at least 1, a history is not a list of tokens,
                no candidate is a known item, times, users or types do not match the histories, or
                the model does not know ``next_type``.
            SettingsError: A rule is invalid.
        """  # raised by the parts
        answerer = self._answerer(next_type)
        prepared = self.prepared_rules(rules, items)
        options = answerer.options(k, candidates, exclude_seen=exclude_seen, rules=prepared)
        # A list, so that all histories are checked before anything is computed.
        chunks = list(in_chunks(histories, times, users, types=types))
        found = (each for chunk in chunks for each in answerer.lists(chunk, options))
        return Recommendations(found, self.titles, None if users is None else users_in(chunks))

    def recommend_iter(
        self,
        histories: Iterable[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        times: Iterable[Sequence[float] | None] | None = None,
        users: Iterable[str | None] | None = None,
        rules: AnyRules | None = None,
        items: ItemSource | None = None,
        types: Iterable[Sequence[str | None] | None] | None = None,
        next_type: str | None = None,
    ) -> Iterator[Recommendation]:
        """Return the same as ``recommend``, one by one, with bounded memory.

        Histories are read in chunks of at most 2,048, so they may come from a generator.

        Args:
            histories: As for ``recommend``, like all other arguments.
            k: Number of items in a list.
            exclude_seen: Leave out the items of the history.
            candidates: Recommend only these item tokens.
            times: Time of each event of each history, as for ``recommend``.
            users: User token of each history.
            rules: Rules for the lists.
            items: A table with a row for each item, for the rules.
            types: Type of each event of each history.
            next_type: The type of event to predict.

        Returns:
            An iterator over the recommendations.

        Raises:
            DataError: As for ``recommend``. The contents of histories, times, users and types are
                checked while they are read, so this may also be raised during iteration.
            SettingsError: A rule is invalid.
        """  # raised by the parts
        answerer = self._answerer(next_type)
        prepared = self.prepared_rules(rules, items)
        options = answerer.options(k, candidates, exclude_seen=exclude_seen, rules=prepared)
        chunks = in_chunks(histories, times, users, types=types)
        return (each for chunk in chunks for each in answerer.lists(chunk, options))

    def prepare_rules(self, rules: RulesSource, items: ItemSource | None = None) -> PreparedRules:
        """Look up once what rules need, for many calls of ``recommend``.

        Args:
            rules: ``Rules``, a mapping of their names to values, or the path of a YAML file.
            items: A table with a row for each item, as for ``recommend``.

        Returns:
            The rules, to be given to ``recommend``.

        Raises:
            DataError: A table cannot be read, or the rules leave no item.
            SettingsError: A rule is invalid.
        """  # raised by the parts
        settings = DataSettings(**self.settings["data"])
        columns = shop_columns(self.items, self.item_columns, items, self.titles, settings)
        popularity = self.counts if self.recent is None else self.recent
        shop = Shop(self.items, columns, settings, self._trained, popularity, self.event_types)
        return prepare_rules(rules_from(rules), shop)

    def prepared_rules(
        self, rules: AnyRules | None, items: ItemSource | None
    ) -> PreparedRules | None:
        """Return rules with everything looked up, as for ``recommend``; None for None.

        Args:
            rules: The rules.
            items: A table with a row for each item, or None.

        Returns:
            The prepared rules.

        Raises:
            SettingsError: Items are given without rules.
        """
        if isinstance(rules, PreparedRules) or rules is None:
            if items is not None:
                raise SettingsError("items are only used with rules; give both, or neither")
            return rules
        return self.prepare_rules(rules, items)

    def score(
        self,
        histories: Sequence[Sequence[str]],
        items: Sequence[str],
        *,
        times: Sequence[Sequence[float] | None] | None = None,
        users: Sequence[str | None] | None = None,
        types: Types | None = None,
        next_type: str | None = None,
    ) -> np.ndarray:
        """Return the scores of given items as the next item of each history.

        Args:
            histories: Item tokens of each history, oldest first.
            items: Item tokens to score.
            times: Time of each event of each history, as for ``recommend``.
            users: User token of each history, as for ``recommend``.
            types: Type of each event of each history, as for ``recommend``.
            next_type: The type of event to predict, as for ``recommend``.

        Returns:
            float32 [histories, items]; higher is better. NaN for an item that the model does not
            know or that occurs in no training event. For a history that ``recommend`` answers by
            popularity, the event counts of the items.

        Raises:
            DataError: ``items`` or a history is not a list of tokens, times, users or types do not
                match the histories, or the model does not know ``next_type``.
        """  # raised by the parts
        numbers = self.items.numbers(tokens_of(items, "items")).astype(np.int64)
        chunks = list(in_chunks(histories, times, users, types=types))
        answerer = self._answerer(next_type)
        if len(untrained := numbers[(numbers > 0) & ~answerer.trained[numbers]]):
            logger.warning(
                "score: %d of the %d items occur in no training event, such as %r; their scores "
                "are NaN",
                len(untrained),
                len(numbers),
                self.items.tokens(untrained[:1])[0],
            )
        parts = [answerer.scores(chunk, numbers) for chunk in chunks]
        return np.concatenate(parts) if parts else np.zeros((0, len(numbers)), dtype=np.float32)

    def attention(
        self,
        history: Sequence[str],
        *,
        times: Sequence[float] | None = None,
        types: Sequence[str | None] | None = None,
    ) -> tuple[list[str], np.ndarray]:
        """Return the attention weights between the events of a history.

        Args:
            history: Item tokens, oldest first; unknown items are skipped, and only the last
                ``max_history`` of the others are used.
            times: Time of each event, as for ``recommend``.
            types: Type of each event, as for ``recommend``.

        Returns:
            The L tokens that are used, and float32 [layers, heads, L, L]: rows are queries,
            columns are keys, and each row sums to one. BERT4Rec adds a row and a column for its
            mask token.

        Raises:
            DataError: The model has no attention, or knows no item of the history.
        """
        [chunk] = in_chunks(
            [history], None if times is None else [times], types=None if types is None else [types]
        )
        found = attention_maps(self._answerer(), chunk)
        if found is None:
            raise DataError(f"{self.settings['model_name']} has no attention weights to show")
        return found
