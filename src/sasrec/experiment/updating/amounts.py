"""How much an update trains: epochs, learning rate and replay, from the amounts of events."""

from __future__ import annotations

from dataclasses import dataclass

from sasrec.settings.resolve import RunSettings

REPLAY = 1.0
"""Earlier targets in an epoch for each new one."""
EPOCHS, FEWEST_EPOCHS = 8, 2
"""Epochs over the new targets."""
WORK = 0.04
"""Most targets that an update trains on, as a share of those of a training; epochs are reduced
to that, but not below the fewest."""
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

    Args:
        amounts: Numbers of targets.
        ratio: Earlier targets for each new one, as the user wants it; None for the default.
    """
    wanted = round((REPLAY if ratio is None else ratio) * amounts.new)
    return min(wanted, amounts.earlier)


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
    if amounts.best_epoch is None:
        return EPOCHS
    most = WORK * amounts.best_epoch * (amounts.trained + amounts.new)
    return int(min(EPOCHS, max(FEWEST_EPOCHS, most // targets)))
