import hashlib
import io
import subprocess
import threading
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sasrec.data import catalogue, movielens
from sasrec.data.catalogue import ENTRIES, cache_folder, cached, fetch
from sasrec.data.formats.readers import read_atomic
from sasrec.data.formats.user_item_files import read_user_features
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.system.writing import working_prefix

RATINGS = b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n"
INTER = movielens.RATINGS_HEADER + RATINGS
FILMS = "242|Kolya (1996)|x||url|0|1|1\n302|L'\xe9t\xe9|x||url|1|0|0\n".encode("latin-1")
GENRES = b"unknown|0\nAction|1\nDrama|2\n\n"
ITEMS = b"item_id:token\tmovie_title:token_seq\n242\tKolya\n302\tHead\n"


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


GROUPLENS_ZIP = zipped(
    **{
        "ml-100k/u.data": RATINGS,
        "ml-100k/u.item": FILMS,
        "ml-100k/u.genre": GENRES,
        "ml-100k/u.user": b"196|49|M|writer|55105\n",
    }
)
WHEEL = zipped(
    **{
        f"recbole/dataset_example/ml-100k/ml-100k.{end}": content
        for end, content in (("inter", INTER), ("item", ITEMS), ("user", b"user_id:token\n"))
    }
)


class Response(io.BytesIO):
    """The result of a fake urlopen: a file with headers."""

    def __init__(self, content):
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content))}


class Network:
    """A fake GroupLens and package index; None means that it cannot be reached."""

    def __init__(self):
        self.grouplens = GROUPLENS_ZIP
        self.wheel = WHEEL
        self.calls = []

    def urlopen(self, url, timeout):
        assert timeout > 0
        self.calls.append(url)
        if self.grouplens is None:
            raise urllib.error.URLError("no route to host")
        return Response(self.grouplens)

    def pip(self, command, **_):
        self.calls.append(command[-1])
        if self.wheel is None:
            return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no index\n")
        folder = Path(command[command.index("--dest") + 1])
        (folder / "recbole-1.2.1-py3-none-any.whl").write_bytes(self.wheel)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def network(tmp_path, monkeypatch):
    fake = Network()
    monkeypatch.setenv("SASREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", fake.urlopen)
    monkeypatch.setattr(subprocess, "run", fake.pip)
    known = {GROUPLENS_ZIP: None}
    real = movielens.sha256_of

    def sha256_of(path):
        """Return the checksum of the real file for the small file that replaces it."""
        if path.suffix == ".zip" and path.read_bytes() in known:
            return "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
        return real(path)

    monkeypatch.setattr(movielens, "sha256_of", sha256_of)
    entry = replace(ENTRIES["ml-100k"], inter_sha256=hashlib.sha256(INTER).hexdigest())
    monkeypatch.setitem(ENTRIES, "ml-100k", entry)
    return fake


def left_in_cache():
    return [path for path in cache_folder().rglob("*") if path.is_file()]


def test_a_known_data_set_is_fetched_as_atomic_files(network):
    folder = fetch("ml-100k")
    assert folder == cached("ml-100k") == cache_folder() / "ml-100k"
    names = ["checksums.json", "ml-100k.inter", "ml-100k.item", "ml-100k.user"]
    assert sorted(path.name for path in folder.iterdir()) == names
    events = read_atomic(folder / "ml-100k.inter", DataSettings())
    assert events.with_tokens().rows()[0] == ("196", "242", 881250949.0)
    assert events.titles == {"242": "Kolya", "302": "L'été"}
    assert (folder / "ml-100k.item").read_text("utf-8").splitlines()[1:] == [
        "242\tKolya\t1996\tAction Drama",
        "302\tL'été\t\tunknown",
    ]
    notes = read_user_features(folder / "ml-100k.user", DataSettings(), ["196"])
    assert notes == {"196": "age 49, gender M, occupation writer, zip_code 55105"}


def test_progress_ends_with_all_bytes(network):
    reported = []
    fetch("ml-100k", lambda done, total: reported.append((done, total)))
    assert reported[-1] == (len(GROUPLENS_ZIP), len(GROUPLENS_ZIP))


def test_a_second_fetch_does_not_use_the_network(network):
    first = fetch("ml-100k")
    network.calls.clear()
    assert fetch("ml-100k") == first
    assert network.calls == []


def test_the_wheel_is_used_if_grouplens_cannot_be_reached(network):
    network.grouplens = None
    folder = fetch("ml-100k")
    assert (folder / "ml-100k.inter").read_bytes() == INTER
    assert network.calls == [f"{movielens.GROUPLENS}/ml-100k.zip", "recbole==1.2.1"]
    assert not list(folder.glob("*.whl"))


