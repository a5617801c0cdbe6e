"""Every built-in model passes the tests for models from outside the package."""

import pytest

from sasrec.settings.registry import MODELS
from sasrec.testing import CHECKS, Subject

SMALL = {"Caser": {"order": 3}, "BERT4Rec": {"hidden_size": 16, "inner_size": 16}}


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
@pytest.mark.parametrize("name", MODELS.built_in)
def test_a_built_in_model_passes(name, check):
    check(Subject(MODELS[name], SMALL.get(name, {})))
