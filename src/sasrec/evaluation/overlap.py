"""Overlap: the share of evaluated events that the model was trained on.

A model folder contains hashes of its training events: all of them, or a sample of about 10,000.
The hashes are of tokens and times, not of item numbers and positions, so a copy of the data in
another order, format or numbering is recognised, and so is a part or a superset. A sample contains
the events whose hash is below a bound; the share of overlap is estimated from the evaluated events
with hashes below the same bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sasrec.data.corpus import Corpus
from sasrec.data.splits import Cases, Split
from sasrec.data.token_hashes import hashes_as_text, hashes_from_text, token_hashes

SAMPLE = 10_000
"""Number of sampled events, within a few percent; they take 160 KB in ``metrics.json``."""
PIECE_EVENTS = 2**20
"""Events hashed at a time."""
LARGEST_HASH = 2**64 - 1
"""Bound that includes every hash."""
SAME_PAIRS = 0.9
"""If no event matches with its time, data count as the same if at least this share of (user, item)
pairs matches; unrelated data of the same users rarely share that many pairs."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """Hashes of the events of a data set, or of a sample of them.

    Attributes:
        pairs: uint64 [n], hashes of user and item.
        times: uint32 [n], hashes of the time; 0 if the data have no times.
        trained: bool [n], whether the event is a training event.
        below: Largest hash of a pair in the sample.
        has_times: Whether the data have times.
    """

    pairs: np.ndarray
    times: np.ndarray
    trained: np.ndarray
    below: int
    has_times: bool

    def as_json(self) -> dict[str, Any]:
        """Return the sketch in types JSON has."""
        return {
            "below": self.below,
            "has_times": self.has_times,
            "pairs": hashes_as_text(self.pairs.astype("<u8")),
            "times": hashes_as_text(self.times.astype("<u4")),
            "trained": hashes_as_text(self.trained.astype("<u1")),
        }


def sketch_from_json(values: object) -> Sketch | None:
    """Return a sketch from its JSON; None if it is missing or invalid.

    Args:
        values: What ``Sketch.as_json`` returned.
    """
    if not isinstance(values, dict):
        return None
    try:
        sketch = Sketch(
            pairs=hashes_from_text(values["pairs"], "<u8").astype(np.uint64),
            times=hashes_from_text(values["times"], "<u4").astype(np.uint32),
            trained=hashes_from_text(values["trained"], "<u1") > 0,
            below=int(values["below"]),
            has_times=bool(values["has_times"]),
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    sizes = {len(sketch.pairs), len(sketch.times), len(sketch.trained)}
    return sketch if len(sizes) == 1 and 0 <= sketch.below <= LARGEST_HASH else None


def sketch_of(corpus: Corpus, split: Split | None = None) -> Sketch:
    """Return hashes of the events of a data set.

    Args:
        corpus: The data set.
        split: Determines which of its events are training events; None counts all as such.

    Returns:
        Hashes of all events or of a sample.
    """
    n_events = corpus.sequences.n_events
    below = LARGEST_HASH if n_events <= SAMPLE else int(SAMPLE / n_events * 2**64)
    found = []
    for events, pairs, times in _hashed(corpus, np.arange(n_events)):
        sampled = pairs <= np.uint64(below)
        own = events[sampled]
        trained = np.ones(len(own), dtype=bool) if split is None else _is_trained(split, own)
        found.append((pairs[sampled], times[sampled], trained))
    pairs, times, trained = (np.concatenate(each) for each in zip(*found, strict=True))
    return Sketch(pairs, times, trained, below, corpus.sequences.times is not None)


def sketch_of_events(corpus: Corpus, events: np.ndarray, trained: np.ndarray) -> Sketch:
    """Return hashes of some events of a data set.

    Args:
        corpus: The data set.
        events: int64 [n], indices of the events, ascending.
        trained: bool [N], which events of the data set are training events.

    Returns:
        Hashes of all these events or of a sample.
    """
    below = LARGEST_HASH if len(events) <= SAMPLE else int(SAMPLE / len(events) * 2**64)
    found = []
    for piece, pairs, times in _hashed(corpus, events):
        sampled = pairs <= np.uint64(below)
        found.append((pairs[sampled], times[sampled], trained[piece[sampled]]))
    pairs, times, flags = (np.concatenate(each) for each in zip(*found, strict=True))
    return Sketch(pairs, times, flags, below, corpus.sequences.times is not None)


def joined(first: Sketch, second: Sketch) -> Sketch:
    """Return the sketch of two sets of events together.

    Args:
        first: Hashes of the first set.
        second: Hashes of the second set.

    Returns:
        Hashes of all of them, or of a sample of about the usual size.
    """
    below = min(first.below, second.below)
    pairs, times, trained = (
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("pairs", "times", "trained")
    )
    kept = pairs <= np.uint64(below)
    if kept.sum() > SAMPLE:
        below = int(np.partition(pairs[kept], SAMPLE - 1)[SAMPLE - 1])
        kept = pairs <= np.uint64(below)
    has_times = first.has_times and second.has_times
    return Sketch(pairs[kept], times[kept], trained[kept], below, has_times)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Share of evaluated events that are in the data the model was trained on.

    Attributes:
        events: Share of all events that are in these data, 0 to 1.
        validation_targets: Share of the validation targets that the model was trained on.
        test_targets: Share of the test targets that the model was trained on.
        estimated: Whether the shares were estimated from a sample.
        times_differ: Whether users and items match, but times do not.
    """

    events: float
    validation_targets: float
    test_targets: float
    estimated: bool
    times_differ: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the attributes in types JSON has."""
        return asdict(self)

    def text(self, source: str) -> str:
        """Return a sentence that describes the overlap.

        Args:
            source: Name of the evaluated data.
        """
        how = " (estimated from a sample)" if self.estimated else ""
        but = ", but with other times" if self.times_differ else ""
        known = (
            f"{_percent(self.events)} of the events of {source} are also in the data the model was "
            f"trained on{but}{how}"
        )
        if not max(self.test_targets, self.validation_targets):
            return f"{known}; none of the validation and test targets was trained on"
        return (
            f"{known}, and it was trained on {_percent(self.test_targets)} of the test targets and "
            f"{_percent(self.validation_targets)} of the validation targets, so these metrics are "
            "too high; evaluate on events that it was not trained on"
        )


def overlap(sketch: Sketch, corpus: Corpus, tested: Corpus, split: Split) -> Overlap | None:
    """Return the overlap of evaluated data with a model's training data; None if there is none.

    Args:
        sketch: Hashes of the data that the model was trained on.
        corpus: The evaluated data.
        tested: The same data with the model's item numbers, without events of unknown items.
        split: The split of ``tested``.
    """
    with_times = sketch.has_times and corpus.sequences.times is not None
    all_events = np.arange(corpus.sequences.n_events)
    share = _share(sketch, corpus, all_events, with_times=with_times)
    times_differ = False
    if with_times and not share:
        pairs = _share(sketch, corpus, all_events, with_times=False)
        if pairs >= SAME_PAIRS:
            share, with_times, times_differ = pairs, False, True
    if not share:
        return None

    training = _only_trained(sketch)

    def trained_on(cases: Cases) -> float:
        return _share(training, tested, cases.stops, with_times=with_times)

    validation, test = trained_on(split.validation), trained_on(split.test)
    return Overlap(share, validation, test, sketch.below < LARGEST_HASH, times_differ)


def known_share(sketch: Sketch, corpus: Corpus) -> float:
    """Return the share of the events of a data set that are in a sketch, 0 to 1.

    Args:
        sketch: Hashes of another data set.
        corpus: The data set; times are compared if both have them.
    """
    with_times = sketch.has_times and corpus.sequences.times is not None
    return _share(sketch, corpus, np.arange(corpus.sequences.n_events), with_times=with_times)


def _only_trained(sketch: Sketch) -> Sketch:
    """Return the hashes of the training events in a sketch."""
    which = sketch.trained
    return replace(
        sketch, pairs=sketch.pairs[which], times=sketch.times[which], trained=which[which]
    )


def _share(sketch: Sketch, corpus: Corpus, events: np.ndarray, *, with_times: bool) -> float:
    """Return the share of some events that are in a sketch, 0 to 1."""
    keys = _keys(sketch.pairs, sketch.times, with_times=with_times)
    n_found = n_compared = 0
    for _, pairs, times in _hashed(corpus, events):
        sampled = pairs <= np.uint64(sketch.below)
        found = np.isin(_keys(pairs[sampled], times[sampled], with_times=with_times), keys)
        n_found += found.sum()
        n_compared += sampled.sum()
    return float(n_found / n_compared) if n_compared else 0.0


def _is_trained(split: Split, events: np.ndarray) -> np.ndarray:
    """Return which events are training events, bool, as in ``Split.train_items``."""
    first = split.sequences.offsets[:-1]
    begins = np.where(split.train_starts == first + 1, first, split.train_starts)
    owners = np.searchsorted(split.sequences.offsets, events, side="right") - 1
    trained: np.ndarray = (events >= begins[owners]) & (events < split.train_stops[owners])
    return trained


def _hashed(
    corpus: Corpus, events: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Hash events in pieces.

    Args:
        corpus: The data set.
        events: int64 [n], indices of the events.

    Yields:
        Indices of some events, their hashes of user and item, uint64, and of time, uint32.
    """
    sequences = corpus.sequences
    users = token_hashes(corpus.users.entries)
    items = token_hashes(corpus.items.entries)
    for begin in range(0, max(len(events), 1), PIECE_EVENTS):
        piece = events[begin : begin + PIECE_EVENTS]
        owners = np.searchsorted(sequences.offsets, piece, side="right") - 1
        pairs = _mixed(_mixed(users[owners]) + items[sequences.items[piece] - 1])
        times = np.zeros(len(piece), dtype=np.uint32)
        if sequences.times is not None:
            bits = (sequences.times[piece] + 0.0).view(np.uint64)  # -0.0 becomes 0.0
            times = (_mixed(bits) >> np.uint64(32)).astype(np.uint32)
        yield piece, pairs, times


def _keys(pairs: np.ndarray, times: np.ndarray, *, with_times: bool) -> np.ndarray:
    return _mixed(pairs ^ times.astype(np.uint64)) if with_times else pairs


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return well-mixed uint64 hashes (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return spread


def _percent(share: float) -> str:
    if share in {0.0, 1.0}:
        return "all" if share else "none"
    return f"{max(share, 0.0001):.2%}" if share < 0.01 else f"{share:.0%}".replace("100%", "99%")
