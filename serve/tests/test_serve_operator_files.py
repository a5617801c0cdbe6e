"""Changed rules, lists and tables of items are served without a restart."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from exported_forms import recommender_of
from running_server import Server, running, until

import sasrec
from sasrec_serve.cli import run

BODY = {"history": ["i1", "i2"], "k": 40}
COLUMNS = "item_id,stock\n"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(recommender_of("recbole"), folder)
    return folder


def recommended(server: Server, **more: Any) -> set[str]:
    [found] = server.post("/recommend", BODY | more)["lists"]
    return {each["item"] for each in found["items"]}


def test_new_rules_are_served_after_a_reload(export: Path, tmp_path: Path) -> None:
    rules, out = tmp_path / "rules.yaml", tmp_path / "out.txt"
    rules.write_text("exclude: out.txt\n")
    out.write_text("i3\n")
    with running(export, "--rules", str(rules), log=tmp_path / "log") as server:
        assert recommended(server) & {"i3", "i4", "i5"} == {"i4", "i5"}
        out.write_text("i3\ni4\n")
        assert server.post("/reload", {})["outcome"] == "swapped"
        assert server.post("/reload", {})["outcome"] == "unchanged"
        assert recommended(server) & {"i3", "i4", "i5"} == {"i5"}
        rules.write_text("exclude: [i5]\n")
        assert server.post("/reload", {})["outcome"] == "swapped"
        assert recommended(server) & {"i3", "i4", "i5"} == {"i3", "i4"}
        assert server.metric("sasrec_serve_model_info") == 1


def test_wrong_new_rules_are_refused_and_the_earlier_ones_go_on(
    export: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("exclude: [i3]\n")
    with running(export, "--rules", str(rules), "--watch", "0.1", log=tmp_path / "log") as server:
        rules.write_text("only_were: stock > 0\n")
        until(lambda: server.metric("sasrec_serve_export_refused") == 1)
        assert "only_were" in server.ask("POST", "/reload", {})[1]["error"]
        assert recommended(server) & {"i3", "i4"} == {"i4"}
        refusals = server.metric("sasrec_serve_reloads_total")
        rules.write_text("exclude: [i4]\n")
        until(lambda: recommended(server) & {"i3", "i4"} == {"i3"})
        assert server.metric("sasrec_serve_export_refused") == 0
        assert refusals < 10  # a refused file is not read again until it changes


@pytest.mark.parametrize("workers", [1, 2])
def test_todays_stock_counts_without_a_new_export(
    export: Path, tmp_path: Path, workers: int
) -> None:
    items, rules = tmp_path / "stock.csv", tmp_path / "rules.yaml"
    items.write_text(COLUMNS + "i3,1\ni4,0\n")
    rules.write_text("only_where: stock > 0\n")
    words = ("--rules", str(rules), "--items", str(items), "--workers", str(workers))
    with running(export, *words, "--watch", "0.2", log=tmp_path / "log") as server:
        assert recommended(server) == {"i3"}
        new = tmp_path / "new.csv"
        new.write_text(COLUMNS + "i3,0\ni4,1\n")
        new.rename(items)
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: all(recommended(server) == {"i4"} for _ in range(9)))


def test_items_serve_rules_of_requests_too(export: Path, tmp_path: Path) -> None:
    items = tmp_path / "stock.csv"
    items.write_text(COLUMNS + "i3,1\ni4,0\n")
    with running(export, "--items", str(items), log=tmp_path / "log") as server:
        assert recommended(server, rules={"only_where": "stock > 0"}) == {"i3"}


def test_a_missing_table_of_items_is_one_message(
    export: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([str(export), "--items", "nowhere.csv", "--port", "0"]) == 2
    message = capfd.readouterr().err
    assert message.startswith("error: nowhere.csv")
    assert len(message.splitlines()) == 1
