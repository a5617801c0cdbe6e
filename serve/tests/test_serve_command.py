"""The command: options, errors with one message and exit code 2, keys, and ``sasrec serve``."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from exported_forms import recommender_of
from running_server import running, until

import sasrec
from sasrec_serve.cli import run
from sasrec_serve.errors import SettingsError
from sasrec_serve.server.keys import new_key, read_keys
from sasrec_serve.server.limits import Limits
from sasrec_serve.server.options import ServerOptions, options_from


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "out"
    sasrec.export(recommender_of("recbole"), folder)
    return folder


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sasrec_serve", *words], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nowhere"], "cannot open nowhere: No such file or directory"),
        (["."], "is not an export"),
        (["EXPORT", "--port", "99999"], "--port is 99999; it must be from 0 to 65535"),
        (["EXPORT", "--host", "no.such.host.invalid"], "cannot listen at 'no.such.host.invalid'"),
        (["EXPORT", "--keys", "nowhere"], "cannot read the keys in nowhere"),
        (["EXPORT", "--rules", "nowhere"], "nowhere"),
        (["EXPORT", "--store", "ftp://x"], "'ftp://x' is no store of histories"),
        (["EXPORT", "--max-k", "0"], "--max-k is 0; it must be a number above 0"),
        (["EXPORT", "--max-seconds", "nan"], "--max-seconds is nan"),
        (["EXPORT", "--watch", "-1"], "--watch is -1.0"),
        (["EXPORT", "--threads", "9"], "threads is 9; it must be 1 or 2"),
    ],
)
def test_a_mistake_ends_in_one_message(
    export: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *,
    words: list[str],
    error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(export) if word == "EXPORT" else word for word in words]
    assert run([*given, *([] if "--port" in given else ["--port", "0"])]) == 2
    message = capfd.readouterr().err
    assert error in message
    assert message.startswith("error: ")
    assert len(message.splitlines()) == 1


def test_a_mistake_that_a_worker_finds_is_that_of_the_command(export: Path) -> None:
    done = ran(str(export), "--workers", "2", "--port", "0", "--rules", "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_a_broken_export_ends_in_one_message(
    export: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in export.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "card.json").write_text("{}")
    assert run([str(tmp_path), "--port", "0"]) == 2
    message = capfd.readouterr().err
    assert "card.json" in message
    assert len(message.splitlines()) == 1


def test_a_port_in_use_is_an_error(export: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert run([str(export), "--port", str(other.getsockname()[1])]) == 2
    assert "Address already in use; choose another --host or --port" in capfd.readouterr().err


def test_unknown_options_are_errors() -> None:
    done = ran("x", "--prot", "1")
    assert done.returncode == 2
    assert "--prot" in done.stderr


def test_the_version_is_told_and_a_wrong_option_prints_no_page_of_options() -> None:
    assert re.fullmatch(r"sasrec-serve (\d.*|of an unknown .*)\n", ran("--version").stdout)
    assert len(ran("x", "--prot", "1").stderr.splitlines()) == 2


def test_help_names_every_limit() -> None:
    text = ran("--help").stdout
    for name in Limits.__slots__:
        assert f"--max-{name.replace('_', '-')}" in text


def test_help_and_keys_need_no_model_and_no_server() -> None:
    code = (
        "import sys; from sasrec_serve.cli import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split("LOADED")[1].split())
    heavy = {"numpy", "onnxruntime", "uvicorn", "pydantic", "sqlglot", "sasrec", "torch", "polars"}
    assert loaded & heavy == set()


def test_a_server_loads_neither_pytorch_nor_sasrec(export: Path, tmp_path: Path) -> None:
    with running(export, "--store", str(tmp_path / "e.sqlite"), log=tmp_path / "log") as server:
        server.post("/recommend", {"history": ["i1"], "rules": {"diversity": 0.1}})
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert not re.search(r"libtorch|polars|pandas", maps)


def test_options_survive_the_way_to_a_worker() -> None:
    options = ServerOptions(Path("a b"), port=1, rules=Path("r"), limits=Limits(k=7, seconds=0.5))
    assert options_from(options.to_json()) == options


def test_a_key_is_needed_if_there_are_keys(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys.txt"
    assert run(["key", "shop", "--file", str(path)]) == 0
    key = capsys.readouterr().out.strip()
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    words = ("--keys", str(path), "--watch", "0.1", "--log-requests", "all")
    with running(export, *words, log=tmp_path / "log") as server:
        for path_ in ("/model", "/items", "/metrics"):
            assert server.ask("GET", path_)[0] == 401
        status, headers, _ = server.whole("POST", "/recommend", {"history": []})
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        for good in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
            assert server.ask("POST", "/recommend", {"history": []}, good)[0] == 200
        for bad in (key[:-1], key + "x", "", "\xff", "Basic " + key):
            sent = {"authorization": f"Bearer {bad}"}
            assert server.ask("POST", "/recommend", {"history": []}, sent)[0] == 401
        for open_ in ("/health", "/ready", "/openapi.json"):
            server.get(open_)
        other = new_key("app", path)  # a new key is noticed
        until(lambda: server.ask("GET", "/model", headers={"x-api-key": other})[0] == 200)
        document = server.get("/openapi.json")
        assert document["paths"]["/recommend"]["post"]["security"] == [{"key": []}]
        assert key not in server._log.read_text()


def test_keys_have_names_that_occur_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    first, second = new_key("a", path), new_key("b", path)
    keys = read_keys(path)
    assert [keys.name_of(each) for each in (first, second, "x")] == ["a", "b", None]
    with pytest.raises(SettingsError, match="already has a key named 'a'"):
        new_key("a", path)
    with pytest.raises(SettingsError, match="cannot be named 'a b'"):
        new_key("a b", path)
    path.write_text("a 123\n")
    with pytest.raises(SettingsError, match="line 1: expected a name and the SHA-256"):
        read_keys(path)
    path.write_text("# none\n\n")
    with pytest.raises(SettingsError, match="has no keys"):
        read_keys(path)


def test_histories_are_logged_only_if_asked(export: Path, tmp_path: Path) -> None:
    words = ("--log-requests", "all", "--log-histories")
    with running(export, *words, log=tmp_path / "log") as server:
        server.post("/recommend", {"history": ["secret\x1b"]})
        until(lambda: any(line["message"] == "request" for line in server.log()))
        [line] = [line for line in server.log() if line["message"] == "request"]
        assert json.loads(line["body"]) == {"history": ["secret\x1b"]}
        assert line["status"] == 200


def test_an_approximate_search_is_told(export: Path, tmp_path: Path) -> None:
    with running(export, "--approximate", log=tmp_path / "log") as server:
        recall = server.get("/model")["recall"]
        assert 0.9 < recall <= 1  # of 40 items, an index finds nearly all
        assert server.metric("sasrec_serve_search_recall") == pytest.approx(recall)
        assert len(server.post("/recommend", {"history": ["i1"]})["lists"][0]["items"]) == 10


def test_the_store_may_be_in_the_environment(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SASREC_SERVE_STORE", str(tmp_path / "events.sqlite"))
    with running(export, "--workers", "2", log=tmp_path / "log") as server:
        assert server.post("/events", {"events": [{"user": "u", "item": "i1"}]}) == {"stored": 1}
    assert (tmp_path / "events.sqlite").exists()


@pytest.mark.parametrize("saved", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_sasrec_serve_exports_a_model_and_serves_it(tmp_path: Path, saved: bool) -> None:
    recommender = recommender_of("recbole")
    recommender.save(tmp_path / "model")
    place = tmp_path / "model"
    if not saved:
        sasrec.export(recommender, tmp_path / "out")
        place = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "sasrec", "serve", str(place), "--port", "0", "--max-k", "7"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("sasrec-serve answers at http://127.0.0.1:")
        assert bool(list(tmp_path.glob("sasrec-serve-*"))) == saved
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not list(tmp_path.glob("sasrec-serve-*"))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
