"""Exports of unusual models, to unusual places: right, or refused, and without anything private."""

import errno
import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from export_reader import Reader
from exported_forms import LONGEST, recommender_of

from sasrec.data.item_columns import ItemColumns
from sasrec.errors import ModelError
from sasrec.exporting import export as exporting
from sasrec.exporting.export import export
from sasrec.exporting.inputs import Inputs
from sasrec.exporting.samples import queries_of, sample_histories
from sasrec.exporting.verification import TOLERANCE, largest_difference


@pytest.mark.parametrize("unit", ["milliseconds", "nanoseconds"])
def test_times_of_the_check_are_in_the_unit_of_the_training(unit: str, tmp_path: Path) -> None:
    recommender = replace(recommender_of("by_time"), metrics={"time_unit": unit})
    export(recommender, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "serving.json").read_text())["time_unit"] == unit
    check = json.loads((tmp_path / "out" / "check.json").read_text())
    times = [time for case in check["cases"] for time in case.get("times", [])]
    assert min(times) > 1e12


def test_a_model_for_one_type_of_event_is_exported(tmp_path: Path) -> None:
    recommender = recommender_of("types")
    recommender.settings["evaluation"]["target_types"] = ["buy"]
    found = export(recommender, tmp_path / "out")
    assert found.largest_difference < TOLERANCE
    assert json.loads((tmp_path / "out" / "serving.json").read_text())["asked_type"] == 2


def test_times_beyond_float32_are_served(tmp_path: Path) -> None:
    recommender = recommender_of("by_time")
    export(recommender, tmp_path / "out")
    pairs = [[1e308, -1e308], [0.0, 1e39], [-(2.0**63), 2.0**63], [1e39, 0.0]]
    asked = [{"history": ["i1", "i2"], "times": times} for times in pairs]
    expected = recommender.recommend([["i1", "i2"]] * len(pairs), times=pairs)
    found = Reader(tmp_path / "out").recommend(asked)
    for (items, scores), wanted in zip(found, expected, strict=True):
        assert items == wanted.items
        np.testing.assert_allclose(scores, wanted.scores, atol=TOLERANCE)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    recommender = recommender_of("recbole")
    with torch.no_grad():
        recommender.model.get_parameter("position_embedding.weight")[-1, 0] = value
    with pytest.raises(
        ModelError, match=r"1 numbers of its weight 'position_embedding.weight' are"
    ):
        export(recommender, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_nan_in_any_score_counts_as_a_difference() -> None:
    recommender = recommender_of("FMC")
    inputs = Inputs.of(recommender.model, (), LONGEST)
    true_one = recommender.answerer().scorer

    def run(arrays: dict[str, np.ndarray]) -> np.ndarray:
        queries = queries_of(recommender, sample_histories(recommender))
        states = true_one.states(queries)
        if len(arrays["items"]) > 1:
            return states
        return np.full_like(states[:1], np.nan)

    assert np.isnan(largest_difference(recommender, inputs, run))


def test_weights_in_another_width_are_exported_in_float32(tmp_path: Path) -> None:
    recommender = recommender_of("recbole")
    wide = replace(recommender, model=recommender_of("recbole").model.double())
    export(wide, tmp_path / "out")
    asked = [{"history": ["i1", "i2", "i3"]}]
    [(items, scores)] = Reader(tmp_path / "out").recommend(asked)
    [expected] = recommender.recommend([["i1", "i2", "i3"]])
    assert items == expected.items
    assert scores.dtype == np.float32
    assert next(wide.model.parameters()).dtype == torch.float64


def test_places_and_conditions_of_the_data_stay_at_home(tmp_path: Path) -> None:
    recommender = recommender_of("FMC")
    recommender.settings["data"] |= {
        "items_file": "/home/me/secret/items.csv",
        "data_path": "/home/me/secret",
        "where": ["customer != 'secret'"],
        "value_intervals": {"secret": "[1,2]"},
    }
    recommender.settings["source"] = "https://me:secret@shop.example/secret/log.csv?token=secret"
    export(recommender, tmp_path / "out", format="torch")
    for path in (tmp_path / "out").iterdir():
        assert b"secret" not in path.read_bytes(), path.name
    assert json.loads((tmp_path / "out" / "card.json").read_text())["source"] == "log"


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_no_path_of_this_machine_is_in_a_network(kind: Any, tmp_path: Path) -> None:
    export(recommender_of("by_both"), tmp_path / "out", format=kind)
    here = str(Path(exporting.__file__).parents[2]).encode()
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        if path.suffix == ".pt2":
            with zipfile.ZipFile(path) as archive:
                content = b"".join(archive.read(name) for name in archive.namelist())
        assert here not in content, path.name


@pytest.mark.parametrize("name", ["mine.txt", "serving.json"])
def test_what_came_into_its_place_in_the_meantime_is_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_one = exporting.write_network

    def write_network(*args: Any) -> None:
        true_one(*args)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / name).write_text('{"format": 1}')

    monkeypatch.setattr(exporting, "write_network", write_network)
    with pytest.raises(ModelError, match=r"is not an export|already holds an export"):
        export(recommender_of("FMC"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_place_inside_a_model_folder_is_refused(tmp_path: Path) -> None:
    recommender_of("FMC").save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"inside the model folder .*model, which then could not"):
        export(tmp_path / "model", tmp_path / "model" / "deeper" / "out")
    assert not (tmp_path / "model" / "deeper").exists()


def test_an_address_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("s3://bucket/out", Path("S3://bucket/out")):
        with pytest.raises(ModelError, match=r"is the address of another machine; .* local folder"):
            export(recommender_of("FMC"), address)
    with pytest.raises(ModelError, match=r"is the address of another machine; .* local folder"):
        recommender_of("FMC").save("gs://bucket/model")
    assert not any(tmp_path.iterdir())


def test_no_space_for_the_network_of_torch_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ModelError, match=r"out cannot be written: No space left on device"):
        export(recommender_of("FMC"), tmp_path / "out", format="torch")
    assert not any(tmp_path.iterdir())


def test_json_has_neither_nan_nor_infinity(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prices = pl.DataFrame({"price": [math.inf, -math.inf, *(float(n) for n in range(38))]})
    recommender = replace(
        recommender_of("FMC"),
        item_columns=ItemColumns(recommender_of("FMC").items.entries, prices),
        metrics={"reports": [{"test": {"ndcg@10": math.nan}}]},
    )
    export(recommender, tmp_path / "out")

    def refuse(word: str) -> None:
        raise AssertionError(word)

    texts = {
        path.name: json.loads(path.read_text(), parse_constant=refuse)
        for path in (tmp_path / "out").glob("*.json")
    }
    assert texts["item_columns.json"]["price"]["values"][:4] == [None, None, 0.0, 1.0]
    assert texts["card.json"]["reports"] == [{"test": {"ndcg@10": None}}]
    assert "2 values of the item column 'price' are inf, which JSON does not have" in caplog.text
