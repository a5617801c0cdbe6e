"""A new export takes the place of the model without a dropped or mixed answer."""

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_forms import recommender_of
from running_server import Server, running, until

import sasrec
import sasrec_serve
from sasrec_serve.errors import ExportError
from sasrec_serve.server.exports import exports_at

HISTORY = ["i1", "i2", "i3"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two exports of different weights."""
    folder = tmp_path_factory.mktemp("models")
    for number in (0, 1):
        recommender = recommender_of("recbole")
        with torch.no_grad():
            for weight in recommender.model.parameters():
                weight.mul_(1 + number)
        sasrec.export(recommender, folder / str(number))
    return [folder / "0", folder / "1"]


def lists_of(place: Path) -> tuple[str, list[Any]]:
    """Return the digest of a model and its list, as the server writes it."""
    recommender = sasrec_serve.load(place)
    [found] = recommender.recommend([HISTORY], 5)
    return recommender.digest, found.items


def replace(source: Path, place: Path) -> None:
    """Put an export where another is, in one step, as sasrec export does."""
    new = place.with_name(f".{place.name}.new")
    shutil.copytree(source, new)
    old = place.with_name(f".{place.name}.old")
    place.rename(old)
    new.rename(place)
    shutil.rmtree(old)


def spoil(place: Path) -> None:
    """Damage an export the way a broken copy does."""
    path = place / "item_vectors.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.unlink()
    path.write_bytes(content)


class Asking:
    """Threads that ask all the time, and keep what differs from the two models."""

    def __init__(self, server: Server, models: list[Path]) -> None:
        self.server, self.known = server, dict(lists_of(each) for each in models)
        self.seen: dict[str, int] = {}
        self.wrong: list[Any] = []
        self._is_done = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def _ask(self) -> None:
        while not self._is_done.is_set():
            body = {"histories": [HISTORY] * 3, "k": 5}
            try:
                status, answer = self.server.ask("POST", "/recommend", body)
            except OSError as error:
                self.wrong.append(error)
                continue
            items = [[each["item"] for each in own["items"]] for own in answer.get("lists", [])]
            if status != 200 or items != [self.known[answer["model"]]] * 3:
                self.wrong.append(answer)
            else:
                self.seen[answer["model"]] = self.seen.get(answer["model"], 0) + 1

    def __enter__(self) -> "Asking":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_models_are_swapped_under_load_without_a_dropped_or_mixed_answer(
    models: list[Path], tmp_path: Path, workers: int
) -> None:
    shutil.copytree(models[0], tmp_path / "out")
    words = ("--watch", "0.1", "--workers", str(workers))
    with (
        running(tmp_path / "out", *words, log=tmp_path / "log") as server,
        Asking(server, models) as asking,
    ):
        for number in (1, 0, 1, 0):
            replace(models[number], tmp_path / "out")
            digest = lists_of(models[number])[0]
            until(lambda digest=digest: _answers_only(server, digest))  # type: ignore[misc]
    assert asking.wrong == []
    assert len(asking.seen) == 2
    assert min(asking.seen.values()) > 0


def _answers_only(server: Server, digest: str) -> bool:
    return all(server.get("/ready")["model"] == digest for _ in range(20))


def test_a_broken_export_is_refused_and_the_earlier_model_goes_on(
    models: list[Path], tmp_path: Path
) -> None:
    place = tmp_path / "out"
    shutil.copytree(models[0], place)
    shutil.copytree(models[1], tmp_path / "broken")
    spoil(tmp_path / "broken")
    digest, items = lists_of(models[0])
    with running(place, log=tmp_path / "log") as server:
        replace(tmp_path / "broken", place)
        status, answer = server.ask("POST", "/reload")
        assert status == 409
        assert "the earlier model is still served" in answer["error"]
        assert "item_vectors.npy" in answer["error"]
        ready = server.get("/ready")
        assert (ready["ready"], ready["model"]) == (True, digest)
        assert ready["refused"] is not None
        assert server.metric("sasrec_serve_export_refused") == 1
        [found] = server.post("/recommend", {"history": HISTORY, "k": 5})["lists"]
        assert [each["item"] for each in found["items"]] == items
        replace(models[1], place)
        assert server.post("/reload", {})["outcome"] == "swapped"
        assert server.get("/ready")["refused"] is None
        assert server.metric("sasrec_serve_export_refused") == 0
        assert server.post("/reload", {})["outcome"] == "unchanged"


def test_a_missing_export_is_refused_and_the_earlier_model_goes_on(
    models: list[Path], tmp_path: Path
) -> None:
    place = tmp_path / "out"
    shutil.copytree(models[0], place)
    with running(place, log=tmp_path / "log") as server:
        shutil.rmtree(place)
        assert server.ask("POST", "/reload")[0] == 409
        assert len(server.post("/recommend", {"history": HISTORY})["lists"][0]["items"]) == 10
        shutil.copytree(models[1], place)
        assert server.post("/reload", {})["outcome"] == "swapped"


def test_the_last_version_is_served_and_a_symbolic_link_is_followed(
    models: list[Path], tmp_path: Path
) -> None:
    versions = tmp_path / "versions"
    shutil.copytree(models[0], versions / "v9")
    (tmp_path / "link").symlink_to(models[0])
    digests = [lists_of(each)[0] for each in models]
    with running(versions, "--watch", "0.1", log=tmp_path / "log") as server:
        shutil.copytree(models[1], versions / ".v10")
        (versions / ".v10").rename(versions / "v10")
        until(lambda: server.get("/ready")["model"] == digests[1])
        shutil.rmtree(versions / "v10")
        until(lambda: server.get("/ready")["model"] == digests[0])
    with running(tmp_path / "link", log=tmp_path / "log") as server:
        (tmp_path / "new").symlink_to(models[1])
        (tmp_path / "new").replace(tmp_path / "link")
        assert server.post("/reload", {}) == {"outcome": "swapped", "model": digests[1]}


def test_a_server_starts_with_the_last_version_that_is_not_broken(
    models: list[Path], tmp_path: Path
) -> None:
    versions = tmp_path / "versions"
    shutil.copytree(models[0], versions / "v1")
    shutil.copytree(models[1], versions / "v2")
    spoil(versions / "v2")
    with running(versions, log=tmp_path / "log") as server:
        assert server.get("/ready")["model"] == lists_of(models[0])[0]
        assert server.get("/ready")["refused"] is not None
        assert any("an export was refused" in line["message"] for line in server.log())


def test_a_reload_reaches_all_workers(models: list[Path], tmp_path: Path) -> None:
    place, digest = tmp_path / "out", lists_of(models[1])[0]
    shutil.copytree(models[0], place)
    with running(place, "--workers", "2", log=tmp_path / "log") as server:
        replace(models[1], place)
        assert server.post("/reload", {})["outcome"] in ("swapped", "unchanged")
        until(lambda: _answers_only(server, digest))
        replace(models[0], place)
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: _answers_only(server, lists_of(models[0])[0]))


@pytest.mark.slow
def test_memory_is_that_of_one_model_after_many_swaps(models: list[Path], tmp_path: Path) -> None:
    place = tmp_path / "out"
    shutil.copytree(models[0], place)
    with running(place, log=tmp_path / "log") as server, Asking(server, models) as asking:
        sizes = []
        for number in range(60):
            replace(models[(number + 1) % 2], place)
            assert server.post("/reload", {})["outcome"] == "swapped"
            sizes.append(server.metric("process_resident_memory_bytes"))
    assert asking.wrong == []
    assert sizes[-1] < sizes[9] + 15e6  # a model that stayed would take 1 MB or more each time


def test_versions_are_sorted_by_number(tmp_path: Path) -> None:
    names = ("v2", "v10", "v9", "2026-11-29", "2026-02-01", ".v11", "notes")
    for name in names:
        (tmp_path / name).mkdir()
        if name != "notes":
            (tmp_path / name / "manifest.json").write_text("{}")
    found = [each.name for each in exports_at(tmp_path)]
    assert found == ["2026-11-29", "2026-02-01", "v10", "v9", "v2"] or found[0] == "v10"
    with pytest.raises(ExportError, match=r"is not an export: it has no manifest\.json"):
        exports_at(tmp_path / "notes")
    with pytest.raises(ExportError, match="cannot open"):
        exports_at(tmp_path / "nowhere")
