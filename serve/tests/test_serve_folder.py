"""Exports that are damaged, incomplete, incompatible or replaced while they are read."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_forms import recommender_of

import sasrec
import sasrec_serve
from sasrec_serve import ExportError, SettingsError
from sasrec_serve.exported import folder as reading
from sasrec_serve.exported.manifest import Manifest


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exports") / "fmc"
    sasrec.export(recommender_of("FMC"), place)
    return place


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "films"))


def sign(folder: Path) -> None:
    """Write the manifest anew, as if the files had been exported like this."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    facts = {
        each.name: {
            "bytes": each.stat().st_size,
            "sha256": hashlib.sha256(each.read_bytes()).hexdigest(),
        }
        for each in folder.iterdir()
        if each.name != path.name
    }
    lines = "".join(f"{facts[name]['sha256']}  {name}\n" for name in sorted(facts))
    content |= {"files": facts, "digest": hashlib.sha256(lines.encode()).hexdigest()}
    path.write_text(json.dumps(content))


def edit(folder: Path, name: str, change: Callable[[Any], object]) -> None:
    """Change the contents of a JSON file; a change that returns None was made in place."""
    content = json.loads((folder / name).read_text())
    changed = change(content)
    (folder / name).write_text(json.dumps(content if changed is None else changed))


FILES = [
    *("serving.json", "vocabulary.json", "titles.json", "card.json", "check.json"),
    *("item_vectors.npy", "trained.npy", "popularity.npy", "network.onnx", "network.onnx.data"),
]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_file_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ExportError, match=f"{name} is damaged or was edited: its SHA-256 is not"):
        sasrec_serve.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_short_is_noticed(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(ExportError, match=rf"{name} has [\d,]+ bytes instead of the [\d,]+ in"):
        sasrec_serve.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(
        ExportError, match=f"{name} cannot be read .No such file or directory.; exp"
    ):
        sasrec_serve.load(folder)


def test_a_folder_that_is_not_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="nothing is not a folder; give one that 'sasrec export'"):
        sasrec_serve.load(tmp_path / "nothing")
    with pytest.raises(ExportError, match=r"is not an export, as it has no manifest\.json; "):
        sasrec_serve.load(tmp_path)
    with pytest.raises(ExportError, match="7 is not a path; give the folder of an export"):
        sasrec_serve.load(7)  # type: ignore[arg-type]


def test_a_model_folder_is_told_from_an_export(tmp_path: Path) -> None:
    recommender_of("FMC").save(tmp_path / "model")
    with pytest.raises(ExportError, match=r"lists no serving.json; export the model"):
        sasrec_serve.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(format=2, sasrec="9.9"), "written by sasrec 9.9 in format 2; this ver"),
        (lambda m: m.update(format="x"), "is damaged or was edited: its format is not a number"),
        (lambda m: m.__delitem__("files"), "is damaged or was edited: 'files' is missing"),
        (lambda m: m.update(digest="0" * 64), "its digest does not match the files it lists"),
        (lambda m: m["files"].update({"../x": m["files"]["card.json"]}), "'../x' is not a file na"),
        (lambda m: m["files"]["card.json"].update(bytes=-0.5), "'card.json' is not a file name"),
        (lambda m: [m], "is damaged or was edited"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(
    folder: Path, change: Callable[[Any], object], reason: str
) -> None:
    edit(folder, "manifest.json", change)
    with pytest.raises(ExportError, match=reason):
        sasrec_serve.load(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2, "sasrec": "9.9"}, "was written by sasrec 9.9 in format 2; this version rea"),
        ({"n_items": 41}, r"popularity.npy|trained.npy|item_vectors.npy is damaged: it has shape"),
        ({"n_items": "x"}, "serving.json is damaged: 'n_items' is 'x'; it must be from 0 to"),
        ({"max_history": 0}, "serving.json is damaged: 'max_history' is 0; it must be from 1"),
        ({"asked_type": 3}, "serving.json is damaged: 'asked_type' is 3; it must be from 0 to 0"),
        ({"event_types": None}, "serving.json is damaged: 'NoneType' object is not iterable"),
        ({"network": {"file": "network.pt2"}}, "'network.pt2', which only PyTorch can run; export"),
        (
            {"network": {"file": "network.onnx", "inputs": ["pictures"], "output": "states"}},
            "a network with inputs 'pictures' and output 'states', which this version does not",
        ),
        (
            {"network": {"file": "network.onnx", "inputs": ["items"], "output": "states"}},
            "the network has no inputs 'items' and 'lengths'",
        ),
        (
            {
                "network": {
                    "file": "network.onnx",
                    "inputs": ["items", "lengths", "users"],
                    "output": "states",
                }
            },
            "has the inputs items, lengths, and not those in serving.json",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    folder: Path, change: dict[str, Any], reason: str
) -> None:
    edit(folder, "serving.json", lambda content: content | change)
    sign(folder)
    with pytest.raises(ExportError, match=reason):
        sasrec_serve.load(folder)


