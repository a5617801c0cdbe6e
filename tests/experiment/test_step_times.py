"""The time of an epoch follows from a few of its steps; the clock here is made up."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sasrec.experiment import step_times
from sasrec.experiment.step_times import epoch_seconds


class Steps:
    """A training loop whose steps take the time that a function of their size says."""

    def __init__(self, sizes: list[int], base: float, slope: float, prepares: float) -> None:
        self._sizes, self._base, self._slope, self._prepares = sizes, base, slope, prepares
        self.now = 0.0
        self.taken = 0
        self.model = torch.nn.Linear(1, 1)
        self.device, self.own_epochs = torch.device("cpu"), None
        self.order = np.random.default_rng(0)
        self.batches = SimpleNamespace(
            n_targets=10 * len(sizes), sizes=lambda order: np.array(sizes)
        )

    def steps(self) -> Iterator[tuple[Tensor, int]]:
        self.now += self._prepares
        for size in self._sizes:
            self.now += self._base + self._slope * size
            self.taken += 1
            yield torch.zeros(()), 10

    @property
    def truth(self) -> float:
        return self._prepares + sum(self._base + self._slope * size for size in self._sizes)

    def measured(self, budget: float, short: float = 0.0) -> float | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(step_times, "time", SimpleNamespace(perf_counter=lambda: self.now))
            return epoch_seconds(self, budget, short=short, clock=lambda: self.now)  # type: ignore[arg-type]


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=60),
    st.floats(0.01, 1),
    st.floats(0, 0.01),
    st.floats(0, 5),
)
def test_an_epoch_within_the_budget_is_measured_whole(
    sizes: list[int], base: float, slope: float, prepares: float
) -> None:
    loop = Steps(sizes, base, slope, prepares)
    assert loop.measured(1e9) == pytest.approx(loop.truth)


def test_steps_of_other_sizes_are_extrapolated_by_their_size() -> None:
    sizes = [100, 200, 100, 300, *range(400, 1400, 10)]
    loop = Steps(sizes, base=0.1, slope=0.01, prepares=3)
    assert loop.measured(9.0) == pytest.approx(loop.truth, rel=0.01)
    assert loop.taken < 12


def test_a_step_takes_at_most_proportionally_more_time() -> None:
    sizes = [1, 1, 2, 2, *[1000] * 50]
    loop = Steps(sizes, base=0.0, slope=0.1, prepares=0)
    assert loop.measured(0.5) <= 1.01 * loop.truth  # type: ignore[operator]


def test_one_slow_step_is_not_repeated_often() -> None:
    loop = Steps([10] * 100, base=60.0, slope=0, prepares=0)
    assert loop.measured(1.5) == pytest.approx(loop.truth)
    assert loop.taken == 4


def test_a_short_epoch_is_left_after_a_few_steps() -> None:
    loop = Steps([10] * 50, base=0.01, slope=0, prepares=0.01)
    assert loop.measured(1.5, short=1.0) is None
    assert loop.taken == 5
    assert Steps([10] * 500, base=0.01, slope=0, prepares=0).measured(1.5, short=1.0) is not None
    assert Steps([10] * 2, base=0.01, slope=0, prepares=0).measured(1.5, short=1.0) is None
