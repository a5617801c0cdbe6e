"""Tests that every model must pass; one line runs them on your own model.

    import sasrec.testing
    from my_package import MyModel

    test_my_model = sasrec.testing.model_tests(MyModel)

pytest then shows one test for each check, such as ``test_my_model[states_do_not_see_the_future]``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.experiment.train import train
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.registration import check_model, register_model
from sasrec.recommender.loading import load
from sasrec.settings.registry import MODELS

N_ITEMS, N_USERS, MAX_HISTORY = 30, 9, 8
HISTORIES = ([3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8, 9, 7], [3])
"""Item numbers of four windows; some items repeat, and one window has a single event."""
USERS = (1, 2, 3, 0)
DATA = f"synthetic:users=40,items={N_ITEMS},length=10,topics=5,seed=1"
NEAR = 1e-5
"""Relative tolerance for sums in a different order; float32 is exact to about 1e-7."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model class and the settings it is tested with.

    Attributes:
        kind: The model class.
        settings: Settings of the model that differ from its defaults.
    """

    kind: type[NextItemModel]
    settings: Mapping[str, object] = field(default_factory=dict)

    def made(self, seed: int = 0) -> NextItemModel:
        """Return the model with random weights, in evaluation mode.

        Args:
            seed: Seed of torch's generator.

        Returns:
            The model.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            group = self.kind.Settings(**self.settings)
            return self.kind(group, Catalogue(N_ITEMS, N_USERS, MAX_HISTORY)).eval()


def model_tests(
    model: type[NextItemModel], settings: Mapping[str, object] | None = None
) -> Callable[..., None]:
    """Return a pytest test that runs every check on a model.

    Args:
        model: The model class; it need not be registered.
        settings: Settings of the model that differ from its defaults.

    Returns:
        A parametrised test function; assign it to a name that begins with ``test``.
    """
    import pytest

    subject = Subject(model, settings or {})

    @pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
    def test(check: Callable[[Subject], None]) -> None:
        check(subject)

    return test


def it_keeps_the_contract(subject: Subject) -> None:
    """The class satisfies the contract for registered models.

    Args:
        subject: The model.
    """
    check_model(subject.kind, subject.kind.__name__)


def there_is_a_score_for_every_event_and_item(subject: Subject) -> None:
    """States are [P, d] and scores [P, V], and both are finite.

    Args:
        subject: The model.
    """
    model, batch = subject.made(), batch_of(HISTORIES, USERS)
    with torch.no_grad():
        hidden = model.encode(batch)
        scores = model.score(hidden)
    shape = list(hidden.shape)
    _expect(len(shape) == 2 and shape[0] == 15, f"states are {shape}, not [15, d]")
    _expect(
        list(scores.shape) == [15, N_ITEMS + 1],
        f"scores are {list(scores.shape)}, not [15, {N_ITEMS + 1}] (padding is item 0)",
    )
    _expect(bool(scores.isfinite().all()), "a score of a model with random weights is not finite")


def states_do_not_see_the_future(subject: Subject) -> None:
    """Changing an event does not change the states before it.

    Args:
        subject: The model.
    """
    model = subject.made()
    with torch.no_grad():
        before = model.encode(batch_of([[3, 1, 4, 1, 5, 9]]))
        after = model.encode(batch_of([[3, 1, 4, 2, 5, 9]]))
    _expect_near(before[:3], after[:3], "the states of events 1 to 3 change with event 4")


def states_depend_on_their_own_window_only(subject: Subject) -> None:
    """A history has the same states alone and in a batch with others.

    Args:
        subject: The model.
    """
    model = subject.made()
    with torch.no_grad():
        together = model.encode(batch_of(HISTORIES, USERS))
        alone = [
            model.encode(batch_of([history], [user]))
            for history, user in zip(HISTORIES, USERS, strict=True)
        ]
    _expect_near(together, torch.cat(alone), "states depend on the other windows of the batch")


def padding_changes_no_state(subject: Subject) -> None:
    """Windows padded with zeros to one length have the same states as windows without padding.

    Args:
        subject: The model.
    """
    longest = max(map(len, HISTORIES))
    filled = [history + [0] * (longest - len(history)) for history in HISTORIES]
    real = torch.tensor([item > 0 for history in filled for item in history])
    model = subject.made()
    with torch.no_grad():
        plain = model.encode(batch_of(HISTORIES, USERS))
        padded = model.encode(batch_of(filled, USERS))[real]
    _expect_near(plain, padded, "states change if padding is added after the events")


def states_wanted_at_some_positions_are_those_of_all(subject: Subject) -> None:
    """``encode(batch, at)`` is ``encode(batch)[at]``.

    Args:
        subject: The model.
    """
    model, batch, at = subject.made(), batch_of(HISTORIES, USERS), torch.tensor([4, 2, 13, 13])
    with torch.no_grad():
        _expect_near(model.encode(batch, at), model.encode(batch)[at], "encode ignores 'at'")


