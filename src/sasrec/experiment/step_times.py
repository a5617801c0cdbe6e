"""Time of a training epoch, from a few of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.training.loop import TrainingLoop

Clock = Callable[[], float]
"""Returns seconds since some moment."""
WARM_UP, FEWEST = 2, 2
"""Steps that are taken before the measurement, and steps that are always measured."""
LOOKED_AT = 3
"""After this many steps it is known whether an epoch is short."""
AT_ONCE = 0.1
"""Compiled epochs take many steps and then yield their losses; a step that took less than this
share of the longest one was taken before."""


@dataclass(frozen=True, slots=True)
class StepTimes:
    """How long the measured steps took.

    Attributes:
        seconds: float64 [n], of each step.
        counts: int64 [n], targets of each step.
    """

    seconds: np.ndarray
    counts: np.ndarray


def epoch_seconds(loop: TrainingLoop, budget: float, *, short: float, clock: Clock) -> float | None:
    """Return the time that an epoch takes; the loop is of no use afterwards.

    Args:
        loop: A new training loop.
        budget: Seconds after which no further step is measured.
        short: If an epoch takes less, the measurement ends after a few steps; 0 never ends it.
        clock: Such as ``time.perf_counter``.

    Returns:
        Seconds; None if it takes less than ``short``.
    """
    loop.model.train()
    begin = time.perf_counter()
    for _ in zip(range(WARM_UP), loop.steps(), strict=False):
        if time.perf_counter() - begin > budget:
            break
    order = deepcopy(loop.order)
    times = _timed(loop, budget, short, clock)
    if times is None:
        return None
    sizes = loop.batches.sizes(order) if loop.own_epochs is None else None
    found = _extrapolated(times, loop.batches.n_targets, sizes)
    return None if found < short else found


def _timed(loop: TrainingLoop, budget: float, short: float, clock: Clock) -> StepTimes | None:
    """Return the time of the first steps of an epoch; None if the epoch is short."""
    seconds: list[float] = []
    counts: list[int] = []
    total, begin = loop.batches.n_targets, time.perf_counter()
    for step, count in _ticking(loop.steps(), loop.device, clock):
        is_over = time.perf_counter() - begin > budget and len(seconds) >= FEWEST
        if is_over and step > AT_ONCE * max(seconds):
            break
        seconds.append(step)
        counts.append(count)
        if len(seconds) == LOOKED_AT and short:
            rest = float(np.mean(seconds[1:])) * (total - sum(counts)) / max(counts)
            if sum(seconds) + rest < short:
                return None
    return StepTimes(np.array(seconds), np.array(counts))


def _ticking(
    steps: Iterator[tuple[Tensor, int]], device: torch.device, clock: Clock
) -> Iterator[tuple[float, int]]:
    """Yield the seconds and the number of targets of each step."""
    before = clock()
    for _, count in steps:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = clock()
        yield now - before, count
        before = clock()


def _extrapolated(times: StepTimes, total: int, sizes: np.ndarray | None) -> float:
    """Return the time of all steps.

    The first step includes the preparation of the epoch. With the sizes of all steps, the time of
    those that were not measured is found by linear regression on their size.

    Args:
        times: Of the measured steps.
        total: Number of targets of the epoch.
        sizes: int64 [steps], positions of each step after padding; None if many steps are taken
            together.
    """
    seconds, done = times.seconds, int(times.counts.sum())
    whole = float(seconds.sum())
    if done >= total or (sizes is not None and len(seconds) >= len(sizes)):
        return whole
    if sizes is None or len(seconds) < 2:
        return whole * total / max(done, 1)
    later, measured, others = seconds[1:], sizes[1 : len(seconds)], sizes[len(seconds) :]
    mean, spread = float(later.mean()), float(measured.var())
    slope = float(np.cov(measured, later, bias=True)[0, 1]) / spread if spread else 0.0
    # More positions never take less time, nor more than in proportion.
    slope = min(max(slope, 0.0), mean / max(float(measured.mean()), 1.0))
    return whole + len(others) * (mean + slope * float(others.mean() - measured.mean()))
