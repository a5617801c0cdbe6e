from importlib.metadata import version
from pathlib import Path

import pytest

import sasrec
from sasrec.errors import SettingsError
from sasrec.registry import BASELINES, LOSSES, MODEL_SETTINGS, MODELS, resolve


@pytest.mark.parametrize("table", [MODELS, BASELINES, MODEL_SETTINGS, LOSSES])
def test_every_line_resolves(table: dict[str, str]) -> None:
    for name in table:
        assert callable(resolve("part", table, name))


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown model 'SASREC2'; did you mean 'SASRec'"):
        resolve("model", MODELS, "SASREC2")


def test_version_is_the_same_everywhere() -> None:
    changelog = Path(__file__).parent.parent / "CHANGELOG.md"
    assert sasrec.__version__ == version("sasrec")
    assert f"## [{sasrec.__version__}]" in changelog.read_text()
