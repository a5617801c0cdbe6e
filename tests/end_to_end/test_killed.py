"""kill -9 or a full disk at any moment: the last checkpoint stays usable, and going on from it ends
in the same weights."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forked import ran, started

DATA = "synthetic:users=120,items=30,length=12"
WORDS = ["train", "-d", DATA, "-o", "model", "--quiet", "--device=cpu"]
SMALL = ["--hidden_size=16", "--inner_size=16", "--epochs=12", "--batch_size=256"]

# Runs the command and kills it before or after the n-th call of a file operation.
DEADLY = """
import os, sys
calls = 0
name, number, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
true_one = getattr(os, name)
def deadly(*given, **named):
    global calls
    calls += 1
    if calls == number and when == "before":
        os.kill(os.getpid(), 9)
    found = true_one(*given, **named)
    if calls == number:
        os.kill(os.getpid(), 9)
    return found
setattr(os, name, deadly)
from sasrec.cli.app import main
sys.argv = ["sasrec", *sys.argv[4:]]
main()
"""


def ended(*words: str, cwd: Path, program: tuple[str, ...] = ("-m", "sasrec")) -> int:
    return ran(*program, *words, cwd=cwd).returncode


def outcome(folder: Path) -> tuple[bytes, dict[str, Any]]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    for each in metrics["epochs"]:
        del each["seconds"]
    return (folder / "model.safetensors").read_bytes(), metrics


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """The result of the training if it is not killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert ended(*WORDS, *SMALL, cwd=folder) == 0
    return outcome(folder / "model")


def goes_on(folder: Path, whole: tuple[bytes, dict[str, Any]]) -> None:
    """Resume a killed training, and assert that its result is the same as without the kill."""
    kept = folder / "model.training.safetensors"
    words = ["train", "--resume", "model", "--quiet"] if kept.exists() else [*WORDS, *SMALL]
    assert ended(*words, cwd=folder) == 0
    assert outcome(folder / "model") == whole
    assert [path.name for path in folder.iterdir()] == ["model"]


