"""A lock is next to its target, ends with its process, and a planted link causes no damage."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sasrec.system.locks import FileLock, exclusive_lock

HOLDING = """
import sys, time
from pathlib import Path
from sasrec.system.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    time.sleep(60)
"""


def held_by_another(place: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a process that holds the lock of a path, and wait until it holds it."""
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(place)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert holding.stdout is not None
    assert holding.stdout.readline() == "held\n"
    return holding


def test_a_lock_is_next_to_its_target_for_its_owner_only_and_is_removed(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "model", wait=False):
        [lock] = tmp_path.iterdir()
        assert lock.name == ".model.lock"
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_folders_created_for_a_lock_are_removed_unless_used(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "a" / "b" / "model", wait=False):
        assert (tmp_path / "a" / "b" / ".model.lock").is_file()
    assert list(tmp_path.iterdir()) == []
    with exclusive_lock(tmp_path / "a" / "b" / "model", wait=False):
        (tmp_path / "a" / "mine").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]


def test_another_temporary_folder_or_user_name_does_not_bypass_a_lock(tmp_path: Path) -> None:
    place, other = tmp_path / "model", tmp_path / "other"
    other.mkdir()
    holding = held_by_another(place, TMPDIR=str(other), LOGNAME="somebody", USER="somebody")
    with holding:
        try:
            with pytest.raises(BlockingIOError), exclusive_lock(place, wait=False):
                pass
        finally:
            holding.send_signal(signal.SIGKILL)
    assert (tmp_path / ".model.lock").exists()  # the killed process could not remove it
    with exclusive_lock(place, wait=False):
        pass
    assert not (tmp_path / ".model.lock").exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "folder", "pipe"])
def test_a_file_planted_in_place_of_a_lock_harms_nothing(tmp_path: Path, kind: str) -> None:
    precious, lock = tmp_path / "precious", tmp_path / ".model.lock"
    precious.write_text("precious")
    match kind:
        case "link":
            lock.symlink_to(precious)
        case "dangling link":
            lock.symlink_to(tmp_path / "nowhere")
        case "hard link":
            lock.hardlink_to(precious)
        case "folder":
            lock.mkdir()
        case _:
            os.mkfifo(lock)
    if kind == "hard link":
        with exclusive_lock(tmp_path / "model", wait=False):
            pass
    else:
        refused = pytest.raises(OSError, match="it is a link or not a regular file")
        with refused, exclusive_lock(tmp_path / "model", wait=False):
            pass
    assert precious.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_journals_lock_is_never_opened_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.journal.lock").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)  # as if planted after the check
    with pytest.raises(OSError, match="it is a link or not a regular file"):
        FileLock(tmp_path / "s.journal").acquire()
    assert not (tmp_path / "nowhere").exists()


TAKING_TURNS = """
import sys, time
from pathlib import Path
from sasrec.system.locks import exclusive_lock
place, counter = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(100):
    with exclusive_lock(place, wait=True):
        number = int(counter.read_text())
        time.sleep(0.0005)
        counter.write_text(str(number + 1))
"""


def test_waiting_processes_hold_the_lock_one_at_a_time(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    words = [sys.executable, "-c", TAKING_TURNS, str(tmp_path / "place"), str(counter)]
    running = [subprocess.Popen(words) for _ in range(3)]
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert counter.read_text() == "300"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_a_folder_that_cannot_be_created_is_an_error_and_no_endless_loop() -> None:
    with (
        pytest.raises(OSError, match="No such file"),
        exclusive_lock(Path("/proc/x/model"), wait=True),
    ):
        pass


def test_long_names_have_locks_too(tmp_path: Path) -> None:
    with (
        exclusive_lock(tmp_path / ("ä" * 120), wait=False),
        exclusive_lock(tmp_path / "b", wait=False),
    ):
        assert len(list(tmp_path.iterdir())) == 2
