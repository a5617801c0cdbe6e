"""An export answers like the model it was made of, for histories of any kind."""

from typing import Any

import numpy as np
import pytest
from export_reader import Reader
from exported_forms import FORMS, LONGEST, N_ITEMS, N_USERS, TYPES, recommender_of
from hypothesis import given
from hypothesis import strategies as st

from sasrec.exporting.export import export
from sasrec.exporting.verification import TOLERANCE
from sasrec.recommender.recommender import Recommender

QUICK = {"pre_norm_reversed", "by_both", "types", "GRU4Rec", "TransRec"}
"""Forms whose export takes a second or two and that have little in common."""


@pytest.fixture(
    scope="module",
    params=[f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FORMS],
)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recommender, Reader]:
    recommender = recommender_of(request.param)
    folder = tmp_path_factory.mktemp("exports") / "out"
    export(recommender, folder)
    return recommender, Reader(folder)


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    tokens = [*(f"i{number}" for number in range(1, N_ITEMS + 1)), "nobody knows"]
    history = draw(st.lists(st.sampled_from(tokens), max_size=2 * LONGEST + 3))
    size = {"min_size": len(history), "max_size": len(history)}
    times = st.lists(st.floats(0, 2e9) | st.integers(0, 10).map(float), **size).map(sorted)
    types = st.lists(st.sampled_from([None, *TYPES]), **size)
    return {
        "history": history,
        "times": draw(st.none() | times),
        "user": draw(st.sampled_from([None, "u0", *(f"u{n}" for n in range(1, N_USERS + 1))])),
        "types": draw(st.none() | types),
    }


@given(
    asked=st.lists(histories(), min_size=1, max_size=5), next_type=st.sampled_from(["any", *TYPES])
)
def test_lists_and_scores_are_those_of_the_model(
    both: tuple[Recommender, Reader], asked: list[dict[str, Any]], next_type: str
) -> None:
    recommender, reader = both
    has_types = bool(recommender.event_types)
    expected = recommender.recommend(
        [each["history"] for each in asked],
        times=[each["times"] for each in asked],
        users=[each["user"] for each in asked],
        types=[each["types"] for each in asked] if has_types else None,
        next_type=next_type if has_types else None,
    )
    found = reader.recommend([each | {"next_type": next_type} for each in asked])
    for (items, scores), wanted in zip(found, expected, strict=True):
        largest = max(1.0, float(np.abs(wanted.scores).max()))
        np.testing.assert_allclose(scores, wanted.scores, rtol=0, atol=TOLERANCE * largest)
        assert_same_order(items, wanted.items, np.array(wanted.scores), TOLERANCE * largest)


def assert_same_order(
    items: list[str], expected: list[str], scores: np.ndarray, tolerance: float
) -> None:
    """Assert that two lists are equal; scores that rounding could swap may be swapped."""
    for index, (item, wanted) in enumerate(zip(items, expected, strict=True)):
        if item == wanted:
            continue
        near = np.abs(scores - scores[index]) <= 2 * tolerance
        is_last = index + 1 == len(expected)
        assert near.sum() > 1 or is_last, (items, expected)
