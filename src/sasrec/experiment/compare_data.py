"""compare_data: checks new data against older ones, or against what a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from sasrec.data.corpus import Corpus
from sasrec.data.date_splits import unit_seconds
from sasrec.data.drift.comparison import DataComparison, Known, compared
from sasrec.data.drift.limits import Limit, limits_from
from sasrec.data.drift.profile import Profile, profile_of
from sasrec.data.drift.saved import KEY, profile_from_json, profile_without_facts
from sasrec.data.movielens import Progress
from sasrec.data.source_names import text_of
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, ModelError, printable
from sasrec.evaluation.overlap import Sketch, known_share, sketch_from_json, sketch_of
from sasrec.experiment.data_reading import GIVEN, settings_from
from sasrec.experiment.known_data import load_with_any_types
from sasrec.experiment.run import HASHES
from sasrec.recommender.contents import Contents, read_without_weights
from sasrec.recommender.folder import WEIGHTS
from sasrec.recommender.vocabulary_file import vocabulary_from_json
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings
from sasrec.settings.files import Layer
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.plugins import PLUGINS_KEY, require_reader
from sasrec.settings.resolve import resolve_layers

if TYPE_CHECKING:
    from sasrec.data.drift.limits import LimitSource
    from sasrec.data.sources import Source

DAMAGE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, ModelError)
"""Exceptions that the vocabulary of an edited folder may cause."""


@dataclass(frozen=True, slots=True)
class Older:
    """What new data are compared with.

    Attributes:
        profile: Profile of the data.
        sketch: Hashes of its events; None if they are not known.
        settings: How to read the new data.
        remarks: What is not known about the older data.
    """

    profile: Profile
    sketch: Sketch | None
    settings: DataSettings
    remarks: tuple[Remark, ...] = ()


def compare_data(
    old: Source,
    new: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    limits: LimitSource | None = None,
    **keywords: Unpack[Keywords],
) -> DataComparison:
    """Check new data against older ones, or against what a model was trained on.

    >>> compare_data("saved/shop", "today.parquet").verdict  # doctest: +SKIP
    'ok'

    Args:
        old: A name, a path or a data frame, or the folder of a saved model.
        new: A name, a path or a data frame.
        settings: Settings of data, such as ``{"user_column": "customer"}``, for both; with a model,
            the default is the value it was trained with.
        limits: Name of a check to ``(warn, stop)``: from the first number on it warns, from the
            second on it stops; None in place of a number never does. Checks that are not named
            keep their defaults.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        All checks, and the verdict.

    Raises:
        SettingsError: A setting or a limit is wrong.
        DataError: Data cannot be read, or both hold the same events.
        ModelError: The model folder cannot be read.
    """  # raised by the parts
    chosen = limits_from(limits)
    return compared_sources(old, new, given_layers(settings, keywords, GIVEN), limits=chosen)


def compared_sources(
    old: Source,
    new: Source,
    layers: Sequence[Layer],
    *,
    limits: Mapping[str, Limit],
    fetching: Progress = lambda done, total: None,
) -> DataComparison:
    """Check new data against older ones, with settings from several sources.

    Args:
        old: A name, a path or a data frame, or the folder of a saved model.
        new: A name, a path or a data frame.
        layers: Settings of data; a later layer overrides an earlier one.
        limits: From ``limits_from``.
        fetching: Called with the progress of a download.

    Returns:
        All checks, and the verdict.
    """
    folder = model_folder(old)
    if folder is None:
        older = _of_data(old, layers, fetching)
        corpus = load_corpus(new, older.settings, fetching)
    else:
        older = of_model(folder, new, layers)
        corpus = load_with_any_types(new, older.settings, fetching)
    return compared_corpus(older, corpus, limits)


def compared_corpus(older: Older, corpus: Corpus, limits: Mapping[str, Limit]) -> DataComparison:
    """Check new data that are read already.

    Args:
        older: What to compare with, such as from ``of_model``.
        corpus: The new data, read with ``older.settings``.
        limits: From ``limits_from``.

    Returns:
        All checks, and the verdict.

    Raises:
        DataError: Both hold the same events.
    """
    profile = profile_of(corpus)
    old = older.profile
    same = profile.fingerprint == old.fingerprint and profile.items.entries.equals(
        old.items.entries
    )
    if same:
        raise DataError(
            f"{printable(old.name)} and {printable(profile.name)} hold the same events, so there "
            "is nothing to compare; give newer data as the second"
        )
    share = None if older.sketch is None else known_share(older.sketch, corpus)
    known = Known(share, _late(old, corpus))
    return compared(old, profile, known, limits=limits, remarks=older.remarks)


def model_folder(source: Source) -> Path | None:
    """Return the path of a model folder; None if a source is something else.

    Args:
        source: A name, a path or a data frame.
    """
    text = text_of(source)
    if text is None:
        return None
    try:
        path = Path(text).expanduser()
        return path if (path / WEIGHTS).is_file() else None
    except (OSError, RuntimeError, ValueError):  # no valid path
        return None


def of_model(folder: Path, new: Source, layers: Sequence[Layer] = ()) -> Older:
    """Return what a model folder tells about the data of its training.

    Args:
        folder: The model folder.
        new: The new data; only their reader is looked up.
        layers: Settings of data that differ from those of the training.

    Returns:
        Profile, hashes, and how to read the new data.

    Raises:
        ModelError: The folder cannot be read, or is damaged.
    """
    contents = read_without_weights(folder)
    require_reader(contents.settings.get(PLUGINS_KEY, []), new, "the model")
    metrics = contents.metrics
    try:
        profile, remarks = _saved_profile(contents, str(folder))
        sketch = sketch_from_json(metrics.get(HASHES))
        settings = settings_from(contents.settings, layers, is_other=True)
    except DAMAGE_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder} is damaged or was edited: {reason}") from error
    return Older(profile, sketch, settings, remarks)


def _saved_profile(contents: Contents, name: str) -> tuple[Profile, tuple[Remark, ...]]:
    """Return the profile in a model folder, and a remark if it has none."""
    vocabulary = vocabulary_from_json(contents.vocabulary)
    items = vocabulary.items.cleaning(DataSettings(**contents.settings["data"]).clean_tokens)
    found = profile_from_json(contents.metrics.get(KEY), name, items, vocabulary.counts)
    if found is not None:
        return found, ()
    reports = contents.metrics.get("reports") or [{}]
    dataset = reports[0].get("dataset", {})
    text = (
        f"{name} was saved without a profile of its training data, so only items, their popularity "
        "and events are compared; a model trained with this version has one"
    )
    remark = Remark("no_profile", len(items), text)
    return profile_without_facts(name, items, vocabulary.counts, dataset), (remark,)


def _of_data(source: Source, layers: Sequence[Layer], fetching: Progress) -> Older:
    """Return the profile of a data set."""
    settings = resolve_layers(list(layers)).data
    corpus = load_corpus(source, settings, fetching)
    return Older(profile_of(corpus), sketch_of(corpus), settings)


def _late(old: Profile, corpus: Corpus) -> int | None:
    """Return how many events are not later than the last old one; None without dates."""
    times = corpus.sequences.times
    unit = None if times is None else unit_seconds(float(times.max()))
    if old.last is None or times is None or unit is None:
        return None
    return int(np.count_nonzero(times * unit <= old.last))
