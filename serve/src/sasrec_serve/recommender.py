"""Recommender: an exported model with its vocabulary; it takes and returns item tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sasrec_serve.answers import Answerer, Catalogue
from sasrec_serve.errors import DataError, SettingsError
from sasrec_serve.event_types import asked_number
from sasrec_serve.exported.folder import Export
from sasrec_serve.lists import Recommendation, SimilarItems
from sasrec_serve.neighbours import similar_items
from sasrec_serve.requests import request_of
from sasrec_serve.rules.columns import ExportedColumns, shop_columns
from sasrec_serve.rules.prepared import PreparedRules, Shop, prepare_rules
from sasrec_serve.rules.tables import TableSource
from sasrec_serve.rules.written import RulesSource, rules_from
from sasrec_serve.scoring.approximate import ApproximateVectors
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.scoring.scorer import Scorer
from sasrec_serve.tokens import tokens_of
from sasrec_serve.vocabulary import Vocabulary

Times = Sequence[Sequence[float] | None]
Types = Sequence[Sequence[str | None] | None]
AnyRules = RulesSource | PreparedRules

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Recommender:
    """An exported model that recommends; its methods are thread-safe.

    Attributes:
        export: The contents of the export.
        catalogue: Which items the model has learned, and how popular they are.
        vectors: The item vectors; None for a model without them (TransRec).
        item_columns: Facts about items, for rules.
    """

    export: Export
    catalogue: Catalogue
    vectors: ItemVectors | ApproximateVectors | None
    item_columns: ExportedColumns

    def __repr__(self) -> str:
        """Return one line: model and number of items."""
        return f"<Recommender: {self.export.serving.model}, {len(self.items):,} items>"

    @property
    def folder(self) -> Path:
        """The folder that the model was loaded from."""
        return self.export.manifest.folder

    @property
    def digest(self) -> str:
        """Hash of all files of the export, 64 hexadecimal digits."""
        return self.export.manifest.digest

    @property
    def items(self) -> Vocabulary:
        """Item tokens by number."""
        return self.export.items

    @property
    def users(self) -> Vocabulary | None:
        """User tokens by number; None if the model does not use them."""
        return self.export.users

    @property
    def titles(self) -> Mapping[str, str]:
        """Item token to title; may be empty."""
        return self.export.titles

    @property
    def card(self) -> dict[str, Any]:
        """Data, settings, metrics and versions of the training."""
        return self.export.card

    @property
    def event_types(self) -> tuple[str, ...]:
        """Names of the types of events that the model knows; empty if it uses none."""
        return self.export.serving.event_types

    @property
    def recall(self) -> float:
        """Share of the true best ten items that the search finds; 1 if it is exact."""
        return self.vectors.recall if isinstance(self.vectors, ApproximateVectors) else 1.0

    @property
    def max_history(self) -> int:
        """Number of latest events of a history that the model uses."""
        return self.export.serving.max_history

    @property
    def untrained(self) -> list[str]:
        """Items that occur in no training event, so that the model knows nothing about them."""
        return self.items.tokens(np.flatnonzero(~self.catalogue.trained[1:]) + 1)

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        times: Times | None = None,
        users: Sequence[str | None] | None = None,
        rules: AnyRules | None = None,
        items: TableSource | None = None,
        types: Types | None = None,
        next_type: str | None = None,
    ) -> list[Recommendation]:
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
            items: A table with a row for each item, for the rules: a path, a mapping of columns, a
                list of rows, or a data frame; its columns replace those of the export.
            types: Type of each event of each history, such as ``[["view", "purchase"]]``, for
                models trained with ``type_column`` and for the rule ``seen_types``. None for an
                event or a history means that the type is unknown, with which the models also work.
            next_type: The type of event to predict, such as ``purchase``, or ``any``. None takes
                ``target_types`` if the model was trained with one, and otherwise any type.

        Returns:
            One recommendation per history, in the same order.

        Raises:
            DataError: ``k`` is not a whole number of at least 1, a history is not a list of tokens,
                no candidate is a known item, times, users or types do not match the histories, or
                the model does not know ``next_type``.
            SettingsError: A rule is invalid.
        """  # raised by the parts
        answerer = self.answerer(next_type)
        prepared = self.prepared_rules(rules, items)
        options = answerer.options(k, candidates, exclude_seen=exclude_seen, rules=prepared)
        return answerer.lists(request_of(histories, times, users, types=types), options)

    def prepare_rules(self, rules: RulesSource, items: TableSource | None = None) -> PreparedRules:
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
        return prepare_rules(rules_from(rules), self.shop(items))

    def shop(self, items: TableSource | None = None) -> Shop:
        """Return what rules are looked up in; preparing many rules, the columns are read once.

        Args:
            items: A table with a row for each item, as for ``recommend``.

        Returns:
            The items and what is known about them, for ``sasrec_serve.rules.prepared``.

        Raises:
            DataError: The table cannot be read, or has none of the items.
        """  # raised by shop_columns
        data, catalogue = self.export.serving.data, self.catalogue
        table = shop_columns(self.items, self.item_columns.values, items, self.titles, data)
        return Shop(
            self.items, table, data, catalogue.trained, catalogue.popularity, self.event_types
        )

    def prepared_rules(
        self, rules: AnyRules | None, items: TableSource | None
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
        times: Times | None = None,
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
        numbers = self.items.numbers(tokens_of(items, "items"))
        request = request_of(histories, times, users, types=types)
        answerer = self.answerer(next_type)
        trained = self.catalogue.trained
        if len(untrained := numbers[(numbers > 0) & ~trained[numbers]]):
            logger.warning(
                "score: %d of the %d items occur in no training event, such as %r; their scores "
                "are NaN",
                len(untrained),
                len(numbers),
                self.items.tokens(untrained[:1])[0],
            )
        return answerer.scores(request, numbers)

    def similar(self, items: Sequence[str], k: int = 10) -> list[SimilarItems]:
        """Return the k items most similar to each of some items, by cosine of their vectors.

        Args:
            items: Item tokens.
            k: Number of similar items, from 1; fewer are returned if the model knows fewer.

        Returns:
            One result per item, in the same order.

        Raises:
            DataError: ``k`` is not a whole number from 1, the model has not learned an item, or it
                has no item vectors (TransRec).
        """  # raised by the parts
        if self.vectors is None:
            raise DataError(
                f"{self.export.serving.model} has no item vectors: its scores are not dot products "
                "of two vectors; use another model, such as SASRec"
            )
        return similar_items(self.vectors.values, self.catalogue, items, k)

    def answerer(self, next_type: str | None = None) -> Answerer:
        """Return the model with its vocabularies, for the functions of this package.

        Args:
            next_type: The type of event to predict, as for ``recommend``.

        Returns:
            The answerer.

        Raises:
            DataError: The model does not know the type.
        """  # raised by asked_number
        export, serving = self.export, self.export.serving
        asked = asked_number(next_type, serving.event_types, serving.asked_type)
        return Answerer(
            scorer=Scorer(export.network, self.vectors, asked),
            catalogue=self.catalogue,
            users=export.users if serving.uses_users else None,
            trained_users=export.trained_users,
            event_types=serving.event_types,
            time_unit=serving.time_unit,
            needs_times=serving.needs_times,
            needs_users=serving.needs_users,
        )
