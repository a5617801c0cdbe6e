"""Models saved by version 0.1.0, one of each kind, load and score as they did there."""

import json
from pathlib import Path

import numpy as np
import pytest

import sasrec

SAVED = Path(__file__).parent / "saved_by_0_1_0"
TOLD = json.loads((SAVED / "scores.json").read_text())


@pytest.mark.parametrize("model", TOLD)
def test_a_folder_of_the_first_version_scores_as_it_did(model: str, tmp_path: Path) -> None:
    told = TOLD[model]
    recommender = sasrec.load(SAVED / model)
    users = {"users": told["users"]} if "users" in told else {}
    scores = recommender.score(told["histories"], told["items"], **users)
    # 1e-5: sums in float32 may be taken in another order on another processor.
    np.testing.assert_allclose(scores, told["scores"], rtol=1e-5, atol=1e-5)
    again = sasrec.load(recommender.save(tmp_path / "again"))
    np.testing.assert_array_equal(again.score(told["histories"], told["items"], **users), scores)


@pytest.mark.parametrize("model", TOLD)
def test_a_folder_of_the_first_version_can_be_evaluated(model: str) -> None:
    saved = json.loads((SAVED / model / "metrics.json").read_text())["reports"][0]
    found = sasrec.evaluate(SAVED / model)
    assert found.report.test == pytest.approx(saved["test"], abs=1e-9)


def test_every_model_is_among_them() -> None:
    from sasrec.settings.registry import MODELS

    assert set(TOLD) == set(MODELS.built_in)
