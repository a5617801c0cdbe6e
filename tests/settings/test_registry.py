from importlib.metadata import version
from pathlib import Path

import pytest

import sasrec
from sasrec.errors import SettingsError
from sasrec.evaluation.metrics import LIST_METRICS, RANK_METRICS, WHOLE_METRICS
from sasrec.models.contract import Catalogue
from sasrec.models.registration import check_model
from sasrec.settings.parts import Parts
from sasrec.settings.registry import BASELINES, LOSSES, METRICS, MODELS, READERS


@pytest.mark.parametrize("table", [MODELS, BASELINES, METRICS, READERS])
def test_every_registered_part_can_be_imported(table: Parts) -> None:
    for name in table:
        assert callable(table[name])


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_the_name_it_is_registered_under(name: str) -> None:
    assert LOSSES[name].name == name


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown model 'SASREC2'; did you mean 'SASRec'"):
        MODELS["SASREC2"]


def test_version_is_the_same_everywhere() -> None:
    changelog = Path(__file__).parents[2] / "CHANGELOG.md"
    assert sasrec.__version__ == version("sasrec")
    assert f"## [{sasrec.__version__}]" in changelog.read_text()


@pytest.mark.parametrize("name", MODELS)
def test_models_without_an_item_table_are_known(name: str) -> None:
    kind = MODELS[name]
    model = kind(kind.Settings(), Catalogue(5, 3, 4))
    assert (model.item_table is not None) == kind.has_item_table()


@pytest.mark.parametrize("name", MODELS)
def test_built_in_models_satisfy_the_contract_for_plug_ins(name: str) -> None:
    check_model(MODELS[name], MODELS[name].__name__)


def test_the_names_of_metrics_are_those_that_can_be_computed() -> None:
    assert set(METRICS.built_in) == {*RANK_METRICS, *WHOLE_METRICS, *LIST_METRICS}
