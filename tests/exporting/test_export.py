"""The folder of an export, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_reader import Reader
from exported_forms import FORMS, LONGEST, recommender_of
from torch import Tensor

import sasrec
from sasrec.errors import ModelError, SettingsError
from sasrec.exporting import export as exporting
from sasrec.exporting.export import export
from sasrec.exporting.inputs import Inputs
from sasrec.exporting.samples import queries_of, sample_histories
from sasrec.exporting.verification import TOLERANCE

QUICK = {"pre_norm_reversed", "types", "GRU4Rec", "TransRec"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exports") / "fmc"
    export(recommender_of("FMC"), place)
    return place


def test_the_manifest_lists_every_file_with_its_hash(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert set(manifest["files"]) == files
    for name, facts in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_titles_are_in_the_order_of_the_items(folder: Path) -> None:
    titles = json.loads((folder / "titles.json").read_text())
    assert titles[:3] == ["Ä <b>title</b>", None, "Three"]
    assert len(titles) == len(Reader(folder).items)


def test_the_check_is_answered_by_a_reader_of_the_folder(folder: Path) -> None:
    check = json.loads((folder / "check.json").read_text())
    found = Reader(folder).recommend(check["cases"], check["k"])
    lengths = [len(case["history"]) for case in check["cases"]]
    assert min(lengths) == 0
    assert max(lengths) > LONGEST
    for (items, scores), case in zip(found, check["cases"], strict=True):
        assert items == case["items"]
        np.testing.assert_allclose(scores, case["scores"], atol=TOLERANCE)


def test_an_export_is_replaced_only_if_asked(folder: Path, tmp_path: Path) -> None:
    export(recommender_of("FMC"), tmp_path / "twice")
    with pytest.raises(ModelError, match="already holds an export; choose another folder, or"):
        export(recommender_of("BPR"), tmp_path / "twice")
    export(recommender_of("BPR"), tmp_path / "twice", overwrite=True)
    assert Reader(tmp_path / "twice").serving["model"] == "BPR"


def test_a_folder_with_something_else_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ModelError, match="exists and is not an export; choose another folder"):
        export(recommender_of("FMC"), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown format 'tensorrt' of an export; choose onnx"):
        export(recommender_of("FMC"), tmp_path / "x", format="tensorrt")  # type: ignore[arg-type]


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(SettingsError, match=r"needs onnx, .* pip install 'sasrec\[export\]'"):
        export(recommender_of("FMC"), tmp_path / "x")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "form",
    [form if form in QUICK else pytest.param(form, marks=pytest.mark.slow) for form in FORMS],
)
def test_torch_loads_a_network_without_this_package(form: str, tmp_path: Path) -> None:
    recommender = recommender_of(form)
    export(recommender, tmp_path / "out", format="torch")
    network = torch.export.load(tmp_path / "out" / "network.pt2").module()
    inputs = Inputs.of(recommender.model, recommender.event_types, LONGEST)
    queries = queries_of(recommender, sample_histories(recommender))
    arrays = inputs.arrays(queries)
    with torch.no_grad():
        found = network(**{name: torch.from_numpy(value) for name, value in arrays.items()})
    scorer = recommender.answerer().scorer
    if scorer.table is not None:
        torch.testing.assert_close(found, torch.from_numpy(scorer.states(queries)))
    assert "sasrec" not in str(
        {
            node.target
            for node in torch.export.load(tmp_path / "out" / "network.pt2").graph.nodes
            if node.op == "call_function"
        }
    )


class Averages(sasrec.NextItemModel):
    """A plug-in whose state is the mean of the vectors up to each event."""

    class Settings(sasrec.Settings):
        width: int = 4

    def __init__(self, settings: Any, catalogue: sasrec.Catalogue) -> None:
        super().__init__()
        self.vectors = torch.nn.Embedding(catalogue.n_items + 1, settings.width, padding_idx=0)

    @property
    def item_table(self) -> Tensor:
        return self.vectors.weight

    def encode(self, batch: sasrec.Batch, at: Tensor | None = None) -> Tensor:
        sums = self.vectors(batch.items).cumsum(0)
        begins = torch.repeat_interleave(batch.offsets[:-1], batch.offsets.diff())
        before = torch.nn.functional.pad(sums, (0, 0, 1, 0))[begins]
        counts = torch.arange(batch.items.shape[0]) - begins + 1
        states = (sums - before) / counts[:, None]
        return states if at is None else states[at]


def with_model(change: Callable[[Averages], None] = lambda model: None) -> sasrec.Recommender:
    recommender = recommender_of("FMC")
    model = Averages(Averages.Settings(), sasrec.Catalogue(len(recommender.items), 0, LONGEST))
    change(model)

    settings = recommender.settings | {"model_name": "Averages"}
    return replace(recommender, model=model.eval(), settings=settings)


def test_a_plug_in_is_refused_in_one_message(tmp_path: Path) -> None:
    def reads_values(model: Averages) -> None:
        true_one = model.encode

        def encode(batch: sasrec.Batch, at: Tensor | None = None) -> Tensor:
            return true_one(batch, at) * int(batch.items.max())

        model.encode = encode  # type: ignore[method-assign]

    with pytest.raises(
        ModelError, match=r"Averages cannot be exported to onnx: .* not turn tensors"
    ):
        export(with_model(reads_values), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_network_that_differs_from_the_model_is_refused(tmp_path: Path) -> None:
    def peeks(model: Averages) -> None:
        def encode(batch: sasrec.Batch, at: Tensor | None = None) -> Tensor:
            states = model.vectors(batch.items) * batch.longest  # depends on the padding
            return states if at is None else states[at]

        model.encode = encode  # type: ignore[method-assign]

    with pytest.raises(ModelError, match="scores of the exported network differ by"):
        export(with_model(peeks), tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("longest", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_short_histories_may_be_the_longest(longest: int, tmp_path: Path) -> None:
    for form in ("pre_norm_reversed", "Caser"):
        recommender = recommender_of(form, longest)
        export(recommender, tmp_path / form)
        asked = [
            {"history": [f"i{number}" for number in range(1, length)]} for length in range(2, 7)
        ]
        expected = recommender.recommend([each["history"] for each in asked])
        found = Reader(tmp_path / form).recommend(asked)
        assert [items for items, _ in found] == [each.items for each in expected]


def test_a_plug_in_is_exported(tmp_path: Path) -> None:
    recommender = with_model()
    export(recommender, tmp_path / "out")
    asked = [{"history": ["i1", "i2", "i3"]}, {"history": ["i9"]}]
    expected = recommender.recommend([each["history"] for each in asked])
    found = Reader(tmp_path / "out").recommend(asked)
    assert [items for items, _ in found] == [each.items for each in expected]


def test_exports_of_the_same_model_are_equal(folder: Path, tmp_path: Path) -> None:
    export(recommender_of("FMC"), tmp_path / "again")
    for path in folder.iterdir():
        if path.name != "manifest.json":  # contains the time of writing
            assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
