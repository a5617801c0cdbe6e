"""Overlap: events that a model is evaluated on, and was trained on before.

A model folder keeps hashes of its training events: all of them, or a sample of about ten thousand.
Tokens and times are hashed, not numbers and positions, so that a copy in another order, format or
numbering, and a part of the data or more than it, are recognised. A sample holds the events whose
hash lies below a bound, so that looking for just these on the other side estimates the share.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from sasrec.data.corpus import Corpus
from sasrec.data.splits import Cases, Split

SAMPLE = 10_000
"""Events kept, give or take a few in a hundred; 160 KB in ``metrics.json``."""
PIECE = 2**20
"""Events hashed at a time."""
ALL = 2**64 - 1
"""Bound below which every hash lies, but for one."""
SAME_PAIRS = 0.9
"""Share of equal (user, item) pairs from which on data count as known though no time agrees; the
same person may well meet the same item again, but hardly so often."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """Hashes of training events.

    Attributes:
        pairs: uint64 [n], of user and item.
        times: uint32 [n], of the time; 0 where the data have none.
        trained: bool [n], whether the event trained, and was not kept back.
        below: Pairs with a hash up to this are kept.
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
            "pairs": _as_text(self.pairs.astype("<u8")),
            "times": _as_text(self.times.astype("<u4")),
            "trained": _as_text(self.trained.astype("<u1")),
        }


