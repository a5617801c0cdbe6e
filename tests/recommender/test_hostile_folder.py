"""A malicious model folder causes an error, quickly and with little memory."""

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sasrec
from sasrec.errors import ModelError
from sasrec.recommender.loading import load
from sasrec.settings.registry import MODELS

SMALL: dict[str, dict[str, Any]] = {
    "SASRec": {"hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1},
    "BERT4Rec": {"hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each model, without manifest, because an attacker can write a matching one."""
    place = tmp_path_factory.mktemp("models")
    for name in MODELS:
        settings = {"epochs": 1, **SMALL.get(name, {})}
        sasrec.train("synthetic:users=20,items=12,length=6", settings, model=name, out=place / name)
        (place / name / "manifest.json").unlink()
    return {name: place / name for name in MODELS}


def edited(folder: Path, place: Path, group: str, changes: Any) -> Path:
    """Copy a folder with changed settings; a change that is not a dict replaces the group."""
    place.mkdir(exist_ok=True)
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    settings = json.loads((folder / "settings.json").read_text())
    settings[group] = {**settings[group], **changes} if isinstance(changes, dict) else changes
    (place / "settings.json").write_text(json.dumps(settings))
    return place


def highest_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("NextItNet", {"dilations": [1] * 20_000, "block_num": 1_000}),
        ("NextItNet", {"block_num": 1_000}),
        ("SASRec", {"n_layers": 1_000}),
        ("SASRec", {"n_layers": 1_000, "block": "gated", "feed_forward": "swiglu"}),
        ("BERT4Rec", {"n_layers": 1_000}),
        ("GRU4Rec", {"num_layers": 100}),
        ("Caser", {"nh": 10_000, "nv": 10_000, "embedding_size": 65_536}),
    ],
)
def test_settings_cannot_build_a_network_larger_than_the_weights(
    folders: dict[str, Path], tmp_path: Path, model: str, changes: dict[str, Any]
) -> None:
    before = highest_megabytes()
    with pytest.raises(
        ModelError, match=r"far more weights than|settings\.json and vocabulary\.json require"
    ):
        load(edited(folders[model], tmp_path / "x", "model", changes))
    assert highest_megabytes() - before < 100
    assert torch.is_grad_enabled()  # global state of PyTorch is unchanged


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 0, -1, 1e300, float("nan"), "1", None])
def test_temperatures_without_finite_scores_are_refused(
    folders: dict[str, Path], tmp_path: Path, temperature: object
) -> None:
    changes = {"temperature": temperature}
    if temperature == "1":  # text that is a number is accepted
        load(edited(folders["SASRec"], tmp_path / "x", "model", changes))
        return
    with pytest.raises(ModelError, match=r"damaged or was edited: temperature: "):
        load(edited(folders["SASRec"], tmp_path / "x", "model", changes))


ODD = [None, -1, 1e308, 10**30, float("nan"), "x", "9" * 1000, True, [], [1] * 1000, {}, [[[]]]]


@pytest.mark.parametrize("model", MODELS)
def test_unusual_settings_load_or_are_refused(
    folders: dict[str, Path], tmp_path: Path, model: str
) -> None:
    settings = json.loads((folders[model] / "settings.json").read_text())
    for group in ("model", "data", "evaluation"):
        keys = [*settings[group]] if group == "model" else [*settings[group]][:4]
        changes: list[Any] = [each for each in ODD if not isinstance(each, dict)]
        changes += [{key: odd} for key in keys for odd in ODD]
        for change in changes:
            try:
                loaded = load(edited(folders[model], tmp_path / "x", group, change))
            except ModelError:
                continue
            [found] = loaded.recommend([["i1", "i2"]], k=2)
            assert torch.tensor(found.scores).isfinite().all()


def test_a_missing_history_length_is_reported(folders: dict[str, Path], tmp_path: Path) -> None:
    place = edited(folders["SASRec"], tmp_path / "x", "data", [])
    settings = json.loads((place / "settings.json").read_text())
    (place / "settings.json").write_text(json.dumps({**settings, "data": {}}))
    with pytest.raises(ModelError, match="'max_history' is missing"):
        load(place)


def test_dilations_beyond_the_history_take_no_memory(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    settings = json.loads((folders["NextItNet"] / "settings.json").read_text())
    n_dilations = len(settings["model"]["dilations"])
    found = []
    for dilation in (60, 65_536):  # histories have at most 50 events
        changes = {"dilations": [dilation] * n_dilations}
        model = load(edited(folders["NextItNet"], tmp_path / "x", "model", changes))
        before = highest_megabytes()
        found.append(model.score([["i1", "i2", "i3"]] * 200, ["i4", "i5"]))
        assert highest_megabytes() - before < 200
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_file_larger_than_in_the_manifest_is_not_read(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = load(folders["BPR"]).save(tmp_path / "model")
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(2**40)  # a sparse file
    with pytest.raises(ModelError, match=r"model\.safetensors is not the file"):
        load(folder)
