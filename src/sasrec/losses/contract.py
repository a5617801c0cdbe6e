"""The interface of a loss, and how to add one.

A loss is an object. It states which training settings it reads and whether it needs negatives, and
it builds the function that training minimises. To add a loss, write a function, wrap it in
``SampledLoss`` (or ``FullLoss`` for a loss over the whole catalogue), and register the object. In
your own script or package:

    import torch
    import sasrec
    from sasrec.losses.contract import SampledLoss
    from sasrec.losses.scores import pair_scores

    def margin(hidden, targets, table, negatives):
        positive, negative = pair_scores(hidden, targets, table, negatives.items)
        excess = torch.relu(1 + negative - positive[:, None])
        return excess.sum() / max(len(targets), 1)

    sasrec.register_loss(SampledLoss("Margin", lambda settings, n_items: margin))

For a loss inside this package, replace the last line by an entry of ``LOSSES`` in
``settings/registry.py``:
``"Margin": "sasrec.losses.margin:MARGIN"``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from sasrec.errors import SettingsError
from sasrec.losses.drawing import Draw, Negatives, negative_sampler
from sasrec.losses.scores import Table, hardest
from sasrec.settings.training import LossTraits, Sampler, TrainingSettings, no_item_vectors

Objective = Callable[[Tensor, Tensor, Table], Tensor]
"""Maps supervised states [P, d], their targets [P] and the item table [V, d] to the mean loss, a
scalar (0 if there are no positions). For a model without an item table, the third argument is a
function that scores candidates: it maps states [P, d] and items [P, K] to scores [P, K]."""
FullFunction = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps supervised states, targets and item vectors to the mean loss."""
SampledFunction = Callable[[Tensor, Tensor, Table, Negatives], Tensor]
"""The same, with negatives as the fourth argument; each batch has new ones."""

Built = TypeVar("Built", FullFunction, SampledFunction)


class Loss(LossTraits, Protocol):
    """The interface that training uses; ``FullLoss`` and ``SampledLoss`` implement it."""

    def objective(
        self,
        settings: TrainingSettings,
        *,
        counts: np.ndarray,
        device: torch.device,
        generator: torch.Generator,
    ) -> Objective:
        """Return the function that a run minimises; it may keep working memory between calls.

        Args:
            settings: Training settings of the run.
            counts: int64 [V], training events of each item.
            device: The device of the run.
            generator: Random number generator for negatives, on that device.

        Returns:
            A function from states, targets and item table (or scorer) to a scalar.

        Raises:
            SettingsError: The loss cannot be used with these data.
        """
        ...


@dataclass(frozen=True, slots=True)
class FullLoss:
    """A loss that compares the target with all items; it needs item vectors but no negatives.

    Attributes:
        name: Value of the setting ``loss`` that selects it; upper and lower case do not matter.
        build: Maps the settings of a run and the number of items (padding not counted) to a
            function of states [P, d], targets [P] and item vectors [V, d].
        uses: Training settings that this loss reads and other losses may ignore.
    """

    name: str
    build: Callable[[TrainingSettings, int], FullFunction]
    uses: frozenset[str] = field(default=frozenset(), kw_only=True)

    @property
    def sampler(self) -> Sampler | None:
        """None, because this loss needs no negatives."""
        return None

    @property
    def needs_item_vectors(self) -> bool:
        """True."""
        return True

    def objective(
        self,
        settings: TrainingSettings,
        *,
        counts: np.ndarray,
        device: torch.device,
        generator: torch.Generator,
    ) -> Objective:
        """Return the function that a run minimises.

        Args:
            settings: Training settings of the run.
            counts: int64 [V], training events of each item.
            device: Not used.
            generator: Not used.

        Returns:
            A function from states, targets and item table to a scalar.
        """
        function = _built(self.build(settings, len(counts) - 1))
        return _with_item_vectors(function, self.name)


