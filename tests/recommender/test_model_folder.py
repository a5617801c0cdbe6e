"""A model folder is written and read as a whole, and later changes are refused."""

import json
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import sasrec
from sasrec.errors import ModelError
from sasrec.recommender import consistent_read
from sasrec.recommender.folder import is_model
from sasrec.recommender.loading import load
from sasrec.recommender.manifest import MANIFEST
from sasrec.recommender.recommender import Recommender
from sasrec.system import folders, writing
from sasrec.system.writing import write_atomically
from sasrec.training.checkpoint import TrainState, save_state

SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 1, "n_heads": 1, "epochs": 1}


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return sasrec.train("synthetic:users=40,items=30,length=8", SMALL)


@pytest.fixture(scope="module")
def other() -> Recommender:
    """A model with as many items, so that its weights match the other vocabulary."""
    return sasrec.train("synthetic:users=41,items=30,length=8", SMALL | {"seed": 1})


def test_a_manifest_names_every_file_with_size_and_hash(
    recommender: Recommender, tmp_path: Path
) -> None:
    folder = recommender.save(tmp_path / "model")
    found = json.loads((folder / MANIFEST).read_text())
    names = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
    assert sorted(found["files"]) == names
    for name, facts in found["files"].items():
        assert facts["bytes"] == (folder / name).stat().st_size
    if shutil.which("sha256sum"):
        lines = subprocess.run(
            ["sha256sum", *names], cwd=folder, capture_output=True, text=True, check=True
        ).stdout
        assert [line.split()[0] for line in lines.splitlines()] == [
            found["files"][name]["sha256"] for name in names
        ]
        tied = subprocess.run(["sha256sum"], input=lines, capture_output=True, text=True).stdout
        assert tied.split()[0] == found["digest"]


@pytest.mark.parametrize(
    "name",
    ["settings.json", "vocabulary.json", "model.safetensors", "metrics.json", "environment.json"],
)
@pytest.mark.parametrize("change", ["a byte", "a space", "missing", "of another"])
def test_a_changed_file_is_refused_by_name(
    recommender: Recommender, other: Recommender, tmp_path: Path, name: str, change: str
) -> None:
    folder = recommender.save(tmp_path / "model")
    file = folder / name
    raw = file.read_bytes()
    match change:
        case "a byte":
            file.write_bytes(raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:])
        case "a space":
            file.write_bytes(raw + b" ")
        case "missing":
            file.unlink()
        case _:
            of_other = other.save(tmp_path / "other") / name
            of_other.write_bytes(of_other.read_bytes() + b"\n")  # both environments may be equal
            shutil.copy(of_other, file)
    with pytest.raises(ModelError, match=rf"(?s)model .*{name.replace('.', '[.]')}") as error:
        load(folder)
    assert "damaged or was edited" in str(error.value) or "lacks" in str(error.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "manifest.json is damaged or was edited"),
        ("[]", "manifest.json is damaged or was edited"),
        ("{}", "manifest.json is damaged or was edited: 'sasrec' is missing"),
        ('{"format": 2, "sasrec": "9.1"}', r"sasrec 9\.1 in format 2.*upgrade"),
        ('{"format": 1e999}', "manifest.json is damaged or was edited"),
        ("[" * 100_000, "manifest.json is damaged or was edited"),
    ],
)
def test_a_broken_manifest_is_refused(
    recommender: Recommender, tmp_path: Path, content: str, text: str
) -> None:
    folder = recommender.save(tmp_path / "model")
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match=text):
        load(folder)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda found: found["files"].pop("metrics.json"), "its digest does not match the files"),
        (lambda found: found["files"].update({"../x": {}}), "damaged or was edited"),
        (lambda found: found.update(files=3), "damaged or was edited"),
        (lambda found: found.update(digest="0" * 64), "its digest does not match the files"),
        (lambda found: found["files"]["metrics.json"].update(bytes="1"), "is not a size in bytes"),
        (lambda found: found["files"]["metrics.json"].update(sha256=[1]), "is not a SHA-256 hash"),
        (lambda found: found.update(written=None), "is not text"),
    ],
)
def test_an_edited_manifest_is_refused(
    recommender: Recommender, tmp_path: Path, change: Callable[[dict[str, object]], None], text: str
) -> None:
    folder = recommender.save(tmp_path / "model")
    found = json.loads((folder / MANIFEST).read_text())
    change(found)
    (folder / MANIFEST).write_text(json.dumps(found))
    with pytest.raises(ModelError, match=text):
        load(folder)


