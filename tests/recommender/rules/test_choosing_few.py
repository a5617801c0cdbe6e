"""The choice with NumPy for a few rows equals the plain one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.recommender.rules import ranking as ranking_module
from sasrec.recommender.rules.choosing import Diversity, Groups, Ranking, choose
from sasrec.recommender.rules.choosing_few import choose_few


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 4),
    places=st.integers(1, 40),
    k=st.integers(1, 12),
    strength=st.sampled_from([None, 0.3, 0.9, 1.0]),
    n_columns=st.integers(0, 2),
    extra=st.integers(0, 1),
)
def test_both_choose_the_same(
    seed: int,
    rows: int,
    places: int,
    k: int,
    strength: float | None,
    n_columns: int,
    extra: int,
) -> None:
    random = np.random.default_rng(seed)
    v = 50
    items = np.array([random.choice(np.arange(1, v), places, replace=False) for _ in range(rows)])
    values = -np.sort(-random.integers(-20, 20, items.shape) / 4.0, axis=1)
    for row, length in enumerate(random.integers(0, places + 1, rows)):
        items[row, length:], values[row, length:] = 0, -np.inf
    ranking = Ranking(torch.from_numpy(items), torch.from_numpy(values), extra=extra)
    vectors = torch.from_numpy(random.normal(size=(v, 3))).float()
    vectors[random.integers(1, v, 10)] = vectors[1].clone()
    diversity = None
    if strength is not None:
        diversity = Diversity(strength, int(random.integers(1, 30)), vectors)
    groups = None
    if n_columns:
        codes = torch.from_numpy(random.integers(-1, 4, (v, n_columns)))
        groups = Groups(codes, torch.from_numpy(random.integers(1, 3, n_columns)))
    plain = choose(ranking, k, groups=groups, diversity=diversity)
    fast = choose_few(ranking, k, groups=groups, diversity=diversity)
    assert fast.places.tolist() == plain.places.tolist()
    # Cosines are summed in another order, so slacks differ by rounding in double precision.
    np.testing.assert_allclose(fast.slack.numpy(), plain.slack.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("device_places", [0, 2**11])
def test_few_places_are_chosen_from_with_numpy(
    device_places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    monkeypatch.setattr(ranking_module, "FEW", device_places)
    for name in ("choose", "choose_few"):
        monkeypatch.setattr(ranking_module, name, lambda *_, name=name, **__: used.append(name))
    items = torch.arange(1, 9)[None]
    request = ranking_module.ListRequest.of(
        3, torch.zeros(9, dtype=torch.bool), _rules(), vectors=None, n_lists=1
    )
    ranking_module._choice(Ranking(items, -items.double()), request)
    assert used == ["choose_few" if device_places else "choose"]


def _rules():
    from sasrec.recommender.rules.prepared import PreparedRules
    from sasrec.recommender.rules.rules import Rules

    allowed = np.ones(9, dtype=bool)
    nothing = dict.fromkeys(
        (
            *("candidates", "rebuy", "boosts", "groups", "candidates_by_user"),
            *("excluded_by_user", "fill_order"),
        )
    )
    return PreparedRules(rules=Rules(), allowed=allowed, remarks=(), **nothing)
