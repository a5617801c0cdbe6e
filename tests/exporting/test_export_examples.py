"""The examples of docs/export.md work for models with and without times, users and event types."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from exported_forms import N_ITEMS, recommender_of

from sasrec.data.vocabulary import Vocabulary
from sasrec.exporting.export import export

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
TOKENS = ["50", "172", "181", *(f"i{number}" for number in range(4, N_ITEMS + 1))]


def example(beginning: str) -> str:
    found: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    [code] = [each for each in found if each.startswith(beginning)]
    return code


def ran(code: str, folder: Path) -> str:
    words = [sys.executable, "-c", code]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("form", ["types", "Caser", "by_both"])
def test_the_example_lists_what_the_model_recommends(form: str, tmp_path: Path) -> None:
    recommender = replace(recommender_of(form), items=Vocabulary(TOKENS), titles={})
    export(recommender, tmp_path / "films")
    [expected] = recommender.recommend([["50", "172", "181"]])
    told = ran(example("import json"), tmp_path)
    assert json.loads(told.replace("'", '"')) == expected.items


def test_the_example_for_torch_works(tmp_path: Path) -> None:
    export(recommender_of("recbole"), tmp_path / "films", format="torch")
    code = "import torch\n" + example("network = torch.export.load")
    assert ran(code + "print(tuple(states.shape))", tmp_path) == "(1, 8)\n"