def test_a_missing_setting_is_named(folder: Path) -> None:
    edit(folder, "serving.json", lambda content: content.pop("n_items") and content)
    sign(folder)
    with pytest.raises(ExportError, match=r"serving.json is damaged: 'n_items' is missing"):
        sasrec_serve.load(folder)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("vocabulary.json", lambda v: v["items"].pop() and v, "it has 39 items and serving.json"),
        ("vocabulary.json", lambda v: v["items"].__setitem__(3, 7), "a token of items is not a te"),
        (
            "vocabulary.json",
            lambda v: v["items"].__setitem__(3, "i1"),
            "the tokens of a vocabulary must be distinct",
        ),
        ("vocabulary.json", lambda v: [], "is damaged"),
        ("titles.json", lambda titles: titles[1:], "it has 39 titles for 40 items"),
        ("check.json", lambda check: check.pop("cases") and check, "check.json is damaged: KeyErr"),
    ],
)
def test_lists_that_do_not_fit_are_refused(
    folder: Path, name: str, change: Callable[[Any], object], reason: str
) -> None:
    edit(folder, name, change)
    sign(folder)
    with pytest.raises(ExportError, match=reason):
        sasrec_serve.load(folder)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("trained.npy", lambda a: a.astype(np.int8), "should have shape .41. and type bool"),
        ("trained.npy", lambda a: a[:-1], r"it has shape \[40\] and type bool, and should have"),
        ("item_vectors.npy", lambda a: np.asfortranarray(a), "it has shape .41, 8. and type float"),
        ("item_vectors.npy", lambda a: a * np.nan, "damaged: an item vector contains NaN or inf"),
        (
            "item_vectors.npy",
            lambda a: a[:, :3],
            "the network's output has 8 numbers for each history instead of 3",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    folder: Path, name: str, make: Callable[[np.ndarray], np.ndarray], reason: str
) -> None:
    array = np.load(folder / name)
    np.save(folder / name, make(array))
    sign(folder)
    with pytest.raises(ExportError, match=reason):
        sasrec_serve.load(folder)


def test_objects_in_arrays_are_never_unpickled(folder: Path) -> None:
    np.save(folder / "trained.npy", np.array([{}] * 41, dtype=object), allow_pickle=True)
    sign(folder)
    with pytest.raises(ExportError, match="and type object, and should have"):
        sasrec_serve.load(folder)


@pytest.mark.parametrize("name", ["network.onnx", "trained.npy", "card.json"])
def test_files_of_something_else_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"something else")
    sign(folder)
    with pytest.raises(ExportError, match=name):
        sasrec_serve.load(folder)


def test_vectors_of_another_model_are_noticed_by_the_check(folder: Path) -> None:
    np.save(folder / "item_vectors.npy", np.load(folder / "item_vectors.npy") * np.float32(1.01))
    sign(folder)
    with pytest.raises(
        ExportError, match=r"does not recommend as the trained model does: scores differ by .* 9 in"
    ):
        sasrec_serve.load(folder)


def test_another_order_is_noticed_by_the_check(folder: Path) -> None:
    def swap(content: dict[str, Any]) -> None:
        case = content["cases"][3]
        case["items"][:2] = case["items"][1::-1]

    edit(folder, "check.json", swap)
    sign(folder)
    with pytest.raises(ExportError, match=r"it recommends .* and the model"):
        sasrec_serve.load(folder)


def test_an_export_that_takes_the_place_of_another_is_read_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sasrec.export(recommender_of("BPR"), tmp_path / "other")
    true_read, replaced = Manifest.json, []

    def json_then_replaced(manifest: Manifest, name: str) -> Any:
        if name == "vocabulary.json" and not replaced:
            replaced.append(folder.rename(tmp_path / "before"))
            (tmp_path / "other").rename(folder)
        return true_read(manifest, name)

    monkeypatch.setattr(Manifest, "json", json_then_replaced)
    assert sasrec_serve.load(folder).export.serving.model == "BPR"
    assert replaced


def test_a_folder_that_keeps_changing_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_was_replaced", lambda manifest: True)
    with pytest.raises(ExportError, match="films changed while it was read; try again"):
        sasrec_serve.load(folder)


def test_a_loaded_export_answers_after_its_folder_is_gone(folder: Path) -> None:
    served = sasrec_serve.load(folder)
    before = served.recommend([["i1", "i2"]])
    shutil.rmtree(folder)
    assert served.recommend([["i1", "i2"]]) == before
    assert served.similar(["i1"])


def test_an_invalid_number_of_threads_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="threads is 3; it must be 1 or 2"):
        sasrec_serve.load(folder, threads=3)


def test_the_export_can_be_identified(folder: Path) -> None:
    served = sasrec_serve.load(folder)
    assert served.digest == json.loads((folder / "manifest.json").read_text())["digest"]
    assert served.folder == folder
    assert repr(served) == "<Recommender: FMC, 40 items>"
