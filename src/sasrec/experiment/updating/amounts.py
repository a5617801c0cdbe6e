"""How much an update trains: epochs, learning rate and replay, from the amounts of events."""

from __future__ import annotations

from dataclasses import dataclass

from sasrec.settings.resolve import RunSettings

REPLAY = 1.0
"""Earlier targets in an epoch for each new one."""
EPOCHS = 8
"""Epochs over the new targets."""
RATE = 1.0
"""Learning rate, as a share of that of the training."""
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
        trained: Targets that the model was trained on before, in all.
    """

    new: int
    earlier: int
    trained: int


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
    epochs = EPOCHS
    steps = epochs * -(-targets // batch)
    return {
        "epochs": epochs,
        "batch_size": batch,
        "learning_rate": training.learning_rate * RATE,
        "schedule": "cosine",
        "warmup_steps": max(1, round(WARMUP * steps)),
        "patience": epochs,
    }
