"""Checkpoints: the complete state of a training, from which it can be resumed exactly.

A checkpoint is one safetensors file with the weights, their average, the state of the optimiser,
the best weights so far, and the states of all random number generators. Everything else is JSON in
the header of the file. The file is replaced completely or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sasrec.errors import DataError, ModelError
from sasrec.models.contract import NextItemModel
from sasrec.system.json_limits import json_within_limits
from sasrec.system.writing import write_atomically_with
from sasrec.training.averaging import WeightAverage
from sasrec.training.best import Best
from sasrec.training.flat import FlatWeights
from sasrec.training.progress import EpochResult

FORMAT = 1
"""Version of the file format; increase it if older versions cannot read the file."""


@dataclass(frozen=True, slots=True)
class TrainState:
    """The state of a training after an epoch.

    Attributes:
        tensors: Name to value.
        facts: Everything else, in types JSON has.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @property
    def epochs(self) -> list[EpochResult]:
        """Results of each epoch."""
        return [EpochResult(**each) for each in self.facts["epochs"]]


class ResumableLoop(Protocol):
    """The parts of a training loop that a checkpoint stores.

    Attributes:
        model: The model being trained.
        flat: Its weights as the optimiser sees them.
        average: Moving average of the weights.
        optimiser: The optimiser.
        schedule: Learning rate schedule; None if the learning rate is constant.
        order: Random number generator for the order of windows.
        device: Device of the model.
    """

    model: NextItemModel
    flat: FlatWeights
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR | None
    order: np.random.Generator
    device: torch.device


Keep = Callable[[TrainState], None]
"""A function that saves the state after each epoch."""


def captured(
    loop: ResumableLoop,
    best: Best,
    epochs: Sequence[EpochResult],
    generators: Sequence[torch.Generator],
) -> TrainState:
    """Return the state of training; the tensors are not copied.

    Args:
        loop: The training loop.
        best: The best weights so far.
        epochs: Results of each epoch.
        generators: Further random number generators, such as that of negatives.

    Returns:
        The state.
    """
    tensors = {f"weights.{n}": weight.detach() for n, weight in enumerate(loop.flat.weights)}
    tensors |= {f"average.{n}": value for n, value in enumerate(loop.average.values)}
    tensors |= {f"best.{name}": value for name, value in best.weights.items()}
    optimiser_state = loop.optimiser.state_dict()["state"]
    for index, values in optimiser_state.items():
        tensors |= {
            f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in values.items()
        }
    tensors["random.torch"] = torch.get_rng_state()
    if loop.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(loop.device)
    tensors |= {f"random.{n}": each.get_state() for n, each in enumerate(generators)}
    return TrainState(
        tensors,
        {
            "epochs": [asdict(each) for each in epochs],
            "order": loop.order.bit_generator.state,
            "average_steps": loop.average.steps,
            "rates": [group["lr"] for group in loop.optimiser.param_groups],
            "schedule_steps": None if loop.schedule is None else loop.schedule.last_epoch,
            "best": {"epoch": best.epoch, "stale": best.stale, "score": best.score},
        },
    )


@torch.no_grad()
def restore(
    state: TrainState, loop: ResumableLoop, best: Best, generators: Sequence[torch.Generator]
) -> list[EpochResult]:
    """Restore a captured state, so that training can be resumed.

    Args:
        state: State of a training with the same settings, data and versions.
        loop: A new training loop.
        best: A new store of the best weights.
        generators: The same generators as in ``captured``.

    Returns:
        Results of each epoch so far.

    Raises:
        ModelError: The state belongs to another model or optimiser.
    """
    tensors, facts = state.tensors, state.facts
    try:
        _check(state, loop)
        for n, weight in enumerate(loop.flat.weights):
            weight.copy_(tensors[f"weights.{n}"])
        for n, value in enumerate(loop.average.values):
            value.copy_(tensors[f"average.{n}"])
        loop.optimiser.load_state_dict(
            {
                "state": optimiser_state(tensors),
                "param_groups": loop.optimiser.state_dict()["param_groups"],
            }
        )
        for group, rate in zip(loop.optimiser.param_groups, facts["rates"], strict=True):
            group["lr"] = rate
        if loop.schedule is not None:
            loop.schedule.last_epoch = facts["schedule_steps"]
        best.weights = {
            name.removeprefix("best."): value.clone().to(loop.device)
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        saved = facts["best"]
        best.epoch, best.stale, best.score = saved["epoch"], saved["stale"], saved["score"]
        loop.average.steps = facts["average_steps"]
        loop.order.bit_generator.state = facts["order"]
        torch.set_rng_state(tensors["random.torch"])
        if loop.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], loop.device)
        for n, generator in enumerate(generators):
            generator.set_state(tensors[f"random.{n}"])
        return state.epochs
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the checkpoint does not fit this training: {reason}") from error


