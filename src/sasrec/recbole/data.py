"""RecBole's ``load_data_and_model``, and a view of a data set with RecBole's attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sasrec.data.corpus import Corpus, renumbered
from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Cases, Split
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, ModelError
from sasrec.models.contract import NextItemModel
from sasrec.recbole.config import Config
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender
from sasrec.settings.resolve import RunSettings, resolve_settings


@dataclass(frozen=True, slots=True, repr=False)
class Dataset:
    """A data set or a part of it, with those attributes of RecBole's dataset that scripts use.

    Attributes:
        corpus: The data set, with the model's item and user numbers.
        split: The split of the data set; None before it is split.
        cases: Cases of this part; for the whole data set, the test cases.
        max_history: Maximum number of events that the model reads.
        uid_field: Name of the user column.
        iid_field: Name of the item column.
        part: ``whole``, ``train``, ``valid`` or ``test``.
    """

    corpus: Corpus
    split: Split | None
    cases: Cases
    max_history: int
    uid_field: str
    iid_field: str
    part: str = "whole"

    def __repr__(self) -> str:
        """Return name and sizes on one line."""
        return (
            f"<Dataset {self.corpus.name}: {self.user_num - 1:,} users, {self.item_num - 1:,} "
            f"items, {self.inter_num:,} events, {len(self.cases):,} cases>"
        )

    def __getattr__(self, name: str) -> Any:
        """Raise an error that lists the available attributes.

        Args:
            name: Name of an attribute that does not exist.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(
            f"sasrec stands in for RecBole here, and its data set has no {name!r}; it has "
            "user_num, item_num, inter_num, sparsity, num, token2id, id2token, uid_field, iid_field"
        )

    @property
    def sparsity(self) -> float:
        """Share of user-item pairs without an event."""
        return 1 - self.inter_num / ((self.user_num - 1) * (self.item_num - 1))

    def num(self, field: str) -> int:
        """Return the number of tokens of a field, padding included.

        Args:
            field: Name of the user or the item column.

        Returns:
            The number of tokens.
        """
        return len(self._vocabulary(field)) + 1

    @property
    def dataset(self) -> Dataset:
        """This object; in RecBole, a data loader has its data set under this name."""
        return self

    @property
    def _dataset(self) -> Dataset:
        """This object, under the name that RecBole's own scripts use."""
        return self

    @property
    def user_num(self) -> int:
        """Number of users, including padding and users without events, as in RecBole."""
        return len(self._vocabulary(self.uid_field)) + 1

    @property
    def item_num(self) -> int:
        """Number of items, including padding, as in RecBole."""
        return len(self.corpus.items) + 1

    @property
    def inter_num(self) -> int:
        """Number of events."""
        return self.corpus.sequences.n_events

    def token2id(self, field: str, tokens: str | Sequence[str]) -> Any:
        """Return the numbers of tokens.

        Args:
            field: Name of the user or the item column.
            tokens: One token, or n tokens.

        Returns:
            The number of one token, or int64 [n].

        Raises:
            DataError: A token is unknown.
        """
        names = self._vocabulary(field)
        several = [tokens] if isinstance(tokens, str) else [str(token) for token in tokens]
        numbers = names.numbers(several).astype(np.int64)
        if (numbers == 0).any():
            missing = several[int((numbers == 0).argmax())]
            raise DataError(f"{field}: no token {missing!r} in {self.corpus.name}")
        return int(numbers[0]) if isinstance(tokens, str) else numbers

    def id2token(self, field: str, ids: Any) -> Any:
        """Return the tokens of numbers; that of 0, padding, is ``[PAD]``.

        Args:
            field: Name of the user or the item column.
            ids: One number, or an array of any shape.

        Returns:
            A token, or an array of tokens of the same shape.

        Raises:
            DataError: A number is out of range.
        """
        names = np.array(["[PAD]", *self._vocabulary(field).entries.to_list()], dtype=object)
        numbers = np.asarray(ids)
        if numbers.dtype.kind not in "iu" or (numbers < 0).any() or (numbers >= len(names)).any():
            raise DataError(f"{field}: ids must be whole numbers from 0 to {len(names) - 1}")
        found = names[numbers]
        return found if isinstance(found, np.ndarray) else str(found)

    def _vocabulary(self, field: str) -> Any:
        if field == self.uid_field:
            unmet = self.corpus.users_without_events
            if unmet is None:
                return self.corpus.users
            return Vocabulary.of_distinct(pl.concat([self.corpus.users.entries, unmet]))
        if field == self.iid_field:
            return self.corpus.items
        raise DataError(f"no field {field!r} (fields: {self.uid_field}, {self.iid_field})")


def load_data_and_model(
    model_file: str | Path,
) -> tuple[Config, NextItemModel, Dataset, Dataset, Dataset, Dataset]:
    """Return a trained model with its settings and data, as RecBole's function of this name.

    Args:
        model_file: A model folder.

    Returns:
        Settings, model, whole data set, and its training, validation and test part.

    Raises:
        ModelError: The file is a RecBole checkpoint.
    """
    file = Path(model_file)
    if file.is_file() and file.suffix == ".pth":
        raise ModelError(
            f"{file} is a pickle, which could execute code when read; convert it with the script "
            "that 'sasrec recbole import --script' prints (see 'sasrec recbole import --help')"
        )
    recommender = load(file)
    run, source = _saved_run(recommender)
    original = load_corpus(source, run.data)
    corpus = renumbered(original, recommender.items, recommender.users)
    split = make_split(corpus, run.evaluation)
    config = Config.of(run, source)
    whole = whole_of(corpus, run)
    train, valid, test = parts_of(whole, split)
    return config, recommender.model, replace(test, part="whole"), train, valid, test


def whole_of(corpus: Corpus, run: RunSettings) -> Dataset:
    """Return RecBole's view of a data set that is not split yet.

    Args:
        corpus: The data set.
        run: Settings with the names of the columns and the maximum history.

    Returns:
        The view.
    """
    none = Cases(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    columns = run.data.user_column, run.data.item_column
    return Dataset(corpus, None, none, run.data.max_history, *columns)


def parts_of(whole: Dataset, split: Split) -> tuple[Dataset, Dataset, Dataset]:
    """Return RecBole's view of the three parts of a data set.

    Args:
        whole: The whole data set.
        split: Its split.

    Returns:
        Training, validation and test part.
    """
    none = Cases(split.test.users[:0], split.test.stops[:0])
    train, valid, test = (
        replace(whole, split=split, cases=cases, part=part)
        for part, cases in (("train", none), ("valid", split.validation), ("test", split.test))
    )
    return train, valid, test


def _saved_run(recommender: Recommender) -> tuple[RunSettings, str]:
    saved = recommender.settings
    groups = ("data", "model", "training", "evaluation", "output")
    parts = [saved.get(group, {}) for group in groups]
    if not all(isinstance(part, dict) for part in parts):
        raise ModelError("settings.json of the model is damaged or was edited; train it again")
    values = {key: value for part in parts for key, value in part.items()}
    source = str(saved.get("source") or "")
    if not source:
        raise DataError(
            "the model was trained on a data frame, which cannot be loaded again; train it on a "
            "file to use load_data_and_model"
        )
    return resolve_settings(values, saved["model_name"]), source
