"""recommend --all-users, vectors and similar: commands, files and errors."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.cli.app import main
from sasrec.errors import DataError
from sasrec.recommender import table_files

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    events = [f"u{user}\ti{(user + step) % 11}\t{step}" for user in range(30) for step in range(9)]
    (folder / "shop").mkdir()
    head = "user_id:token\titem_id:token\ttimestamp:float\n"
    (folder / "shop" / "shop.inter").write_text(head + "\n".join(events) + "\n")
    titles = "".join(f"i{number}\tItem {number}\n" for number in range(10))
    (folder / "shop" / "shop.item").write_text("item_id:token\ttitle:token\n" + titles)
    other = "ann,i1,1\nann,i2,2\nbob,zzz,1\nann,nope,3\ncle,i5,4\n"
    (folder / "other.csv").write_text("user_id,item_id,timestamp\n" + other)
    (folder / "foreign.csv").write_text("user_id,item_id,timestamp\nx,a,1\nx,b,2\ny,c,3\n")
    sasrec.train(str(folder / "shop"), SMALL, out=folder / "model", user_interactions="[5,inf)")
    sasrec.train(str(folder / "shop"), {"epochs": 1}, model="TransRec", out=folder / "trans")
    return folder


@pytest.fixture
def asked(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    """Return a function that runs a command in this process.

    It returns what was printed to standard output and to standard error, remarks included.
    """
    monkeypatch.chdir(place)

    def ask(*words: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["sasrec", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        assert left.value.code == code, printed.err
        return printed.out, printed.err + caplog.text

    return ask


READERS = {
    "lists.parquet": pl.read_parquet,
    "lists.csv": pl.read_csv,
    "lists.tsv": lambda path: pl.read_csv(path, separator="\t"),
}


@pytest.mark.parametrize("name", READERS)
def test_everybody_gets_the_list_of_recommend(place: Path, asked, name: str) -> None:
    _, told = asked("recommend", "model", "--all-users", "--out", name, "-k", "2")
    assert f"30 lists (60 rows) written to {name}" in told
    table = READERS[name](place / name)
    assert table.columns == ["user", "rank", "item", "title", "score", "by_popularity"]
    assert table["user"].n_unique() == 30
    assert table["rank"].to_list() == [1, 2] * 30
    printed, _ = asked("recommend", "model", "--user", "u7", "--user", "u8", "-k", "2", "--json")
    for line in map(json.loads, printed.splitlines()):
        own = table.filter(pl.col("user") == line["user"])
        assert own["item"].to_list() == line["items"]
        assert own["title"].to_list() == line["titles"]
        # The printed score is a float32 as a decimal; the batch differs.
        assert own["score"].to_list() == pytest.approx(line["scores"], rel=1e-5)
    leftovers = [path.name for path in place.iterdir() if path.name.startswith(".")]
    assert leftovers == []


def test_json_carries_titles_and_users(asked) -> None:
    printed, _ = asked("recommend", "model", "--user", "u7", "--history", "i1", "--json", "-k", "9")
    history, user = map(json.loads, printed.splitlines())
    assert (history["for"], history["user"]) == ("history i1", None)
    assert (user["for"], user["user"]) == ("user u7", "u7")
    expected = {f"i{number}": f"Item {number}" for number in range(10)}
    assert history["titles"] == [expected.get(item) for item in history["items"]]


def test_other_data_have_users_of_their_own(place: Path, asked) -> None:
    words = ("recommend", "model", "--all-users", "--data", "other.csv", "-k", "2")
    _, told = asked(*words, "--out", "other.jsonl")
    assert "left out: 2 events of items the model does not know" in told
    assert "1 user without an item the model knows got the most popular items" in told
    lines = [json.loads(line) for line in (place / "other.jsonl").read_text().splitlines()]
    assert [line["user"] for line in lines] == ["ann", "bob", "cle"]  # few events are enough
    assert [line["by_popularity"] for line in lines] == [False, True, False]
    assert all(len(line["items"]) == len(line["titles"]) == 2 for line in lines)


def test_lists_without_items_are_counted(place: Path, asked) -> None:
    words = ("recommend", "model", "--all-users", "--data", "other.csv", "--candidates", "i5")
    _, told = asked(*words, "--out", "other.parquet")
    assert "1 user got no list, because no item is left" in told
    assert pl.read_parquet(place / "other.parquet")["user"].to_list() == ["ann", "bob"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--all-users"], "add --out lists.parquet (or .csv, .tsv, .jsonl)"),
        (["--all-users", "--out", "x.parquet", "--user", "u1"], "remove --history, --user"),
        (["--all-users", "--out", "x.xlsx"], "x.xlsx: unknown file extension '.xlsx'; use .par"),
        (
            ["--all-users", "--out", "x.parquet", "--data", "foreign.csv"],
            "the model knows none of the items in foreign.csv",
        ),
        (["--all-users", "--out", "x.parquet", "--candidates", "zz"], "none of the candidates"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    place: Path, asked, words: list[str], message: str
) -> None:
    _, told = asked("recommend", "model", *words, code=2)
    assert message in told
    assert not list(place.glob("x.*"))


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl"])
def test_a_failure_on_the_way_leaves_the_existing_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("precious")

    def frames():
        yield pl.DataFrame({"a": [1]})
        raise DataError("broken on the way")

    with pytest.raises(DataError, match="broken on the way"):
        table_files.write_table(frames(), path, {"a": pl.Int64()})
    assert path.read_text() == "precious"
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.tsv"])
def test_a_table_without_pieces_has_its_columns(tmp_path: Path, name: str) -> None:
    table_files.write_table(iter(()), tmp_path / name, {"a": pl.Int64(), "b": pl.String()})
    read = pl.read_parquet if name.endswith("parquet") else pl.read_csv
    expected = ["a\tb"] if name.endswith("tsv") else ["a", "b"]
    assert read(tmp_path / name).columns == expected


def test_vectors_of_items_and_users_are_written(place: Path, asked) -> None:
    _, told = asked("vectors", "model", "--items", "--out", "items.parquet")
    assert "11 vectors of 8 numbers written to items.parquet" in told
    assert pl.read_parquet(place / "items.parquet").columns == ["item", "vector"]
    _, told = asked("vectors", "model", "--users", "--out", "users.parquet", "-d", "other.csv")
    assert "left out: 1 user without a known item" in told
    table = pl.read_parquet(place / "users.parquet")
    assert table["user"].to_list() == ["ann", "cle"]
    expected = sasrec.load(place / "model").user_vectors([["i1", "i2"], ["i5"]])
    # Batches of different sizes are rounded differently.
    assert table["vector"].to_numpy() == pytest.approx(expected, abs=1e-5)


def test_similar_items_are_printed_and_written(place: Path, asked) -> None:
    printed, _ = asked("similar", "model", "i3", "-k", "2")
    assert "similar to i3 (Item 3)" in printed
    printed, _ = asked("similar", "model", "i3", "i4", "-k", "2", "--json")
    first, second = map(json.loads, printed.splitlines())
    assert (first["item"], first["title"], second["item"]) == ("i3", "Item 3", "i4")
    _, told = asked("similar", "model", "--all-items", "-k", "2", "--out", "similar.parquet")
    assert "similar items of 11 items written to similar.parquet" in told
    table = pl.read_parquet(place / "similar.parquet")
    assert table.columns == ["item", "rank", "similar", "title", "score"]
    assert table.filter(pl.col("item") == "i3")["similar"].to_list() == first["items"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vectors", "model", "--out", "x.parquet"], "add --items or --users"),
        (["vectors", "model", "--items", "--out", "x.csv"], "give a name that ends in .parquet"),
        (["vectors", "trans", "--items", "--out", "x.parquet"], "TransRec has no item vectors"),
        (["vectors", "trans", "--users", "--out", "x.parquet"], "TransRec has no item vectors"),
        (
            ["vectors", "model", "--items", "-d", "other.csv", "--out", "x.parquet"],
            "--data only affects --users",
        ),
        (["similar", "model"], "give an item, as in 'sasrec similar MODEL ITEM'"),
        (["similar", "model", "i99"], "the model knows no item 'i99'"),
        (["similar", "model", "--all-items"], "add --out similar.parquet"),
        (["similar", "trans", "i1"], "TransRec has no item vectors"),
    ],
)
def test_mistakes_with_vectors_are_told(place: Path, asked, words: list[str], message: str) -> None:
    _, told = asked(*words, code=2)
    assert message in told
    assert not list(place.glob("x.*"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's peak of memory")
def test_memory_does_not_grow_with_the_users(tmp_path: Path) -> None:
    events = {"user_id": [n // 8 for n in range(8000)], "item_id": [n % 2000 for n in range(8000)]}
    frame = pl.DataFrame({**events, "timestamp": range(8000)})
    sasrec.train(frame, SMALL, out=tmp_path / "model")
    code = (
        "import sys, sasrec\nfrom sasrec.system.memory import peak_bytes\n"
        "sasrec.recommend_all('model', sys.argv[1], out='lists.parquet', k=50)\nprint(peak_bytes())"
    )
    peaks = []
    for count in (40_000, 160_000):
        frame = pl.DataFrame({"user_id": range(count), "item_id": range(count)})
        frame = frame.with_columns(pl.col("item_id") % 2000, timestamp=pl.col("user_id"))
        frame.write_parquet(tmp_path / f"{count}.parquet")
        ended = subprocess.run(
            [sys.executable, "-c", code, f"{count}.parquet"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        peaks.append(int(ended.stdout))
    # All lists would take 200 MB more as numbers alone; the events take 10 MB more.
    assert peaks[1] - peaks[0] < 80e6
