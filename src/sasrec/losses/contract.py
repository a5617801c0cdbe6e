"""What a loss is, and how to add one.

A loss is one object: it says which training settings it reads and whether it needs negatives, and
it builds the function that training lowers. To add one, write a function, wrap it in
``SampledLoss`` (or ``FullLoss``, for a loss over the whole catalogue), and register the object.
From a script or a package of your own:

    import torch
    import sasrec
    from sasrec.losses.contract import SampledLoss
    from sasrec.losses.scores import pair_scores

    def margin(hidden, targets, table, negatives):
        positive, negative = pair_scores(hidden, targets, table, negatives.items)
        excess = torch.relu(1 + negative - positive[:, None])
        return excess.sum() / max(len(targets), 1)

    sasrec.register_loss(SampledLoss("Margin", lambda settings, n_items: margin))

Inside this package the last line is a line of ``LOSSES`` in ``settings/registry.py``:
``"Margin": "sasrec.losses.margin:MARGIN"``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sasrec.errors import SettingsError
from sasrec.losses.drawing import Draw, Negatives, negative_sampler
from sasrec.losses.scores import Table, hardest
from sasrec.settings.training import LossTraits, Sampler, TrainingSettings, no_item_vectors

Objective = Callable[[Tensor, Tensor, Table], Tensor]
"""From supervised states [P, d], their targets [P] and the item table [V, d] to the mean loss, a
scalar (0 without positions). Where a model has no item table, the third is a function that scores
candidates: from states [P, d] and items [P, K] to [P, K]."""
FullFunction = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From supervised states, targets and item vectors to the mean loss."""
SampledFunction = Callable[[Tensor, Tensor, Table, Negatives], Tensor]
"""The same with negatives; these come fresh for each batch."""


class Loss(LossTraits, Protocol):
    """A loss as training needs it; ``FullLoss`` and ``SampledLoss`` are the two kinds."""

    def objective(
        self,
        settings: TrainingSettings,
        *,
        counts: np.ndarray,
        device: torch.device,
        generator: torch.Generator,
    ) -> Objective:
        """Return the function that a run lowers; whatever memory it keeps lives as long as it.

        Args:
            settings: Of the run.
            counts: int64 [V], training events of each item.
            device: Where the run computes.
            generator: Source of negatives, on that device.

        Returns:
            From states, targets and item table (or scorer) to a scalar.

        Raises:
            SettingsError: The loss cannot be used with these data.
        """
        ...


@dataclass(frozen=True, slots=True)
class FullLoss:
    """A loss that compares the target with all items; it needs item vectors and no negatives.

    Attributes:
        name: What users write for ``loss``; upper and lower case do not matter.
        build: From the settings of a run and the number of items (padding not counted) to the
            function of states [P, d], targets [P] and item vectors [V, d].
        uses: Training settings that it reads and that not all losses do.
    """

    name: str
    build: Callable[[TrainingSettings, int], FullFunction]
    uses: frozenset[str] = field(default=frozenset(), kw_only=True)

    @property
    def sampler(self) -> Sampler | None:
        """None, as it needs no negatives."""
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
        """Return the function that a run lowers.

        Args:
            settings: Of the run.
            counts: int64 [V], training events of each item.
            device: Has no effect.
            generator: Has no effect.

        Returns:
            From states, targets and item table to a scalar.
        """
        return _with_item_vectors(self.build(settings, len(counts) - 1), self.name)


@dataclass(frozen=True, slots=True)
class SampledLoss:
    """A loss that compares the target with negatives.

    Attributes:
        name: What users write for ``loss``; upper and lower case do not matter.
        build: From the settings of a run and the number of items (padding not counted) to the
            function of states [P, d], targets [P], item table (or scorer) and negatives.
        sampler: How negatives are drawn where the settings say ``auto``.
        uses: Training settings that it reads and that not all losses with negatives do.
        needs_item_vectors: Whether it cannot do with a function that scores candidates.
        is_pairwise: Whether it is -log sigmoid(score of the target - score of the negative), which
            some models have compiled epochs for.
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
        """Return the function that a run lowers; it draws new negatives at each call.

        Args:
            settings: Of the run.
            counts: int64 [V], training events of each item.
            device: Where negatives are drawn.
            generator: Their source, on that device.

        Returns:
            From states, targets and item table (or scorer) to a scalar.

        Raises:
            SettingsError: There are not two items to draw from.
        """
        if (counts[1:] > 0).sum() < 2:
            raise SettingsError(
                f"loss {self.name} needs at least two items to draw a negative from"
            )
        function = self.build(settings, len(counts) - 1)
        draw = negative_sampler(settings, counts=counts, device=device, generator=generator)
        whole: Objective = _against_negatives(function, draw, settings)
        if self.needs_item_vectors:
            whole = _with_item_vectors(whole, self.name)
        if self.is_pairwise and _is_one_of_its_own(settings):
            return PairObjective(whole, lambda targets: draw(targets, 1).items[:, 0])
        return whole


@dataclass(frozen=True, slots=True)
class PairObjective:
    """-log sigmoid(score of the target - score of one negative), for models that do it by pairs.

    Attributes:
        plain: From states, targets and item table (or scorer) to a scalar.
        draw: From targets [P] to their negatives [P], the same draws as ``plain`` makes.
    """

    plain: Objective
    draw: Callable[[Tensor], Tensor]

    def __call__(self, hidden: Tensor, targets: Tensor, table: Table) -> Tensor:
        """Return what ``plain`` returns."""
        return self.plain(hidden, targets, table)


def _is_one_of_its_own(settings: TrainingSettings) -> bool:
    """Return whether each target has one negative, drawn for it alone and not chosen further."""
    is_shared = settings.shared_negatives or settings.sampler == "in_batch"
    return settings.negative_count == 1 and not settings.negative_candidates and not is_shared


def _against_negatives(
    function: SampledFunction, draw: Draw, settings: TrainingSettings
) -> Objective:
    """Return a loss that draws its negatives itself, the hardest of several if so asked for."""
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
    """Return a loss that refuses models without item vectors."""

    def checked(hidden: Tensor, targets: Tensor, table: Table) -> Tensor:
        if not isinstance(table, Tensor):
            raise SettingsError(no_item_vectors("this model", name))
        return function(hidden, targets, table)

    return checked
