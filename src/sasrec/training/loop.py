"""The training loop: the steps of an epoch, and the state that lasts across epochs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sasrec.data.batches.batching import Batch
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.errors import ModelError
from sasrec.losses.contract import Objective, PairObjective
from sasrec.models.contract import NextItemModel
from sasrec.models.epochs import Epochs, Training
from sasrec.settings.training import TrainingSettings
from sasrec.system.device import pick_precision
from sasrec.system.processes import average_gradients, process_info, sum_over_processes
from sasrec.training.averaging import WeightAverage
from sasrec.training.divergence import bad_loss_message, warn_if_diverging
from sasrec.training.flat import FlatWeights
from sasrec.training.optimisers import decay_groups, make_optimiser, make_schedule
from sasrec.training.progress import Observer

ROUND_ROWS = 64
"""The number of supervised positions is padded to a multiple of this."""


class TrainingLoop:
    """Takes the steps of each epoch; holds optimiser, average and random numbers across epochs."""

    def __init__(
        self,
        model: NextItemModel,
        batches: TrainingBatches,
        loss: Objective,
        *,
        settings: TrainingSettings,
        observer: Observer,
    ) -> None:
        """Create the optimiser and the random number generator for the order of windows.

        Args:
            model: The model, on the device to train on.
            batches: The training data.
            loss: The loss to minimise.
            settings: Optimiser, learning rate, seed, precision and others.
            observer: Receives the progress of each epoch.
        """
        self.model, self.batches, self.loss = model, batches, loss
        self.settings, self.observer = settings, observer
        self.device = next(model.parameters()).device
        self.order = np.random.default_rng(settings.seed)
        self.flat = FlatWeights(*decay_groups(model, settings))
        decaying, undecayed = self.flat.groups
        self.optimiser = make_optimiser(decaying, settings, undecayed)
        steps = batches.n_steps if settings.schedule == "cosine" else 1
        self.schedule = make_schedule(
            self.optimiser, settings, total_steps=max(1, steps * settings.epochs)
        )
        self.clip_norm, self.clip_norm_type = settings.clip_norm, settings.clip_norm_type
        self.average = WeightAverage(self.flat.weights, settings.averaging)
        self.process = process_info()
        # On a GPU this check would force a synchronisation in each step, and with several processes
        # all of them must stop at the same step.
        self.checks_each_step = self.device.type == "cpu" and self.process.processes == 1
        self.first_loss: float | None = None
        self.own_epochs = self._own_epochs()
        self.uses_bfloat16 = pick_precision(settings.precision, self.device) == "bfloat16"

    def epoch(self, number: int) -> tuple[float, float, int]:
        """Train one epoch.

        Args:
            number: Number of the epoch, from 1.

        Returns:
            Mean loss, seconds, and number of training targets.

        Raises:
            ModelError: The loss became NaN or infinite.
        """
        self.model.train()
        started = time.perf_counter()
        losses: list[Tensor] = []
        counts: list[int] = []
        done, total = 0, self.batches.n_targets
        for loss, count in self.steps():
            losses.append(loss)
            counts.append(count)
            if self.checks_each_step and not loss.isfinite():
                break
            done += count
            self.observer.advanced(number, min(done * self.process.processes, total))
        mean, done = self._mean(losses, counts)
        rate = self.optimiser.param_groups[0]["lr"]
        if not math.isfinite(mean):
            raise ModelError(bad_loss_message(self.model, losses, epoch=number, rate=rate))
        if number == 1:
            self.first_loss = float(losses[0]) if losses else 0.0
        if self.first_loss is not None and warn_if_diverging(
            mean, self.first_loss, epoch=number, rate=rate
        ):
            self.first_loss = None  # warn only once
        return mean, time.perf_counter() - started, done

    def steps(self) -> Iterator[tuple[Tensor, int]]:
        """Take the steps of an epoch.

        Yields:
            The loss before each step, detached, and the number of its targets.
        """
        own = self.own_epochs
        yield from self._steps() if own is None else own.epoch(self.order)

    def _own_epochs(self) -> Epochs | None:
        """Return the model's own implementation of epochs, if it has one for these settings."""
        if self.process.processes > 1 or self.schedule is not None or self.clip_norm is not None:
            return None
        if self.batches.split.trains is not None:  # compiled epochs train on every event
            return None
        draw = self.loss.draw if isinstance(self.loss, PairObjective) else None
        return self.model.own_epochs(
            Training(self.batches, draw, self.optimiser, self.flat, self.average)
        )

    def _steps(self) -> Iterator[tuple[Tensor, int]]:
        """Take the steps of an epoch, and yield the loss and number of targets of each."""
        on_cpu = self.device.type == "cpu"
        epoch = self.batches.padded_epoch if on_cpu else self.batches.epoch
        for batch in epoch(self.order):
            batch = self.model.prepare(batch)
            count = batch.n_supervised
            if count is None:  # the model has chosen other targets
                count = int((batch.targets > 0).sum())
            yield self.step(batch.to(self.device)), count

    def _mean(self, losses: list[Tensor], counts: list[int]) -> tuple[float, int]:
        """Return the mean loss over the targets of all processes, and the number of targets."""
        weights = torch.tensor(counts, dtype=torch.float64).to(self.device)
        total = (torch.stack(losses).double() * weights).sum() if losses else weights.sum()
        loss, done = sum_over_processes(torch.stack([total, weights.sum()])).tolist()
        return loss / max(done, 1), int(done)  # the only synchronisation of the epoch

    def step(self, batch: Batch) -> Tensor:
        """Take one optimiser step.

        Args:
            batch: A prepared batch on the device.

        Returns:
            The loss before the step, detached.
        """
        supervised = batch.supervised
        # Padded to few different sizes, because bfloat16 products prepare a kernel for each size.
        extra = -len(supervised) % ROUND_ROWS
        with self._autocast():
            hidden = self.model(batch, F.pad(supervised, (0, extra)))[: len(supervised)]
            table = self.model.item_table
            scorer = self.model.score if table is None else table
            loss = self.loss(hidden, batch.targets[supervised], scorer)
            penalty = self.model.penalty()
            if penalty is not None:
                loss = loss + penalty
        if self.checks_each_step and not loss.isfinite():
            return loss.detach()  # keep the gradients of the last step, for the error text
        self.flat.forget_gradients()
        loss.backward()  # type: ignore[no-untyped-call]
        self.flat.gather_gradients()
        if self.process.processes > 1:
            average_gradients(self.flat.weights, len(supervised))
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.flat.weights, self.clip_norm, self.clip_norm_type)
        self.optimiser.step()
        if self.schedule is not None:
            self.schedule.step()
        self.average.update()
        return loss.detach()

    def _autocast(self) -> AbstractContextManager[object]:
        if not self.uses_bfloat16:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)
