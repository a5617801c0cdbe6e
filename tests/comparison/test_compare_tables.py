"""Tables of a comparison show every value in any width of the terminal."""

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from sasrec.cli.compare import _slice_tables

PARTS = {"history of up to 10 events": 380, "target without a training event": 2}
NAMES = ["SASRec", "Popularity", *(f"saved/folder-{n}/model (GRU4Rec)" for n in range(8))]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_slices_of_many_models_are_split_into_several_tables(width: int) -> None:
    entries = [
        SimpleNamespace(model=name, slices=dict.fromkeys(PARTS, place / 100))
        for place, name in enumerate(NAMES, start=1)
    ]
    found = SimpleNamespace(entries=entries, slice_sizes=PARTS, metrics=["ndcg@10"])
    console = Console(file=io.StringIO(), width=width)
    tables = _slice_tables(found, width)  # type: ignore[arg-type]
    for table in tables:
        console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for part in PARTS:
        assert text.count(part) == len(tables)
        lines = [line for line in text.splitlines() if part in line]
        figures = [figure for line in lines for figure in re.findall(r"0\.\d{4}", line)]
        assert figures == [f"{place / 100:.4f}" for place in range(1, 11)]
