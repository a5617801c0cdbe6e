"""Explanation: what a model looks at, and what its recommendations rest on, in numbers.

Attention says where a model looks, not what decides: a position may be looked at and change
nothing. So the effect of each event on a recommendation is measured beside it, by leaving it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.grouping import sorted_groups
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.errors import DataError
from sasrec.models.parts.recording import recorded_attention
from sasrec.recommender.recommender import Recommender
from sasrec.system.forking import use_one_thread_if_forked

POSITIONS = 15
"""Newest positions of the average map, as in the paper's figure 4."""
BATCH_POSITIONS = 2**12
MOST_GROUPS = 40
"""Groups of items looked at, those of most items; a picture of more could not be read."""


@dataclass(frozen=True, slots=True)
class AverageAttention:
    """Where a model looks on average.

    Attributes:
        by_position: float [layers, K, K]; row i looks at column j, both counted so that the last is
            the newest event (with BERT4Rec the mask that stands for the next one); mean over heads
            and over histories of at least K events.
        by_distance: float [layers, K]; how much the newest event looks at the one so many events
            back, mean over heads and over all histories that are long enough.
        histories: How many were looked at.
        groups: Names of item groups, or none.
        between_groups: float [G, G]; how much events of a group look at earlier events of another,
            as a multiple of what they would if they looked at all evenly; NaN without such pairs.
    """

    by_position: np.ndarray
    by_distance: np.ndarray
    histories: int
    groups: list[str]
    between_groups: np.ndarray


def average_attention(
    recommender: Recommender,
    sequences: Sequences,
    *,
    groups: dict[str, list[str]] | None = None,
    most: int = 1000,
    seed: int = 0,
) -> AverageAttention:
    """Return where a model looks on average over the histories of a data set.

    Args:
        recommender: With attention.
        sequences: Histories in the model's item numbers.
        groups: Item token to the groups it belongs to.
        most: Histories to look at, drawn at random if there are more.
        seed: Of the draw.

    Returns:
        The averages.

    Raises:
        DataError: The model has no attention, or no history has two events.
    """
    lengths = sequences.lengths()
    users = np.flatnonzero(lengths >= 2)
    if not len(users):
        raise DataError("no history has two events, so there is nothing to look back on")
    generator = np.random.default_rng(seed)
    users = np.sort(generator.permutation(users)[:most])
    kept = np.minimum(lengths[users], recommender.max_history)
    starts = sequences.offsets[users + 1] - kept
    windows = Windows(starts, kept, np.zeros_like(kept), np.zeros_like(kept))
    names, members = _membership(recommender, groups or {})
    sums = _Sums(len(names))
    model = recommender.model
    device = next(model.parameters()).device
    collator = Collator(sequences, with_times=model.needs_times and sequences.times is not None)
    for group in sorted_groups(windows, BATCH_POSITIONS):
        batch = collator.batch(windows.take(group)).to(device)
        use_one_thread_if_forked()
        with torch.inference_mode(), recorded_attention(model) as maps:
            model.encode(batch, batch.last)
        if not maps:
            raise DataError(f"{recommender.settings['model_name']} has no attention to look at")
        layers = torch.stack([each.mean(1) for each in maps], dim=1).float().cpu().numpy()
        items = batch.items.cpu().numpy()
        asking = layers.shape[-1] - batch.longest  # BERT4Rec's mask stands behind the events
        for row, begin, length in zip(
            layers, batch.offsets[:-1].tolist(), kept[group], strict=True
        ):
            belong = members[items[begin : begin + length]]
            size = length + asking
            sums.add(row[:, :size, :size], np.pad(belong, ((0, asking), (0, 0))))
    return sums.averages(names, len(users))


class _Sums:
    """Adds maps of different sizes up."""

    def __init__(self, n_groups: int) -> None:
        self.square: np.ndarray | None = None
        self.squares = 0
        self.back: np.ndarray | None = None
        self.counts = np.zeros(POSITIONS)
        self.found = np.zeros((n_groups, n_groups))
        self.even = np.zeros((n_groups, n_groups))

    def add(self, maps: np.ndarray, members: np.ndarray) -> None:
        """Take in the maps [layers, L, L] of one history, its events' groups being [L, G]."""
        layers, length, _ = maps.shape
        if self.square is None or self.back is None:
            self.square = np.zeros((layers, POSITIONS, POSITIONS))
            self.back = np.zeros((layers, POSITIONS))
        reach = min(length, POSITIONS)
        self.back[:, :reach] += maps[:, -1, ::-1][:, :reach]
        self.counts[:reach] += 1
        if length >= POSITIONS:
            self.square += maps[:, -POSITIONS:, -POSITIONS:]
            self.squares += 1
        if members.shape[1]:
            earlier = np.tril(np.ones((length, length)), -1)
            self.found += members.T @ (maps.mean(0) * earlier) @ members
            evenly = earlier / np.arange(1, length + 1)[:, None]
            self.even += members.T @ evenly @ members

    def averages(self, names: list[str], histories: int) -> AverageAttention:
        """Return the means.

        Args:
            names: Of the groups.
            histories: How many were added.

        Returns:
            The averages.

        Raises:
            DataError: Nothing was added.
        """
        if self.square is None or self.back is None:
            raise DataError("there is no history to look at")
        with np.errstate(invalid="ignore", divide="ignore"):
            return AverageAttention(
                by_position=self.square / self.squares,
                by_distance=self.back / self.counts,
                histories=histories,
                groups=names,
                between_groups=self.found / self.even,
            )


def _membership(
    recommender: Recommender, groups: dict[str, list[str]]
) -> tuple[list[str], np.ndarray]:
    """Return group names, and which items belong to each, float [V, G]; shares sum to one."""
    sizes = Counter(group for some in groups.values() for group in some)
    names = sorted(name for name, _ in sizes.most_common(MOST_GROUPS))
    number = {name: place for place, name in enumerate(names)}
    members = np.zeros((len(recommender.items) + 1, len(names)))
    tokens = list(groups)
    for token, item in zip(tokens, recommender.items.numbers(tokens), strict=True):
        for group in number.keys() & groups[token] if item else ():
            members[item, number[group]] = 1 / len(groups[token])
    return names, members


def effects(
    recommender: Recommender,
    history: Sequence[str],
    items: Sequence[str],
    *,
    times: Sequence[float] | None = None,
    user: str | None = None,
) -> np.ndarray:
    """Return how much each event of a history raises the scores of some items.

    The effect of an event is the score with the whole history minus the score without the event
    (occlusion); unlike attention it says what decides.

    Args:
        recommender: Any.
        history: Item tokens, oldest first.
        items: Item tokens whose scores are asked for.
        times: When each event was; for models that look at it.
        user: Token of the person, for models that know people.

    Returns:
        float32 [events, items]; of a history of one event NaN, as nothing is left without it.
    """
    places = range(len(history))
    shorter = [[token for at, token in enumerate(history) if at != place] for place in places]
    moments = None
    if times is not None:
        moments = [list(times)] + [
            [time for at, time in enumerate(times) if at != place] for place in places
        ]
    asked = [list(history), *shorter]
    scores = recommender.score(asked, items, times=moments, users=[user] * len(asked))
    change: np.ndarray = scores[0] - scores[1:]
    if len(history) == 1:
        change = np.full_like(change, np.nan)
    return change