def sketch_from_json(values: object) -> Sketch | None:
    """Return what ``Sketch.as_json`` has written; None if there is none, or it was edited.

    Args:
        values: Of the file.
    """
    if not isinstance(values, dict):
        return None
    try:
        sketch = Sketch(
            pairs=_from_text(values["pairs"], "<u8").astype(np.uint64),
            times=_from_text(values["times"], "<u4").astype(np.uint32),
            trained=_from_text(values["trained"], "<u1") > 0,
            below=int(values["below"]),
            has_times=bool(values["has_times"]),
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    sizes = {len(sketch.pairs), len(sketch.times), len(sketch.trained)}
    return sketch if len(sizes) == 1 and 0 <= sketch.below <= ALL else None


def sketch_of(corpus: Corpus, split: Split) -> Sketch:
    """Return hashes of the events of a data set.

    Args:
        corpus: The data set.
        split: Which of its events train.

    Returns:
        All of them, or a sample.
    """
    n_events = corpus.sequences.n_events
    below = ALL if n_events <= SAMPLE else int(SAMPLE / n_events * 2**64)
    found = []
    for places, pairs, times in _hashed(corpus, np.arange(n_events)):
        kept = pairs <= np.uint64(below)
        found.append((pairs[kept], times[kept], _trains(split, places[kept])))
    pairs, times, trained = (np.concatenate(each) for each in zip(*found, strict=True))
    return Sketch(pairs, times, trained, below, corpus.sequences.times is not None)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of what a model is evaluated on it has met before.

    Attributes:
        events: Share of the events, 0 to 1.
        validation_targets: Share of the validation targets that were trained on.
        test_targets: The same of the test targets.
        estimated: Whether the shares were estimated from a sample.
        times_differ: Whether users and items agree, and times do not.
    """

    events: float
    validation_targets: float
    test_targets: float
    estimated: bool
    times_differ: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the attributes as JSON holds them."""
        return asdict(self)

    def text(self, source: str) -> str:
        """Return in a sentence what a user must know of it.

        Args:
            source: What to call the data.
        """
        how = " (estimated from a sample)" if self.estimated else ""
        but = ", though with other times" if self.times_differ else ""
        known = (
            f"{_percent(self.events)} of the events of {source} are also in the data the model was "
            f"trained on{but}{how}"
        )
        if not max(self.test_targets, self.validation_targets):
            return f"{known}; it was trained on none of the targets it is tested on"
        return (
            f"{known}, and it was trained on {_percent(self.test_targets)} of the test targets and "
            f"{_percent(self.validation_targets)} of the validation targets: such figures are too "
            "good; evaluate on events that it has not met"
        )


def overlap(sketch: Sketch, corpus: Corpus, tested: Corpus, split: Split) -> Overlap | None:
    """Return how much of what a model is evaluated on it has met before; None if it is nothing.

    Args:
        sketch: Of the data it was trained on.
        corpus: The data it is evaluated on.
        tested: The same in the model's own numbers; events of unknown items may be missing.
        split: Of that.
    """
    with_times = sketch.has_times and corpus.sequences.times is not None
    every = np.arange(corpus.sequences.n_events)
    share = _share(sketch, corpus, every, with_times=with_times)
    times_differ = False
    if with_times and not share:
        pairs = _share(sketch, corpus, every, with_times=False)
        if pairs >= SAME_PAIRS:
            share, with_times, times_differ = pairs, False, True
    if not share:
        return None

    def trained_on(cases: Cases) -> float:
        return _share(sketch, tested, cases.stops, with_times=with_times, only_trained=True)

    validation, test = trained_on(split.validation), trained_on(split.test)
    return Overlap(share, validation, test, sketch.below < ALL, times_differ)


def _share(
    sketch: Sketch,
    corpus: Corpus,
    places: np.ndarray,
    *,
    with_times: bool,
    only_trained: bool = False,
) -> float:
    """Return the share of some events that a sketch knows, 0 to 1."""
    known = sketch.trained if only_trained else np.ones(len(sketch.pairs), dtype=bool)
    keys = _keys(sketch.pairs[known], sketch.times[known], with_times=with_times)
    met = looked_at = 0
    for _, pairs, times in _hashed(corpus, places):
        sampled = pairs <= np.uint64(sketch.below)
        met += np.isin(_keys(pairs[sampled], times[sampled], with_times=with_times), keys).sum()
        looked_at += sampled.sum()
    return float(met / looked_at) if looked_at else 0.0


def _trains(split: Split, places: np.ndarray) -> np.ndarray:
    """Return which events train, bool, as ``Split.train_items`` counts them."""
    first = split.sequences.offsets[:-1]
    begins = np.where(split.train_starts == first + 1, first, split.train_starts)
    owners = np.searchsorted(split.sequences.offsets, places, side="right") - 1
    trains: np.ndarray = (places >= begins[owners]) & (places < split.train_stops[owners])
    return trains


def _hashed(
    corpus: Corpus, places: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Hash events, a piece at a time.

    Args:
        corpus: The data set.
        places: int64 [n], which of its events.

    Yields:
        Some places, the hash of user and item of each, uint64, and that of its time, uint32.
    """
    sequences = corpus.sequences
    users = _token_hashes(corpus.users.entries)
    items = _token_hashes(corpus.items.entries)
    for begin in range(0, max(len(places), 1), PIECE):
        piece = places[begin : begin + PIECE]
        owners = np.searchsorted(sequences.offsets, piece, side="right") - 1
        pairs = _mixed(_mixed(users[owners]) + items[sequences.items[piece] - 1])
        times = np.zeros(len(piece), dtype=np.uint32)
        if sequences.times is not None:
            bits = (sequences.times[piece] + 0.0).view(np.uint64)  # -0.0 is 0.0
            times = (_mixed(bits) >> np.uint64(32)).astype(np.uint32)
        yield piece, pairs, times


def _keys(pairs: np.ndarray, times: np.ndarray, *, with_times: bool) -> np.ndarray:
    return _mixed(pairs ^ times.astype(np.uint64)) if with_times else pairs


def _token_hashes(entries: pl.Series) -> np.ndarray:
    """Return a hash of each token, uint64, the same in all versions and on all machines."""
    hashes = np.empty(len(entries), dtype="<u8")
    for begin in range(0, len(entries), PIECE):
        tokens = entries.slice(begin, PIECE).to_list()
        digests = (hashlib.blake2b(token.encode(), digest_size=8).digest() for token in tokens)
        hashes[begin : begin + PIECE] = np.frombuffer(b"".join(digests), dtype="<u8")
    return hashes.astype(np.uint64)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return uint64 values spread evenly (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return spread


def _percent(share: float) -> str:
    if share in {0.0, 1.0}:
        return "all" if share else "none"
    return f"{max(share, 0.0001):.2%}" if share < 0.01 else f"{share:.0%}".replace("100%", "99%")


def _as_text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _from_text(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=kind)