def test_without_network_the_message_says_what_to_do(network):
    network.grouplens = network.wheel = None
    with pytest.raises(DataError) as caught:
        fetch("ml-100k")
    assert str(caught.value) == (
        "data set 'ml-100k' could not be downloaded: "
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip cannot be reached "
        "(no route to host); pip cannot download recbole==1.2.1 (ERROR: no index). "
        "Connect to the internet once, or put the file at "
        f"{cache_folder() / 'ml-100k' / 'ml-100k.inter'}"
    )
    assert left_in_cache() == []
    assert cached("ml-100k") is None


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(network):
    network.grouplens = GROUPLENS_ZIP + b"x"
    network.wheel = zipped(
        **{
            f"recbole/dataset_example/ml-100k/ml-100k.{end}": INTER + b"1\t1\t1\t1\n"
            for end in ("inter", "item", "user")
        }
    )
    with pytest.raises(DataError, match=r"ml-100k\.zip has the wrong checksum.*ml-100k\.inter has"):
        fetch("ml-100k")
    assert list(cache_folder().iterdir()) == []


@pytest.mark.parametrize(
    ("wheel", "expected"),
    [
        (
            zipped(other=b""),
            "contains no readable file recbole/dataset_example/ml-100k/ml-100k.inter",
        ),
        (b"no archive", "recbole-1.2.1-py3-none-any.whl is not a zip archive"),
    ],
)
def test_a_broken_wheel_is_an_error_and_leaves_nothing(network, wheel, expected):
    network.grouplens, network.wheel = None, wheel
    with pytest.raises(DataError, match=expected):
        fetch("ml-100k")
    assert list(cache_folder().iterdir()) == []


def test_a_download_cut_short_falls_back(network, monkeypatch):
    class Cut(Response):
        def read(self, _=-1):
            raise ConnectionResetError("reset by peer")

    def urlopen(url, timeout):
        network.calls.append(url)
        return Cut(b"")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert (fetch("ml-100k") / "ml-100k.inter").read_bytes() == INTER


def test_an_interrupted_fetch_leaves_nothing(network, monkeypatch):
    def urlopen(url, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(KeyboardInterrupt):
        fetch("ml-100k")
    assert list(cache_folder().iterdir()) == []


def test_a_file_put_there_by_hand_is_taken(network):
    (cache_folder() / "ml-100k").mkdir(parents=True)
    (cache_folder() / "ml-100k" / "ml-100k.inter").write_bytes(INTER)
    assert fetch("ml-100k") == cache_folder() / "ml-100k"
    assert network.calls == []


def test_ml_1m_is_turned_into_atomic_files(network, monkeypatch):
    network.grouplens = zipped(
        **{
            "ml-1m/ratings.dat": b"1::1193::5::978300760\n",
            "ml-1m/movies.dat": "1193::Mal\xe9 (1975)::Drama|War\n".encode("latin-1"),
        }
    )
    monkeypatch.setattr(
        movielens,
        "sha256_of",
        lambda path: "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    )
    events = read_atomic(fetch("ml-1m") / "ml-1m.inter", DataSettings())
    assert events.with_tokens().rows() == [("1", "1193", 978300760.0)]
    assert events.titles == {"1193": "Malé"}
    assert "1193\tMalé\t1975\tDrama War" in (cached("ml-1m") / "ml-1m.item").read_text("utf-8")


def test_an_unknown_name_suggests_the_nearest(network):
    with pytest.raises(DataError) as caught:
        fetch("ml100k")
    assert str(caught.value) == (
        "unknown data set 'ml100k'; did you mean 'ml-100k'? (known: ml-100k, ml-1m)"
    )


def test_a_cache_that_cannot_be_written_says_so(network, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SASREC_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match=r"the cache folder .* cannot be written \(.*\); set SASREC_CACHE"
    ):
        fetch("ml-100k")
    assert network.calls == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SASREC_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg", "LOCALAPPDATA": "/local"}, "/xdg/sasrec"),
        ({"LOCALAPPDATA": "/local"}, "/local/sasrec"),
        ({"HOME": "/home/me"}, "/home/me/.cache/sasrec"),
    ],
)
def test_the_cache_folder_follows_the_environment(monkeypatch, variables, expected):
    for name in ("SASREC_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert catalogue.cache_folder() == Path(expected)


def test_of_two_fetches_at_once_one_downloads_and_both_succeed(network, monkeypatch):
    began, go_on = threading.Event(), threading.Event()

    def urlopen(url, timeout):
        began.set()
        go_on.wait(10)
        return network_urlopen(url, timeout)

    network_urlopen = network.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, "ml-100k")
        assert began.wait(10)
        second = pool.submit(fetch, "ml-100k")
        time.sleep(0.2)
        go_on.set()
        folders = [first.result(), second.result()]
    assert len(network.calls) == 1
    assert folders[0] == folders[1]
    assert (folders[0] / "ml-100k.inter").read_bytes() == INTER


