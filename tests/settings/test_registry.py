from importlib.metadata import version
from pathlib import Path

import pytest

import sasrec
from sasrec.errors import SettingsError
from sasrec.settings.registry import (
    BASELINES,
    LOSSES,
    MODEL_SETTINGS,
    MODELS,
    WITHOUT_TABLE,
    resolve,
)


@pytest.mark.parametrize("table", [MODELS, BASELINES, MODEL_SETTINGS])
def test_every_line_resolves(table: dict[str, str]) -> None:
    for name in table:
        assert callable(resolve("part", table, name))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_an_object_of_its_name(name: str) -> None:
    assert resolve("loss", LOSSES, name).name == name


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown model 'SASREC2'; did you mean 'SASRec'"):
        resolve("model", MODELS, "SASREC2")


def test_version_is_the_same_everywhere() -> None:
    changelog = Path(__file__).parents[2] / "CHANGELOG.md"
    assert sasrec.__version__ == version("sasrec")
    assert f"## [{sasrec.__version__}]" in changelog.read_text()


@pytest.mark.parametrize("name", MODELS)
def test_models_without_an_item_table_are_known(name: str) -> None:
    settings = resolve("model", MODEL_SETTINGS, name)()
    model = resolve("model", MODELS, name)(settings, n_items=5, max_history=4, n_users=3)
    assert (model.item_table is None) == (name in WITHOUT_TABLE)
