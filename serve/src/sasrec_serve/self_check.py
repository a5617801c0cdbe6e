"""The check of an export: some histories whose lists must be those of the trained model."""

from __future__ import annotations

from typing import Any

import numpy as np

from sasrec_serve.errors import ExportError
from sasrec_serve.exported.folder import CHECK
from sasrec_serve.exported.manifest import AGAIN
from sasrec_serve.lists import Recommendation
from sasrec_serve.recommender import Recommender


def run_check(recommender: Recommender) -> None:
    """Recommend for the histories in ``check.json``, and compare the lists.

    Args:
        recommender: The loaded model.

    Raises:
        ExportError: A list differs by more than rounding.
    """
    check, path = recommender.export.check, recommender.folder / CHECK
    try:
        k, tolerance, cases = int(check["k"]), float(check["tolerance"]), list(check["cases"])
        for number, case in enumerate(cases, start=1):
            [found] = recommender.recommend(
                [case["history"]],
                k,
                times=[case.get("times")],
                users=[case.get("user")],
                types=[case.get("types")],
                next_type=case.get("next_type"),
            )
            if (difference := _difference(found, case, tolerance)) is not None:
                raise ExportError(
                    f"{recommender.folder} does not recommend as the trained model does: "
                    f"{difference} (case {number} of {len(cases)} in {CHECK}); {AGAIN}"
                )
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{path} is damaged: {error!r}; {AGAIN}") from error


def _difference(found: Recommendation, case: dict[str, Any], tolerance: float) -> str | None:
    """Return how a list differs from the expected one by more than rounding, or None."""
    if found.by_popularity != case["by_popularity"] or len(found.items) != len(case["items"]):
        return f"it recommends {found.items[:3]}, and the model {case['items'][:3]}"
    expected = np.array(case["scores"], dtype=np.float64)
    margin = tolerance * max(1.0, float(np.abs(expected).max(initial=0.0)))
    gaps = np.abs(np.array(found.scores) - expected)
    if not (gaps <= margin).all():
        return f"scores differ by {gaps.max():.2g}, and at most {margin:.2g} is rounding"
    own = dict(zip(case["items"], expected.tolist(), strict=True))
    for item, score in zip(found.items, found.scores, strict=True):
        # Only items whose scores rounding could swap may have changed places.
        if abs(own.get(item, expected[-1]) - score) > 2 * margin:
            return f"it recommends {item!r}, and the model {case['items'][:3]}"
    return None
