"""``sasrec_serve`` answers like ``sasrec``: the same cases run against both."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from exported_forms import FORMS, LONGEST, N_ITEMS, N_USERS, TYPES, recommender_of
from hypothesis import given
from hypothesis import strategies as st

import sasrec
import sasrec_serve

QUICK = {"pre_norm_reversed", "by_both", "types", "GRU4Rec", "TransRec", "BPR"}
"""Forms whose export takes a second or two and that have little in common."""
TOLERANCE = 1e-4
"""Share of the largest score; sums in float32 in another order differ by less."""
TOKENS = [*(f"i{number}" for number in range(1, N_ITEMS + 1)), "nobody knows"]

Both = tuple[sasrec.Recommender, sasrec_serve.Recommender]


@pytest.fixture(
    scope="module",
    params=[f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FORMS],
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    recommender = recommender_of(request.param)
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(recommender, folder)
    return recommender, sasrec_serve.load(folder)


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    history = draw(st.lists(st.sampled_from(TOKENS), max_size=2 * LONGEST + 3))
    size = {"min_size": len(history), "max_size": len(history)}
    times = st.lists(st.floats(0, 2e9) | st.integers(0, 10).map(float), **size).map(sorted)
    types = st.lists(st.sampled_from([None, *TYPES, "unheard"]), **size)
    return {
        "history": history,
        "times": draw(st.none() | times),
        "user": draw(st.sampled_from([None, "u0", *(f"u{n}" for n in range(1, N_USERS + 1))])),
        "types": draw(st.none() | types),
    }


@given(
    asked=st.lists(histories(), max_size=5),
    next_type=st.sampled_from([None, "any", *TYPES]),
    k=st.sampled_from([1, 3, 10, 100]),
    exclude_seen=st.booleans(),
    candidates=st.none() | st.lists(st.sampled_from(TOKENS[:-1]), min_size=1),
)
def test_lists_are_those_of_the_model(
    both: Both,
    asked: list[dict[str, Any]],
    next_type: str | None,
    k: int,
    exclude_seen: bool,
    candidates: list[str] | None,
) -> None:
    has_types = bool(both[0].event_types)
    arguments: dict[str, Any] = {
        "histories": [each["history"] for each in asked],
        "k": k,
        "exclude_seen": exclude_seen,
        "candidates": candidates,
        "times": [each["times"] for each in asked],
        "users": [each["user"] for each in asked],
        "types": [each["types"] for each in asked] if has_types else None,
        "next_type": next_type if has_types else None,
    }
    expected, found = both[0].recommend(**arguments), both[1].recommend(**arguments)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_alike(one, other)


def assert_alike(found: sasrec_serve.Recommendation, expected: sasrec.Recommendation) -> None:
    """Assert that two lists are equal; items whose scores rounding could swap may be swapped."""
    scores, wanted = np.array(found.scores), np.array(expected.scores)
    margin = TOLERANCE * max(1.0, float(np.abs(wanted).max(initial=0.0)))
    np.testing.assert_allclose(scores, wanted, rtol=0, atol=margin)
    for index, (item, other) in enumerate(zip(found.items, expected.items, strict=True)):
        if item != other:
            near = np.abs(wanted - wanted[index]) <= 2 * margin
            assert near.sum() > 1 or index + 1 == len(expected.items), (found, expected)
    assert dataclasses.replace(found, items=[], scores=[], untrained=[]) == dataclasses.replace(
        sasrec_serve.Recommendation(**dataclasses.asdict(expected)),
        items=[],
        scores=[],
        untrained=[],
    )
    assert set(found.untrained) == set(found.items) & {"i38", "i39", "i40"}


@given(asked=st.lists(histories(), max_size=3), items=st.lists(st.sampled_from(TOKENS)))
def test_scores_are_those_of_the_model(
    both: Both, asked: list[dict[str, Any]], items: list[str]
) -> None:
    arguments: dict[str, Any] = {
        "histories": [each["history"] for each in asked],
        "items": items,
        "times": [each["times"] for each in asked],
        "users": [each["user"] for each in asked],
        "types": [each["types"] for each in asked] if both[0].event_types else None,
    }
    expected, found = both[0].score(**arguments), both[1].score(**arguments)
    largest = float(np.nan_to_num(np.abs(expected)).max(initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * largest)
    assert found.dtype == np.float32


@given(
    items=st.lists(st.sampled_from(TOKENS[: N_ITEMS - 3]), max_size=4), k=st.integers(1, N_ITEMS)
)
def test_similar_items_are_those_of_the_model(both: Both, items: list[str], k: int) -> None:
    if both[1].vectors is None:
        with pytest.raises(sasrec_serve.DataError, match="TransRec has no item vectors"):
            both[1].similar(items, k)
        return
    for found, expected in zip(both[1].similar(items, k), both[0].similar(items, k), strict=True):
        assert (found.item, found.items, found.recall) == (expected.item, expected.items, 1.0)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)  # float32 rounding


def test_facts_about_the_model_are_the_same(both: Both) -> None:
    recommender, served = both
    assert served.titles == recommender.titles
    assert served.untrained == recommender.untrained
    assert served.max_history == recommender.max_history
    assert served.event_types == recommender.event_types
    assert served.card["environment"] == recommender.environment
