"""The description is complete and true: its examples work, and schemathesis finds nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exported_forms import recommender_of
from running_server import Server, running

import sasrec

TESTER = "from schemathesis.cli import schemathesis; schemathesis()"


@pytest.fixture(scope="module", params=["types", pytest.param("BPR", marks=pytest.mark.slow)])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("exports")
    sasrec.export(recommender_of(request.param), folder / "out")
    (folder / "rules.yaml").write_text("sets: {odd: {candidates: [i1, i3, i5]}}")
    words = ["--rules", str(folder / "rules.yaml")]
    # Small limits, so that bodies at and above them stay small.
    words += ["--max-events", "30", "--max-candidates", "30", "--max-histories", "5"]
    if request.param == "types":
        words += ["--store", str(folder / "events.sqlite")]
    with running(folder / "out", *words, log=folder / "log") as found:
        yield found


def test_every_path_is_described_and_every_example_works(server: Server) -> None:
    document = server.get("/openapi.json")
    paths = set(document["paths"])
    assert {"/recommend", "/similar", "/explain", "/items", "/model", "/health"} <= paths
    assert {"/ready", "/metrics", "/reload", "/openapi.json", "/docs", "/"} <= paths
    assert {"/events", "/history"} <= paths or not server.get("/model")["has_store"]
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        for example in content.get("application/json", {}).get("examples", {}).values():
            server.post(path, example["value"])


def problems(server: Server, folder: Path, examples: int, phases: str) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-c", TESTER, "run", f"http://127.0.0.1:{server.port}/openapi.json"),
            *("--checks", "all", "--max-examples", str(examples), "--workers", "1"),
            *("--phases", phases, "--no-color"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-5000:]


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    assert problems(server, tmp_path, 200, "examples,coverage,fuzzing,stateful") == ""
    assert server.get("/ready")["ready"]


def test_schemathesis_finds_nothing_with_few_examples(server: Server, tmp_path: Path) -> None:
    assert problems(server, tmp_path, 5, "examples,fuzzing") == ""