@dataclass(frozen=True, slots=True)
class SampledLoss:
    """A loss that compares the target with negatives.

    Attributes:
        name: Value of the setting ``loss`` that selects it; upper and lower case do not matter.
        build: Maps the settings of a run and the number of items (padding not counted) to a
            function of states [P, d], targets [P], item table (or scorer) and negatives.
        sampler: How negatives are drawn if the setting ``negatives`` is ``auto``.
        uses: Training settings that this loss reads and other losses with negatives may ignore.
        needs_item_vectors: Whether it needs item vectors; otherwise a scorer is enough.
        is_pairwise: Whether it is -log sigmoid(score of the target - score of the negative). Some
            models have compiled training epochs for this loss.
    """

    name: str
    build: Callable[[TrainingSettings, int], SampledFunction]
    sampler: Sampler = field(default="uniform", kw_only=True)
    uses: frozenset[str] = field(default=frozenset(), kw_only=True)
    needs_item_vectors: bool = field(default=False, kw_only=True)
    is_pairwise: bool = field(default=False, kw_only=True)

    def objective(
        self,
        settings: TrainingSettings,
        *,
        counts: np.ndarray,
        device: torch.device,
        generator: torch.Generator,
    ) -> Objective:
        """Return the function that a run minimises; it draws new negatives at each call.

        Args:
            settings: Training settings of the run.
            counts: int64 [V], training events of each item.
            device: The device that draws negatives.
            generator: Random number generator for negatives, on that device.

        Returns:
            A function from states, targets and item table (or scorer) to a scalar.

        Raises:
            SettingsError: Fewer than two items occur in the training data.
        """
        if (counts[1:] > 0).sum() < 2:
            raise SettingsError(
                f"loss {self.name} needs at least two items to draw a negative from"
            )
        function = _built(self.build(settings, len(counts) - 1))
        draw = negative_sampler(settings, counts=counts, device=device, generator=generator)
        whole: Objective = _against_negatives(function, draw, settings)
        if self.needs_item_vectors:
            whole = _with_item_vectors(whole, self.name)
        if self.is_pairwise and _has_single_negative(settings):
            return PairObjective(whole, lambda targets: draw(targets, 1).items[:, 0])
        return whole


@dataclass(frozen=True, slots=True)
class PairObjective:
    """-log sigmoid(score of the target - score of one negative), for models that train by pairs.

    Attributes:
        plain: Maps states, targets and item table (or scorer) to a scalar.
        draw: Maps targets [P] to their negatives [P]; it draws in the same way as ``plain``.
    """

    plain: Objective
    draw: Callable[[Tensor], Tensor]

    def __call__(self, hidden: Tensor, targets: Tensor, table: Table) -> Tensor:
        """Return the result of ``plain``."""
        return self.plain(hidden, targets, table)


def _built(function: Built) -> Built:
    """Return what a loss built.

    Raises:
        TypeError: It is not a function.
    """
    if not callable(function):
        raise TypeError(
            f"build returns a {type(function).__name__}; it must return the loss function"
        )
    return function


def _has_single_negative(settings: TrainingSettings) -> bool:
    """Return whether each target has one negative, not shared and not selected from candidates."""
    is_shared = settings.shared_negatives or settings.sampler == "in_batch"
    return settings.negative_count == 1 and not settings.negative_candidates and not is_shared


def _against_negatives(
    function: SampledFunction, draw: Draw, settings: TrainingSettings
) -> Objective:
    """Return a loss that draws its negatives; with candidates, it uses the hardest of each set."""
    count, candidates = settings.negative_count, settings.negative_candidates

    def against_drawn(hidden: Tensor, targets: Tensor, table: Table) -> Tensor:
        return function(hidden, targets, table, draw(targets, count))

    def against_hardest(hidden: Tensor, targets: Tensor, table: Table) -> Tensor:
        items, log_expected = draw(targets, count * candidates)
        sets = items.view(-1, count, candidates)
        chosen = hardest(hidden, table, sets)
        if isinstance(log_expected, Tensor):
            log_expected = log_expected.view(sets.shape).gather(2, chosen)[:, :, 0]
        taken = Negatives(sets.gather(2, chosen)[:, :, 0], log_expected)
        return function(hidden, targets, table, taken)

    return against_hardest if candidates else against_drawn


def _with_item_vectors(function: FullFunction, name: str) -> Objective:
    """Return a loss that raises an error for models without item vectors."""

    def checked(hidden: Tensor, targets: Tensor, table: Table) -> Tensor:
        if not isinstance(table, Tensor):
            raise SettingsError(no_item_vectors("this model", name))
        return function(hidden, targets, table)

    return checked