def test_a_folder_of_0_1_0_has_no_manifest_and_loads(
    recommender: Recommender, tmp_path: Path
) -> None:
    folder = recommender.save(tmp_path / "model")
    (folder / MANIFEST).unlink()
    assert load(folder).items.entries.to_list() == recommender.items.entries.to_list()
    assert is_model(folder)
    recommender.save(folder, overwrite=True)
    assert (folder / MANIFEST).is_file()


def test_files_of_explain_are_allowed(recommender: Recommender, tmp_path: Path) -> None:
    folder = recommender.save(tmp_path / "model")
    for name in ("training.png", "explanation.html", "explanation-heads.png"):
        (folder / name).write_bytes(b"later")
    left = (
        folder / f"{writing.working_prefix(folder / 'explanation.html')}x"
    )  # left by a killed process
    left.mkdir()
    load(folder)
    recommender.save(folder, overwrite=True)
    assert not left.exists()


def replace_again_and_again(place: str, whole: list[str], in_one_step: bool) -> None:
    """Replace a model by copies of two models alternately, as saving does, until killed."""
    if not in_one_step:
        folders.exchange_names = lambda first, second: False
    target, number = Path(place), 0
    while True:
        number += 1
        copy = target.with_name(f"copy-{number}") / "model"
        shutil.copytree(whole[number % 2], copy)
        aside = f"{writing.working_prefix(target)}x.old"
        folders._swap(copy, target, target.with_name(aside))
        shutil.rmtree(copy.parent)


@contextmanager
def replacing(place: Path, whole: list[str], *, in_one_step: bool) -> Iterator[None]:
    """Replace a model in another process, which is running when this yields."""
    context = multiprocessing.get_context("spawn")
    running = context.Process(target=replace_again_and_again, args=(str(place), whole, in_one_step))
    first = place.stat().st_ino
    running.start()
    try:
        while not place.exists() or place.stat().st_ino == first:
            assert running.is_alive()
            time.sleep(0.01)
        yield
        assert running.is_alive()
    finally:
        running.kill()
        running.join()


@pytest.mark.parametrize("with_manifest", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("in_one_step", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_loading_while_a_model_is_replaced_sees_one_or_the_other(
    recommender: Recommender,
    other: Recommender,
    tmp_path: Path,
    with_manifest: bool,
    in_one_step: bool,
) -> None:
    expected = {each.settings["source"]: each for each in (recommender, other)}
    whole = [each.save(tmp_path / f"whole-{n}") for n, each in enumerate(expected.values())]
    if not with_manifest:
        for each in whole:
            (each / MANIFEST).unlink()
    place = tmp_path / "model"
    shutil.copytree(whole[0], place)
    seen = set()
    with replacing(place, [str(each) for each in whole], in_one_step=in_one_step):
        for _ in range(300):
            found = load(place)
            true_one = expected[found.settings["source"]]
            np.testing.assert_array_equal(found.counts, true_one.counts)
            assert torch.equal(found.model.item_table, true_one.model.item_table)
            assert found.metrics == true_one.metrics
            seen.add(found.settings["source"])
    assert len(seen) == 2


def test_a_folder_replaced_without_end_is_an_error(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recommender.save(tmp_path / "model")
    times = iter(range(10_000))
    monkeypatch.setattr(consistent_read, "_identity", lambda folder: (next(times),))
    monkeypatch.setattr(consistent_read, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(ModelError, match="being replaced again and again"):
        load(folder)


def test_a_folder_that_is_being_replaced_is_waited_for(
    recommender: Recommender, tmp_path: Path
) -> None:
    folder = recommender.save(tmp_path / "model")
    aside = folder.with_name(f"{writing.working_prefix(folder)}x.old")
    folder.rename(aside)
    waiting = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from sasrec.recommender.loading import load; load({str(folder)!r})",
        ]
    )
    time.sleep(0.2)
    aside.rename(folder)
    assert waiting.wait(120) == 0


@pytest.mark.parametrize("manner", ["overwritten", "cut off"])
def test_a_loaded_model_is_a_copy(recommender: Recommender, tmp_path: Path, manner: str) -> None:
    folder = recommender.save(tmp_path / "model")
    loaded = load(folder)
    before = loaded.score([["i1", "i2"]], ["i3", "i4"])
    with (folder / "model.safetensors").open("r+b") as file:
        if manner == "cut off":
            file.truncate(0)  # a memory map of the file would cause a bus error
        else:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            file.write(b"\x7f" * size)
    np.testing.assert_array_equal(loaded.score([["i1", "i2"]], ["i3", "i4"]), before)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002, 0o027])
