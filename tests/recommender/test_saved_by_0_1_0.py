"""Models saved by version 0.1.0, one of each class, load and give the same scores."""

import json
from pathlib import Path

import numpy as np
import pytest

import sasrec

SAVED = Path(__file__).parent / "saved_by_0_1_0"
EXPECTED = json.loads((SAVED / "scores.json").read_text())


@pytest.mark.parametrize("model", EXPECTED)
def test_a_folder_of_0_1_0_gives_the_same_scores(model: str, tmp_path: Path) -> None:
    expected = EXPECTED[model]
    recommender = sasrec.load(SAVED / model)
    users = {"users": expected["users"]} if "users" in expected else {}
    scores = recommender.score(expected["histories"], expected["items"], **users)
    # 1e-5: another processor may sum float32 values in another order.
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-5, atol=1e-5)
    again = sasrec.load(recommender.save(tmp_path / "again"))
    np.testing.assert_array_equal(
        again.score(expected["histories"], expected["items"], **users), scores
    )


@pytest.mark.parametrize("model", EXPECTED)
def test_a_folder_of_0_1_0_can_be_evaluated(model: str) -> None:
    saved = json.loads((SAVED / model / "metrics.json").read_text())["reports"][0]
    found = sasrec.evaluate(SAVED / model)
    assert found.report.test == pytest.approx(saved["test"], abs=1e-9)


def test_there_is_a_folder_for_every_model() -> None:
    from sasrec.settings.registry import MODELS

    assert set(EXPECTED) == set(MODELS.built_in)
