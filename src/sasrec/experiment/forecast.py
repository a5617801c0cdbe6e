"""Forecast: time and memory that a training will take, from a short measurement."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch

from sasrec.data.sources import load_corpus
from sasrec.data.splits import Cases
from sasrec.errors import counted
from sasrec.evaluation.measure import measure
from sasrec.evaluation.scoring import SCORE_BYTES
from sasrec.experiment.fitting import training_loop
from sasrec.experiment.prepared import Prepared, prepare, repeatable
from sasrec.experiment.step_times import Clock, epoch_seconds
from sasrec.models.contract import NextItemModel
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import canonical_model
from sasrec.settings.resolve import resolve_layers
from sasrec.system.memory import current_bytes, peak_bytes, release_memory_after
from sasrec.system.processes import process_info
from sasrec.training.loop import TrainingLoop
from sasrec.training.progress import LogObserver

if TYPE_CHECKING:
    from sasrec.data.sources import Source

BUDGET, VALIDATION_BUDGET = 1.5, 0.7
"""Seconds of training steps and of validation that are measured."""
SHORT = 1.0
"""A training whose epoch takes less seconds needs no forecast; its first epoch tells."""
WARM_UP_CASES, FEWEST_PARTS = 16, 3
"""Number of validation cases that are ranked first, and numbers of cases that are measured: each
is four times the one before."""
TYPICAL_BEST = 80
"""The best epoch of a typical training with early stopping: the median of 14 trainings on four data
sets (benchmarks/results/accuracy.csv), whose best epochs were from 21 to 188."""
PICTURE_BYTES = 60 * 2**20
"""Memory that the libraries take which draw the training curve and write the model."""


SCORE_BLOCKS = 2
"""Blocks of scores that the measurement of the model and the baselines keeps at a time."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a training will take on this machine.

    Attributes:
        training_seconds: Time of the steps of an epoch.
        validation_seconds: Time of a validation; 0 without one.
        epochs: The most epochs that can run.
        typical_epochs: A typical number with early stopping; None without it.
        validate_every: Number of epochs between validations; 0 for none.
        memory_bytes: Peak memory of the process.
        gpu_bytes: Peak memory of the GPU; None without one.
    """

    training_seconds: float
    validation_seconds: float
    epochs: int
    typical_epochs: int | None
    validate_every: int
    memory_bytes: int
    gpu_bytes: int | None = None

    @property
    def epoch_seconds(self) -> float:
        """Time of an epoch with its share of a validation."""
        return self.training_seconds + self.validation_seconds / max(self.validate_every, 1)

    @property
    def most_seconds(self) -> float:
        """Time of the most epochs that can run."""
        return self.epochs * self.epoch_seconds

    @property
    def typical_seconds(self) -> float | None:
        """Time of a typical number of epochs; None without early stopping."""
        return None if self.typical_epochs is None else self.typical_epochs * self.epoch_seconds

    def as_json(self) -> dict[str, Any]:
        """Return the numbers in types JSON has."""
        return {
            **asdict(self),
            "epoch_seconds": self.epoch_seconds,
            "typical_seconds": self.typical_seconds,
            "most_seconds": self.most_seconds,
        }

    def __str__(self) -> str:
        """Return the forecast as a line for people."""
        validated = ""
        if self.validation_seconds:
            validated = f" with {in_words(self.validation_seconds)} of validation"
        parts = [f"an epoch takes about {in_words(self.epoch_seconds)}{validated}"]
        if self.typical_epochs is not None and self.typical_seconds is not None:
            epochs = counted(self.typical_epochs, "epoch")
            parts.append(f"a typical training of {epochs} {in_words(self.typical_seconds)}")
        parts.append(f"{counted(self.epochs, 'epoch')} {in_words(self.most_seconds)} at most")
        memory = f"memory about {_size(self.memory_bytes)}"
        if self.gpu_bytes is not None:
            memory += f", on the GPU {_size(self.gpu_bytes)}"
        return f"{', '.join(parts)}; {memory}"


def forecast(
    data: Source,
    settings: Mapping[str, Any] | None = None,
    *,
    model: str = "SASRec",
    **keywords: Unpack[Keywords],
) -> Forecast:
    """Measure some training steps, and return what the whole training will take.

    It takes a few seconds and changes nothing: a training afterwards has the same weights.

    >>> print(forecast("ml-100k"))  # doctest: +SKIP
    an epoch takes about 1.2 s with 0.1 s of validation, …

    Args:
        data: A name, a path or a data frame, as for ``train``.
        settings: Values by the name of the setting.
        model: Name of the model.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        The forecast.
    """
    name = canonical_model(model)
    run = resolve_layers(
        given_layers(settings, keywords), name, DEFAULT if name == "SASRec" else None
    )
    return forecast_of(prepare(load_corpus(data, run.data), run))


def forecast_of(prepared: Prepared, *, clock: Clock = time.perf_counter) -> Forecast:
    """Measure some training steps of prepared data, and return what the training will take.

    Args:
        prepared: The data and the settings.
        clock: Such as ``time.perf_counter``.

    Returns:
        The forecast.
    """
    found = _measured(prepared, 0.0, clock)
    assert found is not None  # noqa: S101 - no epoch takes less than 0 seconds
    return found


def forecast_unless_short(prepared: Prepared) -> Forecast | None:
    """Return what a training will take; None if an epoch takes so little that it tells itself.

    Args:
        prepared: The data and the settings.

    Returns:
        The forecast; None too if several processes train together.
    """
    return None if process_info().processes > 1 else _measured(prepared, SHORT, time.perf_counter)


@release_memory_after()
@repeatable
def _measured(prepared: Prepared, short: float, clock: Clock) -> Forecast | None:
    """Return the forecast; None if an epoch takes less than ``short`` seconds."""
    settings = prepared.run.training
    before = peak_bytes()
    with torch.random.fork_rng():
        loop, _ = training_loop(prepared, LogObserver())
        training = epoch_seconds(loop, BUDGET, short=short, clock=clock)
        if training is None:
            return None
        validates = bool(settings.validate_every) and len(prepared.split.validation) > 0
        validation = _validation_seconds(loop.model, prepared, clock) if validates else 0.0
        used = current_bytes() or peak_bytes()
        gpu = _gpu_bytes(prepared.device)
        kept = _kept_bytes(loop, keeps_state=prepared.run.output.keep_training)
    return Forecast(
        training_seconds=training,
        validation_seconds=validation,
        epochs=settings.epochs,
        typical_epochs=_typical(prepared) if validates else None,
        validate_every=settings.validate_every if validates else 0,
        memory_bytes=max(before, used + kept + PICTURE_BYTES + _evaluation_bytes(prepared)),
        gpu_bytes=gpu,
    )


def _validation_seconds(model: NextItemModel, prepared: Prepared, clock: Clock) -> float:
    """Return the time of a validation, from a part of its cases."""
    protocol, cases = prepared.protocol, _by_target(prepared)
    limited = protocol.limited_to(protocol.settings.valid_metric)
    candidates = protocol.settings.validation_candidates
    measured = [(0, 0.0)]
    begin = time.perf_counter()
    for count in (min(WARM_UP_CASES * 4**step, len(cases)) for step in itertools.count()):
        some, started = _some(cases, count), clock()
        measure(model, limited, some, candidates=candidates)
        measured.append((count, clock() - started))
        # Four times as many cases take at most about four times as long.
        is_over = time.perf_counter() - begin > VALIDATION_BUDGET / 3
        if count == len(cases) or (is_over and len(measured) > FEWEST_PARTS):
            break
    return _all_cases(measured, len(cases))


def _all_cases(measured: Sequence[tuple[int, float]], total: int) -> float:
    """Return the time of all cases from numbers of cases and their times, the largest last.

    Part of the time does not depend on the number of cases, but the difference of two times is
    noisy: more cases take at least half as much time as in proportion, and at most as much.
    """
    (fewer, less), (count, seconds) = measured[-2:]
    if count == total:
        return seconds
    each = (seconds - less) / (count - fewer)
    each = min(max(each, seconds / count / 2), seconds / count)
    return seconds + each * (total - count)


def _by_target(prepared: Prepared) -> Cases:
    """Return the validation cases sorted by target, as ranking sorts them."""
    cases = prepared.split.validation
    order = np.argsort(prepared.split.sequences.items[cases.stops], kind="stable")
    return Cases(cases.users[order], cases.stops[order])


def _some(cases: Cases, count: int) -> Cases:
    """Return neighbours from the middle: a piece of a ranking has neighbours in this order."""
    begin = (len(cases) - count) // 2
    piece = slice(begin, begin + count)
    return Cases(cases.users[piece], cases.stops[piece])


def _typical(prepared: Prepared) -> int:
    """Return a typical number of epochs: until the best one, and then until it stops."""
    settings = prepared.run.training
    after = (settings.patience + 1) * settings.validate_every
    return min(settings.epochs, TYPICAL_BEST + after)


def _kept_bytes(loop: TrainingLoop, *, keeps_state: bool) -> int:
    """Return the size of what training keeps besides: the best weights, and the state to save."""
    weights = _bytes(loop.model.state_dict().values())
    if not keeps_state:
        return weights
    state = sum(_bytes(each.values()) for each in loop.optimiser.state.values())
    return 4 * weights + state  # safetensors copies weights, average, best and state


def _evaluation_bytes(prepared: Prepared) -> int:
    """Return what the measurement at the end takes: blocks of scores of all items."""
    split = prepared.split
    most = 4 * (prepared.n_items + 1) * max(len(split.validation), len(split.test))
    return SCORE_BLOCKS * min(most, SCORE_BYTES)


def _bytes(values: Iterable[object]) -> int:
    tensors = (each for each in values if isinstance(each, torch.Tensor))
    return sum(each.numel() * each.element_size() for each in tensors)


def _gpu_bytes(device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    peak = int(torch.cuda.max_memory_reserved(device))
    torch.cuda.empty_cache()
    return peak


def in_words(seconds: float) -> str:
    """Return a duration in words, such as ``1.3 s``, ``4.2 min`` or ``3.1 h``.

    Args:
        seconds: The duration.
    """
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _size(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"