def killed(*words: str, cwd: Path, at: tuple[str, int, str]) -> None:
    """Run the command and kill it at a call of a file operation."""
    operation, number, when = at
    program = ("-c", DEADLY, operation, str(number), when)
    assert ended(*words, cwd=cwd, program=program) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("operation", "number", "when"),
    [
        ("fsync", 1, "before"),  # the first checkpoint is written, but not renamed yet
        ("replace", 1, "before"),
        ("replace", 7, "before"),  # a later checkpoint
        ("replace", 7, "after"),
        ("rename", 1, "before"),  # the model is written, but not renamed yet
        ("rename", 1, "after"),  # the model is in place, and the checkpoint not deleted yet
    ],
)
def test_killed_while_saving(
    operation: str, number: int, when: str, whole: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    killed(*WORDS, *SMALL, cwd=tmp_path, at=(operation, number, when))
    goes_on(tmp_path, whole)


# safetensors first writes its own temporary file; the kill comes then, at its 4th file.
WITHIN = """
import os, sys
import safetensors.torch
calls = 0
true_one = safetensors.torch.save_file
def deadly(tensors, place, *given):
    global calls
    calls += 1
    if calls == 4:
        (place.parent / ".tmpAbCdEf").write_bytes(b"half a checkpoint")
        os.kill(os.getpid(), 9)
    true_one(tensors, place, *given)
safetensors.torch.save_file = deadly
from sasrec.cli.app import main
sys.argv = ["sasrec", *sys.argv[1:]]
main()
"""


def test_killed_inside_a_library_call(whole: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    assert ended(*WORDS, *SMALL, cwd=tmp_path, program=("-c", WITHIN)) == -signal.SIGKILL
    goes_on(tmp_path, whole)


# As on systems that need two renames to replace a folder.
TWO_STEPS = """
import sasrec.system.folders
sasrec.system.folders.exchange_names = lambda first, second: False
"""


def test_killed_between_removing_the_old_model_and_renaming_the_new(
    whole: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    assert ended(*WORDS, *SMALL, "--seed=1", cwd=tmp_path) == 0
    before = outcome(tmp_path / "model")
    at = ("-c", f"{TWO_STEPS}\n{DEADLY}", "rename", "1", "after")
    assert ended(*WORDS, *SMALL, "--overwrite", cwd=tmp_path, program=at) == -signal.SIGKILL
    assert not (tmp_path / "model").exists()  # the old one is renamed, the new one not yet
    goes_on(tmp_path, whole)
    assert outcome(tmp_path / "model") != before


# Where the system exchanges two names in one step, the new model is in place and the old one is not
# deleted yet.
EXCHANGED = """
import os, sys
import sasrec.system.folders
true_one = sasrec.system.folders.exchange_names
def deadly(first, second):
    assert true_one(first, second)
    os.kill(os.getpid(), 9)
sasrec.system.folders.exchange_names = deadly
from sasrec.cli.app import main
sys.argv = ["sasrec", *sys.argv[1:]]
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes names in one step")
def test_killed_after_the_new_model_is_renamed(
    whole: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    assert ended(*WORDS, *SMALL, "--seed=1", cwd=tmp_path) == 0
    overwriting = (*WORDS, *SMALL, "--overwrite")
    assert ended(*overwriting, cwd=tmp_path, program=("-c", EXCHANGED)) == -signal.SIGKILL
    assert outcome(tmp_path / "model") == whole
    goes_on(tmp_path, whole)


def killed_at_random(
    times: int, seed: int, whole: tuple[bytes, dict[str, Any]], folder: Path
) -> int:
    """Kill a training at random moments until it ends; return how often it was killed."""
    chance, kills = random.Random(seed), 0
    kept = folder / "model.training.safetensors"
    words = [*WORDS, *SMALL]
    for _ in range(times):
        running = started("-m", "sasrec", *words, cwd=folder)
        stamp = kept.stat().st_mtime_ns if kept.exists() else 0
        while running.poll() is None:  # until it has kept one more epoch
            if kept.exists() and kept.stat().st_mtime_ns != stamp:
                break
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.08))
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
            kills += 1
        running.wait()
        words = ["train", "--resume", "model", "--quiet"]
        if not kept.exists():
            break
    if kept.exists():
        goes_on(folder, whole)
    assert outcome(folder / "model") == whole
    return kills


def test_killed_at_random_moments(whole: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    assert killed_at_random(3, 0, whole, tmp_path) > 0


@pytest.mark.soak
def test_killed_at_thirty_random_moments(
    whole: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    kills, trainings = 0, 0
    while kills < 30 and trainings < 100:
        folder = tmp_path / str(trainings)
        folder.mkdir()
        kills += killed_at_random(6, trainings, whole, folder)
        trainings += 1
    print(f"killed {kills} times in {trainings} trainings; all ended as the one not killed")
    assert kills >= 30


def interrupted_after_three_epochs(folder: Path) -> bytes:
    killed(*WORDS, *SMALL, cwd=folder, at=("replace", 3, "after"))
    return (folder / "model.training.safetensors").read_bytes()


def resumed(folder: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Resume with a limit on file sizes, which has the same effect as a full disk."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "sasrec", "train", "--resume", "model", "--quiet"],
        cwd=folder,
        capture_output=True,
        text=True,
        preexec_fn=limited,
    )


def test_a_file_size_limit_leaves_the_last_checkpoint(
    whole: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    before = interrupted_after_three_epochs(tmp_path)
    found = resumed(tmp_path, limit=len(before) // 2)
    assert found.returncode == 2
    assert "error: the checkpoint could not be saved: " in found.stderr
    assert "Traceback" not in found.stderr
    assert (tmp_path / "model.training.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.training.safetensors"]
    goes_on(tmp_path, whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk of 256 KB; only root can create one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = ["-t", "tmpfs", "-o", "size=256k", "tmpfs"]
    if not shutil.which("mount") or subprocess.run(["mount", *size, str(folder)]).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_the_last_checkpoint(
    whole: tuple[bytes, dict[str, Any]], small_disk: Path
) -> None:
    before = interrupted_after_three_epochs(small_disk)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    found = resumed(small_disk)
    assert found.returncode == 2
    assert "error: the checkpoint could not be saved: " in found.stderr
    assert "No space left on device" in found.stderr
    assert (small_disk / "model.training.safetensors").read_bytes() == before
    filler.unlink()
    goes_on(small_disk, whole)


def test_a_read_only_disk_leaves_all_files_unchanged(small_disk: Path) -> None:
    before = interrupted_after_three_epochs(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    found = resumed(small_disk)
    assert found.returncode == 2
    assert "model cannot be written (Read-only file system); choose another folder" in found.stderr
    assert (small_disk / "model.training.safetensors").read_bytes() == before
