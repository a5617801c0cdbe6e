import os
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from sasrec.errors import DataError
from sasrec.system.writing import (
    REPLACED_SUFFIX,
    remove_leftovers,
    working_prefix,
    write_atomically,
    write_atomically_with,
    write_by_library,
)


def test_a_pipe_is_opened_once_for_a_library_that_opens_a_file_twice(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        for text in ("first", "second"):
            path.write_text(text)

    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        write_by_library(pipe, write)
        assert reader.communicate(timeout=30)[0] == b"second"
    file.touch()
    write_by_library(file, write)
    assert file.read_text() == "second"


def test_an_existing_file_is_unchanged_if_writing_fails(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "report.json"
    write_atomically(path, "first")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"report\.json cannot be written: No space left on device"):
        write_atomically(path, "second")
    assert path.read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("fails", [False, True])
def test_files_that_a_library_leaves_behind_are_removed(tmp_path: Path, fails: bool) -> None:
    path = tmp_path / "weights"

    def write(place: Path) -> None:
        (place.parent / ".tmpAbCdEf").write_text("of the library")
        if fails:
            raise KeyboardInterrupt
        place.write_text("whole")

    with pytest.raises(KeyboardInterrupt) if fails else nullcontext():
        write_atomically_with(path, write)
    assert [each.name for each in tmp_path.iterdir()] == ([] if fails else ["weights"])


def test_leftovers_of_this_name_are_removed_and_others_stay(tmp_path: Path) -> None:
    model, other = tmp_path / "model", tmp_path / ".model-of-mine"
    left = tmp_path / f"{working_prefix(model)}abc"
    file = tmp_path / f"{working_prefix(model)}def"
    for folder in (model, other, left):
        folder.mkdir()
        (folder / "inside").touch()
    file.touch()
    remove_leftovers(model)
    assert sorted(tmp_path.iterdir()) == [other, model]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_replaced_folder_is_restored_if_its_place_is_empty(
    tmp_path: Path, is_there: bool
) -> None:
    model = tmp_path / "model[1]"
    aside = tmp_path / f"{working_prefix(model)}abc{REPLACED_SUFFIX}"
    aside.mkdir()
    (aside / "old").touch()
    if is_there:
        model.mkdir()
    remove_leftovers(model)
    assert [each.name for each in tmp_path.iterdir()] == ["model[1]"]
    assert (model / "old").exists() is not is_there


def test_leftovers_of_a_name_with_the_same_beginning_are_kept(tmp_path: Path) -> None:
    long = "a" * 60
    mine, other = tmp_path / f"{long}-1", tmp_path / f"{long}-2"
    aside = tmp_path / f"{working_prefix(other)}abc{REPLACED_SUFFIX}"
    aside.mkdir()
    being_written = tmp_path / f"{working_prefix(other)}def"
    being_written.touch()
    remove_leftovers(mine)
    assert sorted(tmp_path.iterdir()) == sorted([aside, being_written])


def test_a_leftover_link_is_removed_and_its_target_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / f"{working_prefix(tmp_path / 'model')}x").symlink_to(target)
    remove_leftovers(tmp_path / "model")
    assert [each.name for each in tmp_path.iterdir()] == ["target"]