def _check(state: TrainState, loop: ResumableLoop) -> None:
    """Reject an edited or foreign state that would otherwise be restored without an error.

    Args:
        state: State to restore.
        loop: The training loop to restore it in.

    Raises:
        KeyError: A value is missing.
        ValueError: A tensor has another shape, or is NaN or infinite.
        TypeError: A value has the wrong type.
    """
    tensors, best = state.tensors, state.facts["best"]
    if not state.epochs or not all(type(each.epoch) is int for each in state.epochs):
        raise ValueError("it has no epochs")
    counts = (best["epoch"], best["stale"], state.facts["average_steps"])
    if any(type(number) is not int for number in counts) or type(best["score"]) is not float:
        raise TypeError("a count or score is not a number")
    expected: dict[str, Tensor] = {
        f"weights.{n}": weight for n, weight in enumerate(loop.flat.weights)
    }
    expected |= {f"average.{n}": value for n, value in enumerate(loop.average.values)}
    if best["epoch"]:
        expected |= {f"best.{name}": value for name, value in loop.model.state_dict().items()}
    for name, value in expected.items():
        found = tensors[name]
        if found.shape != value.shape:
            raise ValueError(f"{name} has shape {list(found.shape)}, not {list(value.shape)}")
        if not found.isfinite().all():
            raise ValueError(f"{name} contains NaN or infinity; start a new training")
    is_stateless = isinstance(loop.optimiser, torch.optim.SGD)  # SGD without momentum has no state
    if not is_stateless and not optimiser_state(tensors):
        raise ValueError("the state of the optimiser is missing")


def optimiser_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Return the optimiser's state: index of the weight to name to value.

    Args:
        tensors: Tensors of a state.
    """
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, part = name.split(".", 2)
            found.setdefault(int(index), {})[part] = value
    return found


def save_state(state: TrainState, about: dict[str, Any], path: Path) -> None:
    """Write a checkpoint; an existing one is replaced completely, or kept if writing fails.

    Args:
        state: State of training.
        about: Settings, data and versions, which are needed to resume; in types JSON has.
        path: The file.

    Raises:
        ModelError: The file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    head = {"format": FORMAT, "facts": state.facts, "about": about}
    facts = {"training": json.dumps(head)}
    try:
        write_atomically_with(path, lambda working: save_file(tensors, working, facts))
    except (DataError, SafetensorError) as error:  # SafetensorError: the disk is full
        raise ModelError(f"the checkpoint could not be saved: {error}") from error


def load_state(path: Path) -> tuple[TrainState, dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: The file.

    Returns:
        The state, and ``about`` as given to ``save_state``.

    Raises:
        ModelError: The file is missing, damaged, or comes from a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint; only an unfinished training has one")
    try:
        with safe_open(path, framework="pt") as file:
            head = json_within_limits((file.metadata() or {})["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if head["format"] > FORMAT:
            raise ModelError(
                f"{path} comes from a newer version of sasrec; upgrade with "
                "'pip install --upgrade sasrec'"
            )
        return TrainState(tensors, head["facts"]), dict(head["about"])
    except KeyError as error:
        raise ModelError(f"{path} is not a checkpoint: it lacks {error}") from error
    except (
        SafetensorError,
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ModelError(f"{path} is damaged or not a checkpoint: {error}") from error