def test_permissions_follow_the_umask(recommender: Recommender, tmp_path: Path, mask: int) -> None:
    state = TrainState({"weights.0": torch.zeros(3)}, {"epochs": []})
    with umask(mask):
        for _ in range(2):  # the second time, a model is replaced
            model = recommender.save(tmp_path / "new" / "model", overwrite=True)
            write_atomically(tmp_path / "answers.json", "{}")
            save_state(state, {}, tmp_path / "model.training.safetensors")
    folders, files = [model, model.parent], [*model.iterdir(), *tmp_path.glob("*.*s*")]
    assert len(files) == 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o777 & ~mask}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o666 & ~mask}


def recorded_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the names of flushed, renamed and removed paths, in order."""
    calls: list[str] = []
    names: dict[int, str] = {}
    true_open, true_sync, true_exchange = os.open, os.fsync, writing.exchange_names

    def opened(path: str, *given: object, **named: object) -> int:
        number = true_open(path, *given, **named)  # type: ignore[arg-type]
        names[number] = Path(os.fsdecode(path)).name
        return number

    def sync(number: int) -> None:
        calls.append(f"flush {names.get(number, number)}")
        true_sync(number)

    def record(name: str) -> None:
        true_one = getattr(os, name)

        def call(first: Path, *given: object, **named: object) -> object:
            calls.append(f"{name} {Path(first).name}")
            return true_one(first, *given, **named)

        monkeypatch.setattr(os, name, call)

    def exchange(first: Path, second: Path) -> bool:
        calls.append(f"exchange {second.name}")
        return true_exchange(first, second)

    def removed(path: Path, *given: object, **named: object) -> None:
        calls.append(f"rmtree {Path(path).name}")

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", sync)
    for name in ("rename", "replace", "unlink"):
        record(name)
    monkeypatch.setattr("sasrec.system.folders.exchange_names", exchange)
    monkeypatch.setattr(shutil, "rmtree", removed)
    return calls


def test_a_model_is_flushed_before_the_old_one_is_deleted(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "shelf"
    recommender.save(place / "model")
    calls = recorded_calls(monkeypatch)
    recommender.save(place / "model", overwrite=True)
    swapped = calls.index("exchange model")
    names = {path.name for path in (place / "model").iterdir()}
    assert {f"flush {name}" for name in names} | {"flush model"} <= set(calls[:swapped])
    removed = next(n for n, c in enumerate(calls) if n > swapped and c.startswith("rmtree .model"))
    assert swapped < calls.index("flush shelf", swapped) < removed


def test_a_model_is_flushed_if_names_cannot_be_exchanged(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "shelf"
    recommender.save(place / "model")
    calls = recorded_calls(monkeypatch)
    monkeypatch.setattr("sasrec.system.folders.exchange_names", lambda first, second: False)
    recommender.save(place / "model", overwrite=True)
    renamed = [n for n, call in enumerate(calls) if call.startswith("rename model")]
    assert len(renamed) == 2
    removed = next(n for n, call in enumerate(calls) if call.endswith(".old"))
    assert calls[removed].startswith("rmtree")
    assert renamed[1] < calls.index("flush shelf", renamed[1]) < removed


def test_new_folders_and_files_are_flushed_with_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = recorded_calls(monkeypatch)
    write_atomically(tmp_path / "a" / "b" / "x.json", "{}")
    assert calls[:2] == [f"flush {tmp_path.name}", "flush a"]
    assert calls[2:5] == ["flush x.json", "replace x.json", "flush b"]


def test_file_systems_without_folder_flush_are_supported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_one = os.fsync

    def sync(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(22, "Invalid argument")
        true_one(number)

    monkeypatch.setattr(os, "fsync", sync)
    write_atomically(tmp_path / "x.json", "{}")
    assert (tmp_path / "x.json").read_text() == "{}"
