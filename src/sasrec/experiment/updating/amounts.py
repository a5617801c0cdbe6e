"""How much an update trains: epochs, learning rate and replay, from the amounts of events."""

from __future__ import annotations

from dataclasses import dataclass

from sasrec.settings.resolve import RunSettings

MOST_REPLAY, LEAST_REPLAY = 9.0, 1.0
"""Earlier targets in an epoch for each new one: the most that is useful, and the least."""
MOST_EPOCHS, FEWEST_EPOCHS = 8, 3
"""Epochs over the new targets: the most that are useful, and the fewest."""
WORK = 0.03
"""Targets that an update trains on, as a share of those of a training on everything."""
STEPS_PER_EPOCH = 8
"""Batches are made smaller, so that an epoch has at least this many steps."""
SMALLEST_BATCH = 64
WARMUP = 0.1
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Numbers of targets.

    Attributes:
        new: New targets of the update.
        earlier: Earlier targets that can be replayed.
        trained: Events that the model was trained on before, in all.
        best_epoch: Epochs of the training; None if they are not known.
    """

    new: int
    earlier: int
    trained: int
    best_epoch: int | None = None


def replayed(amounts: Amounts, ratio: float | None) -> int:
    """Return how many earlier targets an epoch has.

    Replay makes an update like a training on everything, so it takes what the work leaves over.

    Args:
        amounts: Numbers of targets.
        ratio: Earlier targets for each new one, as the user wants it; None for the default.
    """
    work = _work(amounts)
    if ratio is None and work is None:
        ratio = MOST_REPLAY
    elif ratio is None:
        affordable = (work or 0) / (FEWEST_EPOCHS * amounts.new) - 1
        ratio = min(MOST_REPLAY, max(LEAST_REPLAY, affordable))
    return min(round(ratio * amounts.new), amounts.earlier)


def adapted_to_amounts(run: RunSettings, amounts: Amounts, n_replayed: int) -> dict[str, object]:
    """Return the training settings of an update.

    Args:
        run: The settings of the training before; what the user gave for the update is not changed.
        amounts: Numbers of targets.
        n_replayed: Earlier targets in an epoch.

    Returns:
        Setting to value.
    """
    targets = amounts.new + n_replayed
    training = run.training
    batch = min(training.batch_size, max(SMALLEST_BATCH, -(-targets // STEPS_PER_EPOCH)))
    epochs = epochs_for(amounts, targets)
    steps = epochs * -(-targets // batch)
    return {
        "epochs": epochs,
        "batch_size": batch,
        "schedule": "cosine",
        "warmup_steps": max(1, round(WARMUP * steps)),
        "patience": epochs,
    }


def epochs_for(amounts: Amounts, targets: int) -> int:
    """Return how often an update goes through its targets.

    Args:
        amounts: Numbers of targets.
        targets: New and replayed targets in an epoch, at least 1.
    """
    work = _work(amounts)
    if work is None:
        return MOST_EPOCHS
    return int(min(MOST_EPOCHS, max(FEWEST_EPOCHS, work // targets)))


def _work(amounts: Amounts) -> float | None:
    """Return on how many targets an update trains in all; None if the training is not known."""
    if amounts.best_epoch is None:
        return None
    return WORK * amounts.best_epoch * (amounts.trained + amounts.new)
