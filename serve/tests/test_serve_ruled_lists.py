"""The lists equal those of a plain reference that applies the rules to all scores of one user."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_serve.rules import rows
from sasrec_serve.rules.boosts import Boosts
from sasrec_serve.rules.choosing import Groups
from sasrec_serve.rules.prepared import PreparedRules
from sasrec_serve.rules.ranking import Limits, ListRequest, ruled_list
from sasrec_serve.rules.rows import ModelScores
from sasrec_serve.rules.rules import Rules
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.scoring.scorer import Scorer


@dataclass
class Case:
    """Everything that decides a list."""

    scores: list[float]
    k: int
    allowed: set[int]
    blocked: set[int]
    only: set[int] | None
    factor: Sequence[float]
    amount: Sequence[float]
    groups: Sequence[set[tuple[int, int]]]
    limits: Sequence[int]
    vectors: np.ndarray
    strength: float
    pool: int
    popularity: Sequence[int] | None


def reference(case: Case) -> tuple[list[int], int]:
    """Return the list of one user, and how many of its last items fill it up."""
    boosted = [
        (s * f if s > 0 else s / f) + a
        for s, f, a in zip(case.scores, case.factor, case.amount, strict=True)
    ]
    allowed = [i for i in range(1, len(boosted)) if i in case.allowed and i not in case.blocked]
    ranked = sorted(
        (i for i in allowed if case.only is None or i in case.only),
        key=lambda i: (-np.float32(boosted[i]), i),
    )
    chosen: list[int] = []

    def has_room(item: int) -> bool:
        return all(
            sum(group in case.groups[other] for other in chosen) < case.limits[group[0]]
            for group in case.groups[item]
        )

    def cosine(one: int, other: int) -> float:
        a, b = case.vectors[one].astype(np.float64), case.vectors[other].astype(np.float64)
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    head = ranked[: case.pool]
    low, high = (boosted[head[-1]], boosted[head[0]]) if head else (0.0, 0.0)
    while len(chosen) < case.k:
        left = [i for i in ranked if i not in chosen and has_room(i)]
        if not left:
            break
        inside = [i for i in left if i in head]
        if not case.strength or not inside:
            chosen.append(left[0])
            continue
        relevance = {i: (boosted[i] - low) / (high - low) if high > low else 0.0 for i in inside}
        gains = {
            i: (1 - case.strength) * relevance[i]
            - case.strength * max((cosine(i, j) for j in chosen), default=0.0)
            for i in inside
        }
        best = max(gains.values())
        chosen.append(next(i for i in inside if gains[i] >= best - 1e-12))
    count = len(chosen)
    if case.popularity is not None:
        popularity = case.popularity
        for item in sorted(allowed, key=lambda i: (-popularity[i], i)):
            if len(chosen) < case.k and item not in chosen and has_room(item):
                chosen.append(item)
    return chosen, len(chosen) - count


def groups_of(
    random: np.random.Generator, v: int, n_columns: int
) -> tuple[list[set[tuple[int, int]]], Groups | None, list[int]]:
    """Return random groups as sets, and as the rules have them, and their limits."""
    limits = random.integers(1, 3, n_columns).tolist()
    sets: list[set[tuple[int, int]]] = [set() for _ in range(v)]
    codes = np.full((v, 3 * max(n_columns, 1)), -1)
    for item in range(1, v):
        for column in range(n_columns):
            own = {int(code) for code in random.integers(0, 4, random.integers(0, 4))}
            sets[item] |= {(column, code) for code in own}
            for place, code in enumerate(sorted(own)[:3]):
                codes[item, 3 * column + place] = 10 * column + code
            sets[item] = {g for g in sets[item] if 10 * g[0] + g[1] in codes[item]}
    places = np.repeat(np.array(limits or [1], dtype=np.int64), 3)
    return sets, Groups(codes, places) if n_columns else None, limits


@pytest.mark.parametrize("has_vectors", [True, False])
@pytest.mark.parametrize("few", [0, 1 << 12])
@pytest.mark.parametrize("leaders", [1, 8])
@given(
    seed=st.integers(0, 2**32 - 1),
    n_items=st.integers(1, 80),
    k=st.integers(1, 12),
    strength=st.sampled_from([0.0, 0.0, 0.3, 0.9, 1.0]),
    pool=st.integers(1, 40),
    n_columns=st.integers(0, 2),
    boosted=st.sampled_from([0.0, 0.02, 0.4]),
    personal=st.booleans(),
    fill_up=st.booleans(),
)
def test_lists_are_those_of_the_reference(
    has_vectors: bool,
    few: int,
    leaders: int,
    seed: int,
    n_items: int,
    k: int,
    strength: float,
    pool: int,
    n_columns: int,
    boosted: float,
    personal: bool,
    fill_up: bool,
) -> None:
    random = np.random.default_rng(seed)
    v = n_items + 1
    # Eighths have exact products, so ties are ties in any order of summation.
    vectors = (random.integers(-6, 7, (v, 3)) / 8 + [1.0, 0, 0]).astype(np.float32)
    state = (random.integers(-8, 9, 3) / 8).astype(np.float32)
    scores = (vectors @ state).astype(np.float32)
    factor = np.where(random.random(v) < boosted, random.choice([0.5, 2.0, 4.0], v), 1.0)
    amount = np.where(random.random(v) < boosted, random.integers(-8, 8, v) / 8.0, 0.0)
    allowed = random.random(v) >= random.choice([0.0, 0.3, 0.9])
    allowed[0] = False
    popularity = random.integers(0, 5, v)
    sets, groups, limits = groups_of(random, v, n_columns)
    order = np.flatnonzero(allowed)
    case = Case(
        scores=[float(s) for s in scores],
        k=k,
        allowed=set(np.flatnonzero(allowed).tolist()),
        blocked=set(random.integers(0, v, random.integers(0, 6)).tolist()),
        only=set(random.integers(1, v, 8).tolist()) if personal else None,
        factor=factor.tolist(),
        amount=amount.tolist(),
        groups=sets,
        limits=limits,
        vectors=vectors,
        strength=strength if has_vectors else 0.0,
        pool=max(pool, k),
        popularity=popularity.tolist() if fill_up else None,
    )
    prepared = PreparedRules(
        rules=Rules(diversity=case.strength, diversity_pool=pool),
        candidates=None,
        allowed=allowed,
        rebuy=None,
        boosts=Boosts.of(factor, amount) if boosted else None,
        groups=groups,
        candidates_by_user=None,
        excluded_by_user=None,
        fill_order=order[np.argsort(-popularity[order], kind="stable")] if fill_up else None,
        remarks=(),
    )
    network: Any = None
    scorer = Scorer(network, ItemVectors.of(vectors) if has_vectors else None)
    blocked = np.array(sorted(case.blocked), dtype=np.int64)
    only = None if case.only is None else np.array(sorted(case.only), dtype=np.int64)
    request = ListRequest(k, allowed, prepared, vectors if has_vectors else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "FEW", few)
        patch.setattr(rows, "LEADERS", leaders)
        found = ruled_list(
            ModelScores(scorer, state if has_vectors else scores), Limits(blocked, only), request
        )
    expected, filled = reference(case)
    assert found.items.tolist() == expected
    assert found.filled == filled
    boosted_scores = [
        (s * f if s > 0 else s / f) + a for s, f, a in zip(case.scores, factor, amount, strict=True)
    ]
    assert found.scores.tolist() == [np.float32(boosted_scores[item]) for item in expected]
