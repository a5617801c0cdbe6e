"""A lock is beside its target, goes with its process, and harms no file that somebody planted."""

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
    """Start a process that holds the lock of a place, and wait until it does."""
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(place)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert holding.stdout is not None
    assert holding.stdout.readline() == "held\n"
    return holding


def test_a_lock_is_beside_its_target_for_its_owner_alone_and_goes(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "model", wait=False):
        [lock] = tmp_path.iterdir()
        assert lock.name == ".model.lock"
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_folders_made_for_a_lock_go_with_it_unless_used(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "a" / "b" / "model", wait=False):
        assert (tmp_path / "a" / "b" / ".model.lock").is_file()
    assert list(tmp_path.iterdir()) == []
    with exclusive_lock(tmp_path / "a" / "b" / "model", wait=False):
        (tmp_path / "a" / "mine").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]


def test_another_temporary_folder_or_user_name_does_not_get_past(tmp_path: Path) -> None:
    place, other = tmp_path / "model", tmp_path / "other"
    other.mkdir()
    holding = held_by_another(place, TMPDIR=str(other), LOGNAME="somebody", USER="somebody")
    with holding:
        try:
            with pytest.raises(BlockingIOError), exclusive_lock(place, wait=False):
                pass
        finally:
            holding.send_signal(signal.SIGKILL)
    assert (tmp_path / ".model.lock").exists()  # nobody was left to remove it
    with exclusive_lock(place, wait=False):
        pass
    assert not (tmp_path / ".model.lock").exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "folder", "pipe"])
def test_what_is_planted_where_a_lock_is_to_be_harms_nothing(tmp_path: Path, kind: str) -> None:
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
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)  # planted after we looked
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


def test_of_several_that_wait_each_gets_its_turn_alone(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    words = [sys.executable, "-c", TAKING_TURNS, str(tmp_path / "place"), str(counter)]
    running = [subprocess.Popen(words) for _ in range(3)]
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert counter.read_text() == "300"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_a_place_that_cannot_be_made_is_an_error_and_no_endless_loop() -> None:
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
