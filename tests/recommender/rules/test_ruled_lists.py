"""The lists equal those of a plain reference that applies the rules to all scores of one user."""

from collections.abc import Sequence
from unittest import mock

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sasrec.recommender.rules import ranking
from sasrec.recommender.rules.boosts import Boosts
from sasrec.recommender.rules.choosing import Groups
from sasrec.recommender.rules.prepared import PreparedRules
from sasrec.recommender.rules.ranking import ListRequest, RuledLists, ruled_lists
from sasrec.recommender.rules.rows import RowLimits
from sasrec.recommender.rules.rules import Rules


class FixedRows:
    """Given scores, whose fast float32 version is off by up to the margin."""

    def __init__(self, scores: np.ndarray, noise: np.ndarray) -> None:
        self.real = torch.from_numpy(scores)
        self.off = self.real.float() + torch.from_numpy(noise).float()
        self.margin = torch.full((len(scores),), 2.5 * float(np.abs(noise).max(initial=0)))
        self.largest = self.real.abs().max(1).values.float()

    def scores(self, rows: Tensor | None = None) -> Tensor:
        return self.off.clone() if rows is None else self.real[rows].float()

    def exact(self, rows: Tensor, items: Tensor) -> Tensor:
        return self.real[rows, items]

    def compute_alone(self, rows: Tensor) -> bool:
        return False


def reference(
    scores: Sequence[float],
    k: int,
    *,
    excluded: set[int],
    blocked: set[int],
    only: set[int] | None,
    factor: Sequence[float],
    amount: Sequence[float],
    groups: Sequence[set[tuple[int, int]]],
    limits: Sequence[int],
    vectors: np.ndarray,
    strength: float,
    pool: int,
    popularity: Sequence[int] | None,
) -> tuple[list[int], int]:
    """Return the list of one user, and how many of its last items fill it up."""
    boosted = [
        (s * f if s > 0 else s / f) + a for s, f, a in zip(scores, factor, amount, strict=True)
    ]
    allowed = [i for i in range(1, len(scores)) if i not in excluded and i not in blocked]
    ranked = sorted(
        (i for i in allowed if only is None or i in only),
        key=lambda i: (-np.float32(boosted[i]), i),
    )
    chosen: list[int] = []

    def has_room(item: int) -> bool:
        return all(
            sum(group in groups[other] for other in chosen) < limits[group[0]]
            for group in groups[item]
        )

    def cosine(one: int, other: int) -> float:
        a, b = vectors[one], vectors[other]
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    head = ranked[:pool]
    low, high = (boosted[head[-1]], boosted[head[0]]) if head else (0.0, 0.0)
    while len(chosen) < k:
        left = [i for i in ranked if i not in chosen and has_room(i)]
        if not left:
            break
        inside = [i for i in left if i in head]
        if not strength or not inside:
            chosen.append(left[0])
            continue
        relevance = {i: (boosted[i] - low) / (high - low) if high > low else 0.0 for i in inside}
        gains = {
            i: (1 - strength) * relevance[i]
            - strength * max((cosine(i, j) for j in chosen), default=0.0)
            for i in inside
        }
        best = max(gains.values())
        chosen.append(next(i for i in inside if gains[i] >= best - 1e-12))
    count = len(chosen)
    if popularity is not None:
        for item in sorted(allowed, key=lambda i: (-popularity[i], i)):
            if len(chosen) < k and item not in chosen and has_room(item):
                chosen.append(item)
    return chosen, len(chosen) - count


numbers = st.integers(0, 2**32 - 1)