def test_a_fetch_completes_after_one_that_was_killed(network):
    half = cache_folder() / "ml-100k"
    half.mkdir(parents=True)
    (half / "ml-100k.item").write_bytes(b"half a fi")
    left = cache_folder() / f"{working_prefix(half)}x"
    left.mkdir()
    (left / "ml-100k.inter").write_bytes(b"196\t2")
    folder = fetch("ml-100k")
    assert (folder / "ml-100k.inter").read_bytes() == INTER
    assert (folder / "ml-100k.item").read_bytes().startswith(b"item_id:token\t")
    assert [path.name for path in cache_folder().iterdir()] == ["ml-100k"]


def test_other_files_in_an_archive_are_not_unpacked(network, tmp_path):
    members = {
        f"recbole/dataset_example/ml-100k/ml-100k.{end}": content
        for end, content in (("inter", INTER), ("item", ITEMS), ("user", b"user_id:token\n"))
    }
    network.grouplens = None
    network.wheel = zipped(**members, **{"../../evil": b"x", "/evil": b"x", "recbole/x.py": b"1/0"})
    folder = fetch("ml-100k")
    names = [f"ml-100k.{end}" for end in ("inter", "item", "user")]
    assert sorted(path.name for path in folder.iterdir()) == ["checksums.json", *names]
    assert not list(tmp_path.rglob("evil"))
    assert not list(tmp_path.rglob("*.py"))


def test_a_cache_entry_that_is_a_link_is_followed_or_said(network, tmp_path):
    real = tmp_path / "elsewhere"
    real.mkdir()
    (real / "ml-100k.inter").write_bytes(INTER)
    cache_folder().mkdir(parents=True)
    link = cache_folder() / "ml-100k"
    link.symlink_to(real)
    assert fetch("ml-100k") == link
    assert network.calls == []
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"writing .*ml-100k failed"):
        fetch("ml-100k")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["ml-100k.inter", "ml-100k.item", "ml-100k.user"])
@pytest.mark.parametrize("change", [lambda old: old + b"9\t9\t9\t9\n", lambda old: old[:-3], None])
def test_a_cached_file_that_was_changed_is_refused_until_it_is_fetched_again(network, name, change):
    path = fetch("ml-100k") / name
    before = path.read_bytes()
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(before))
    if path.exists() or not name.endswith(".inter"):  # without events it counts as not fetched
        with pytest.raises(DataError, match=rf"{name} is damaged or was changed .*data fetch ml"):
            fetch("ml-100k")
    network.calls.clear()
    assert catalogue.fetch_intact("ml-100k") == fetch("ml-100k")
    assert len(network.calls) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("noted", ["", "[]", '{"../x": "1"}', '{"ml-100k.inter": 3', "[" * 9000])
def test_invalid_checksums_in_the_cache_are_refused(network, noted):
    (fetch("ml-100k") / "checksums.json").write_text(noted)
    with pytest.raises(DataError, match=r"checksums\.json is damaged or was changed"):
        fetch("ml-100k")


def test_events_of_a_known_data_set_put_there_by_hand_are_checked_too(network):
    (cache_folder() / "ml-100k").mkdir(parents=True)
    (cache_folder() / "ml-100k" / "ml-100k.inter").write_bytes(INTER + b"1\t1\t1\t1\n")
    with pytest.raises(DataError, match=r"ml-100k\.inter is damaged or was changed"):
        fetch("ml-100k")


def test_a_damaged_cache_stays_as_it_is_when_nothing_can_be_reached(network):
    path = fetch("ml-100k") / "ml-100k.item"
    path.write_bytes(b"own")
    network.grouplens = network.wheel = None
    with pytest.raises(DataError, match="could not be downloaded"):
        catalogue.fetch_intact("ml-100k")
    assert path.read_bytes() == b"own"


def test_pip_is_started_without_the_current_folder_and_takes_no_sources(network, monkeypatch):
    network.grouplens = None
    commands = []

    def pip(command, **how):
        commands.append(command)
        return network.pip(command, **how)

    monkeypatch.setattr(subprocess, "run", pip)
    fetch("ml-100k")
    assert commands[0][1:4] == ["-P", "-m", "pip"]
    assert "--only-binary=:all:" in commands[0]
