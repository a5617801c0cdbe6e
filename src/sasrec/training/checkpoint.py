"""Checkpoints: all that training needs to go on as if it had never stopped, in one file.

The file holds weights, their average, the optimiser's memory, the best weights so far, and the
state of every source of random numbers; it is safetensors, with the rest as JSON in its header, and
it is replaced whole or not at all.
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
"""Raised when older versions could not read a file any more."""


@dataclass(frozen=True, slots=True)
class TrainState:
    """Training after some epoch.

    Attributes:
        tensors: Name to value.
        facts: Everything else, in types JSON has.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @property
    def epochs(self) -> list[EpochResult]:
        """What each epoch came to."""
        return [EpochResult(**each) for each in self.facts["epochs"]]


class InProgress(Protocol):
    """What lasts from one epoch to the next, as the trainer holds it.

    Attributes:
        model: Being trained.
        flat: Its weights, and those alone that are trained.
        average: Of the weights.
        optimiser: With what it remembers.
        schedule: Of the learning rate; None where it is constant.
        order: Source of the order of windows.
        device: Where the model is.
    """

    model: NextItemModel
    flat: FlatWeights
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR | None
    order: np.random.Generator
    device: torch.device


Keep = Callable[[TrainState], None]
"""What to do with the state after each epoch."""


def captured(
    run: InProgress,
    best: Best,
    epochs: Sequence[EpochResult],
    generators: Sequence[torch.Generator],
) -> TrainState:
    """Return the state of training; its tensors are those in use, not copies.

    Args:
        run: Optimiser, order, average.
        best: The best weights so far.
        epochs: What each epoch came to.
        generators: Further sources of random numbers, such as that of negatives.

    Returns:
        The state.
    """
    tensors = {f"weights.{n}": weight.detach() for n, weight in enumerate(run.flat.weights)}
    tensors |= {f"average.{n}": value for n, value in enumerate(run.average.values)}
    tensors |= {f"best.{name}": value for name, value in best.weights.items()}
    memory = run.optimiser.state_dict()["state"]
    for place, values in memory.items():
        tensors |= {
            f"optimiser.{place}.{name}": torch.as_tensor(value) for name, value in values.items()
        }
    tensors["random.torch"] = torch.get_rng_state()
    if run.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(run.device)
    tensors |= {f"random.{n}": each.get_state() for n, each in enumerate(generators)}
    return TrainState(
        tensors,
        {
            "epochs": [asdict(each) for each in epochs],
            "order": run.order.bit_generator.state,
            "average_steps": run.average.steps,
            "rates": [group["lr"] for group in run.optimiser.param_groups],
            "schedule_steps": None if run.schedule is None else run.schedule.last_epoch,
            "best": {"epoch": best.epoch, "stale": best.stale, "score": best.score},
        },
    )


@torch.no_grad()
def restore(
    state: TrainState, run: InProgress, best: Best, generators: Sequence[torch.Generator]
) -> list[EpochResult]:
    """Bring training into a state that was captured before.

    Args:
        state: Of a run with the same settings, data and versions.
        run: Just made.
        best: Just made.
        generators: As when it was captured.

    Returns:
        What each epoch came to.

    Raises:
        ModelError: The state is of another model or optimiser.
    """
    tensors, facts = state.tensors, state.facts
    try:
        _check(state, run)
        for n, weight in enumerate(run.flat.weights):
            weight.copy_(tensors[f"weights.{n}"])
        for n, value in enumerate(run.average.values):
            value.copy_(tensors[f"average.{n}"])
        run.optimiser.load_state_dict(
            {
                "state": _memory(tensors),
                "param_groups": run.optimiser.state_dict()["param_groups"],
            }
        )
        for group, rate in zip(run.optimiser.param_groups, facts["rates"], strict=True):
            group["lr"] = rate
        if run.schedule is not None:
            run.schedule.last_epoch = facts["schedule_steps"]
        best.weights = {
            name.removeprefix("best."): value.clone().to(run.device)
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        kept = facts["best"]
        best.epoch, best.stale, best.score = kept["epoch"], kept["stale"], kept["score"]
        run.average.steps = facts["average_steps"]
        run.order.bit_generator.state = facts["order"]
        torch.set_rng_state(tensors["random.torch"])
        if run.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], run.device)
        for n, generator in enumerate(generators):
            generator.set_state(tensors[f"random.{n}"])
        return state.epochs
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the checkpoint does not fit this training: {reason}") from error


def _check(state: TrainState, run: InProgress) -> None:
    """Refuse a state that was edited or is of something else, though it might be taken.

    Args:
        state: As read.
        run: What it is for.

    Raises:
        KeyError: A part is missing.
        ValueError: A part has another shape, or is no number.
        TypeError: A part is of another type.
    """
    tensors, kept = state.tensors, state.facts["best"]
    if not state.epochs or not all(type(each.epoch) is int for each in state.epochs):
        raise ValueError("it names no epochs")
    counts = (kept["epoch"], kept["stale"], state.facts["average_steps"])
    if any(type(number) is not int for number in counts) or type(kept["score"]) is not float:
        raise TypeError("a count or score is no number")
    expected: dict[str, Tensor] = {
        f"weights.{n}": weight for n, weight in enumerate(run.flat.weights)
    }
    expected |= {f"average.{n}": value for n, value in enumerate(run.average.values)}
    if kept["epoch"]:
        expected |= {f"best.{name}": value for name, value in run.model.state_dict().items()}
    for name, value in expected.items():
        found = tensors[name]
        if found.shape != value.shape:
            raise ValueError(f"{name} has shape {list(found.shape)}, not {list(value.shape)}")
        if not found.isfinite().all():
            raise ValueError(f"{name} holds values that are no finite numbers; train anew")
    empty = isinstance(run.optimiser, torch.optim.SGD)  # without momentum it remembers nothing
    if not empty and not _memory(tensors):
        raise ValueError("the optimiser's memory is missing")


def _memory(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Return the optimiser's memory by weight and name."""
    memory: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, place, what = name.split(".", 2)
            memory.setdefault(int(place), {})[what] = value
    return memory


def save_state(state: TrainState, about: dict[str, Any], path: Path) -> None:
    """Write a checkpoint; what was there is replaced whole, or stays.

    Args:
        state: Of training.
        about: What is needed to begin again: settings, data, versions; in types JSON has.
        path: The file.

    Raises:
        ModelError: It cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    head = {"format": FORMAT, "facts": state.facts, "about": about}
    facts = {"training": json.dumps(head)}
    try:
        write_atomically_with(path, lambda working: save_file(tensors, working, facts))
    except (DataError, SafetensorError) as error:  # the second is for a full disk
        raise ModelError(f"the checkpoint could not be kept: {error}") from error


def load_state(path: Path) -> tuple[TrainState, dict[str, Any]]:
    """Read a checkpoint.

    Args:
        path: The file.

    Returns:
        The state, and what ``save_state`` was told about it.

    Raises:
        ModelError: It is missing, damaged, or comes from a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(
            f"{path}: no such checkpoint; it is there while a training is not finished"
        )
    try:
        with safe_open(path, framework="pt") as file:
            head = json_within_limits((file.metadata() or {})["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if head["format"] > FORMAT:
            raise ModelError(f"{path} comes from a newer version of sasrec; update it")
        return TrainState(tensors, head["facts"]), dict(head["about"])
    except KeyError as error:
        raise ModelError(f"{path} is no checkpoint of a training: it lacks {error}") from error
    except (
        SafetensorError,
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ModelError(f"{path} is damaged, or no checkpoint: {error}") from error