def candidates_get_the_scores_of_the_whole_ranking(subject: Subject) -> None:
    """``score(hidden, items)`` returns the same scores as ``score(hidden)`` for these items.

    Args:
        subject: The model.
    """
    model = subject.made()
    with torch.no_grad():
        hidden = model.encode(batch_of(HISTORIES, USERS))
        candidates = torch.arange(len(hidden) * 3).reshape(-1, 3) % (N_ITEMS + 1)
        picked = model.score(hidden).gather(1, candidates)
        _expect_near(model.score(hidden, candidates), picked, "score(hidden, items) is wrong")


def the_same_seed_makes_the_same_model(subject: Subject) -> None:
    """Initial weights depend only on torch's seed, and evaluation is deterministic.

    Args:
        subject: The model.
    """
    first, second = subject.made(seed=1), subject.made(seed=1)
    weights = second.state_dict()
    for name, value in first.state_dict().items():
        _expect(torch.equal(value, weights[name]), f"the weight {name} differs with the same seed")
    batch = batch_of(HISTORIES, USERS)
    with torch.no_grad():
        same = torch.equal(first.encode(batch), first.encode(batch))
    _expect(same, "two calls of encode return different states in evaluation mode")


def gradients_are_finite(subject: Subject) -> None:
    """All gradients are finite, and at least one weight has a gradient.

    Args:
        subject: The model.
    """
    model = subject.made().train()
    batch = model.prepare(batch_of(HISTORIES, USERS))
    model.score(model.encode(batch)).square().mean().backward()  # type: ignore[no-untyped-call]
    gradients = {name: each.grad for name, each in model.named_parameters()}
    for name, grad in gradients.items():
        _expect(
            grad is None or bool(grad.isfinite().all()), f"{name} has a gradient that is not finite"
        )
    _expect(any(each is not None for each in gradients.values()), "no weight has a gradient")


def it_trains_the_same_each_time_and_loads(subject: Subject) -> None:
    """Two short trainings give the same recommendations, and so does the saved and loaded model.

    Padding is never recommended, and no item is recommended twice.

    Args:
        subject: The model.
    """
    settings: dict[str, Any] = {"epochs": 2, "max_history": MAX_HISTORY, **subject.settings}
    name = _name_of(subject.kind)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        first = train(DATA, settings, model=name, out=folder)
        second = train(DATA, settings, model=name)
        loaded = load(folder)
    history = first.items.entries.to_list()[:3]
    answers = [each.recommend([history], k=N_ITEMS)[0] for each in (first, second, loaded)]
    _expect(answers[0] == answers[1], "two trainings with the same seed differ")
    _expect(answers[0] == answers[2], "the loaded model recommends other items")
    items = answers[0].items
    _expect(len(set(items)) == len(items) <= N_ITEMS, "an item is recommended twice")


def batch_of(histories: Sequence[Sequence[int]], users: Sequence[int] | None = None) -> Batch:
    """Return a batch of histories, in the form in which a model gets them.

    Args:
        histories: Item numbers from 1, oldest first; zeros after them are padding.
        users: User number of each history; None gives all of them the unknown user, 0.

    Returns:
        The batch, on the CPU. The target of each event is the next event; timestamps are one hour
        apart.
    """
    items = torch.tensor([item for history in histories for item in history])
    ends = torch.tensor([0, *(len(history) for history in histories)]).cumsum(0)
    next_items = [item for history in histories for item in (*history[1:], 0)]
    return Batch(
        items=items,
        offsets=ends,
        targets=torch.tensor(next_items),
        users=torch.tensor(users if users is not None else [0] * len(histories)),
        negatives=None,
        longest=max(map(len, histories)),
        times=torch.arange(len(items), dtype=torch.float64) * 3600,
    )


def _name_of(kind: type[NextItemModel]) -> str:
    """Return the name of a model, which is registered if it is not built in."""
    built_in = (name for name in MODELS.built_in if MODELS[name] is kind)
    return next(built_in, None) or register_model(kind).__name__


def _expect(holds: bool, otherwise: str) -> None:
    """Fail the test with a message if a condition is False.

    Raises:
        AssertionError: The condition is False.
    """
    if not holds:
        raise AssertionError(otherwise)


def _expect_near(found: Tensor, expected: Tensor, otherwise: str) -> None:
    """Fail the test if values differ by more than rounding errors."""
    _expect(found.shape == expected.shape, f"{otherwise}: {list(found.shape)}")
    difference = float((found - expected).abs().max())
    _expect(
        difference <= NEAR * max(1.0, float(expected.abs().max())),
        f"{otherwise} (by {difference:.2g})",
    )


CHECKS: tuple[Callable[[Subject], None], ...] = (
    it_keeps_the_contract,
    there_is_a_score_for_every_event_and_item,
    states_do_not_see_the_future,
    states_depend_on_their_own_window_only,
    padding_changes_no_state,
    states_wanted_at_some_positions_are_those_of_all,
    candidates_get_the_scores_of_the_whole_ranking,
    the_same_seed_makes_the_same_model,
    gradients_are_finite,
    it_trains_the_same_each_time_and_loads,
)
"""All checks; each takes a ``Subject`` and raises AssertionError if the model does not pass."""