@given(
    seed=numbers,
    n_items=st.integers(1, 60),
    k=st.integers(1, 12),
    strength=st.sampled_from([0.0, 0.0, 0.3, 0.9, 1.0]),
    pool=st.integers(1, 40),
    n_columns=st.integers(0, 2),
    boosts=st.booleans(),
    personal=st.booleans(),
    fill_up=st.booleans(),
    noise=st.sampled_from([0.0, 1e-6]),
    few=st.sampled_from([0, 2**11]),
    n_lists=st.sampled_from([1, 99]),
)
def test_lists_are_those_of_the_reference(
    seed: int,
    n_items: int,
    k: int,
    strength: float,
    pool: int,
    n_columns: int,
    boosts: bool,
    personal: bool,
    fill_up: bool,
    noise: float,
    few: int,
    n_lists: int,
) -> None:
    random = np.random.default_rng(seed)
    rows, v = 3, n_items + 1
    scores = random.integers(-30, 30, (rows, v)) / 8.0
    vectors = random.normal(size=(v, 3))
    excluded = random.random(v) < random.choice([0.0, 0.3, 0.9])
    excluded[0] = True
    blocked = [np.unique(random.integers(0, v, random.integers(0, 6))) for _ in range(rows)]
    only = [random.choice(v, random.integers(0, v), replace=False) for _ in range(rows)]
    factor = np.where(random.random(v) < 0.4, random.choice([0.5, 2.0, 4.0], v), 1.0)
    amount = np.where(random.random(v) < 0.4, random.integers(-8, 8, v) / 8.0, 0.0)
    if not boosts:
        factor, amount = np.ones(v), np.zeros(v)
    popularity = random.integers(0, 5, v)
    limits = random.integers(1, 3, n_columns).tolist()
    groups: list[set[tuple[int, int]]] = [set() for _ in range(v)]
    for item in range(1, v):
        for column in range(n_columns):
            for _ in range(random.integers(0, 3)):
                groups[item].add((column, int(random.integers(0, 4))))
    width = 8
    codes = np.full((v, width), -1)
    slot_limits = np.ones(width, dtype=np.int64)
    for column, limit in enumerate(limits):
        slot_limits[column * 2 : column * 2 + 2] = limit
    for item in range(1, v):
        for column in range(n_columns):
            for place, (_, code) in enumerate(sorted(g for g in groups[item] if g[0] == column)):
                codes[item, 2 * column + place] = 10 * column + code
    allowed = ~excluded
    order = np.flatnonzero(allowed)
    order = order[np.argsort(-popularity[order], kind="stable")]
    prepared = PreparedRules(
        rules=Rules(diversity=strength, diversity_pool=pool),
        candidates=None,
        allowed=allowed,
        rebuy=None,
        boosts=Boosts(
            torch.from_numpy(factor),
            torch.from_numpy(amount),
            torch.from_numpy(np.flatnonzero(factor != 1)),
        )
        if boosts
        else None,
        groups=Groups(torch.from_numpy(codes), torch.from_numpy(slot_limits))
        if n_columns
        else None,
        candidates_by_user=None,
        excluded_by_user=None,
        fill_order=order if fill_up else None,
        remarks=(),
    )
    request = ListRequest.of(
        k,
        torch.from_numpy(excluded),
        prepared,
        vectors=torch.from_numpy(vectors),
        n_lists=n_lists,
    )
    off = FixedRows(scores, random.uniform(-noise, noise, scores.shape))
    with mock.patch.object(ranking, "FEW", few):
        found: RuledLists = ruled_lists(
            off, RowLimits(blocked, only if personal else None), request
        )
    for row in range(rows):
        expected, filled = reference(
            scores[row].tolist(),
            k,
            excluded=set(np.flatnonzero(excluded).tolist()),
            blocked=set(blocked[row].tolist()),
            only=set(only[row].tolist()) if personal else None,
            factor=factor.tolist(),
            amount=amount.tolist(),
            groups=groups,
            limits=limits,
            vectors=vectors,
            strength=strength,
            pool=max(pool, k),
            popularity=popularity.tolist() if fill_up else None,
        )
        items, _, n_filled = found.row(row)
        assert items.tolist() == expected
        assert n_filled == filled
