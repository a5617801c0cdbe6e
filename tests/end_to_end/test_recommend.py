"""The recommend command: input files, output files and memory."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.cli import lists
from sasrec.cli.app import main
from sasrec.cli.histories import file_requests
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.recommender.recommendation import Recommendation

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
KNOWN = Vocabulary([f"i{number}" for number in range(11)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    events = [f"u{user},i{(user + step) % 11},{step}" for user in range(30) for step in range(9)]
    (folder / "shop.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(events) + "\n")
    sasrec.train(str(folder / "shop.csv"), SMALL, out=folder / "model")
    sasrec.train(str(folder / "shop.csv"), {"epochs": 1}, model="BPR", out=folder / "people")
    return folder


class Ended:
    """The exit code and output of a command."""

    def __init__(self, code: object, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr


@pytest.fixture
def asked(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs the command in this process."""
    monkeypatch.chdir(place)

    def ask(*words: str, model: str = "model", code: int = 0) -> Ended:
        monkeypatch.setattr(sys, "argv", ["sasrec", "recommend", model, *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        assert left.value.code == code, printed.err
        return Ended(left.value.code, printed.out, printed.err)

    return ask


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        ("i1,i2,i3\n", "','"),
        ("i1, i2, i3\ni4, i5, i6\n", "','"),
        ("i1;i2\ni3;i4\n", "';'"),
        ("i1|i2\n", "'|'"),
        ("u1,i2\nu2,i3\nu3,i4\n", "','"),
        ('["i1,i2"]\n["i3,i4"]\n', "','"),
        ('["i1 i2 i3"]\n', "a space"),
        ("Tea Cup\nPot\n", ""),
        ("x " * 5000 + "\n" + "i1 " * 5000, ""),
        ("i1 " * 3 + "x " * 300, ""),
    ],
)
def test_a_file_with_almost_no_known_items_is_refused(
    tmp_path: Path, lines: str, separator: str
) -> None:
    path = tmp_path / "asked.txt"
    path.write_text(lines)
    with pytest.raises(
        DataError, match=r"asked\.txt: the model knows .* a known one is 'i"
    ) as refused:
        list(file_requests(path, KNOWN, allow_unknown=False))
    assert (f"is {separator} the separator?" in str(refused.value)) == bool(separator)
    found = list(file_requests(path, KNOWN, allow_unknown=True))
    assert len(found) == len(lines.splitlines())


def test_the_command_refuses_such_a_file_without_allow_unknown(place: Path, asked) -> None:
    (place / "commas.txt").write_text("i1,i2,i3\n")
    words = ("-f", "commas.txt", "--out", "commas.jsonl")
    refused = asked(*words, code=2)
    assert (
        "none of 1 item token; an unknown one is 'i1,i2,i3' (commas.txt, line 1)" in refused.stderr
    )
    assert "to use the file as it is, add --allow-unknown" in refused.stderr
    assert not (place / "commas.jsonl").exists()
    asked(*words, "--allow-unknown")
    assert json.loads((place / "commas.jsonl").read_text())["by_popularity"]


def test_a_file_with_some_unknown_items_or_blank_lines_is_accepted(place: Path, asked) -> None:
    (place / "asked.txt").write_text("i1 x y z\n\ni2 q\n")
    assert asked("-f", "asked.txt", "--json").stderr == ""
    (place / "blank.txt").write_text("\n" * 5000)
    lines = asked("-f", "blank.txt", "-k", "2", "--json").stdout.splitlines()
    assert len(lines) == 5000
    assert json.loads(lines[-1])["by_popularity"]
    result = asked("--history", "i1 i2 i3", "--json").stderr
    assert "knows none of 1 item token; an unknown one is 'i1 i2 i3'" in result
    assert "is a space the separator?" in result


def test_the_file_extension_decides_the_format_of_lists(place: Path, asked) -> None:
    (place / "asked.txt").write_text('i1 i2\n["i3"]\n\n')
    words = ("--history", "i5,i6", "-f", "asked.txt", "-k", "3")
    lines = [json.loads(line) for line in asked(*words, "--json").stdout.splitlines()]
    expected = [
        (each["for"], rank, item, score, each["by_popularity"])
        for each in lines
        for rank, (item, score) in enumerate(zip(each["items"], each["scores"], strict=True), 1)
    ]
    for name in ("x.jsonl", "x.json", "x.ndjson", "x.txt", "x"):
        asked(*words, "--out", name)
        assert [json.loads(line) for line in (place / name).read_text().splitlines()] == lines
    for name, read in (
        ("x.csv", pl.read_csv),
        ("x.tsv", lambda path: pl.read_csv(path, separator="\t")),
        ("x.PARQUET", pl.read_parquet),
    ):
        result = asked(*words, "--out", name)
        assert f"4 lists written to {name}" in result.stderr
        table = read(place / name)
        assert table.columns == ["for", "rank", "item", "score", "by_popularity"]
        rows = table.cast({"rank": pl.Int64, "score": pl.Float64}).rows()
        assert [row[:3] for row in rows] == [row[:3] for row in expected]
        assert [row[3] for row in rows] == pytest.approx([row[3] for row in expected])
        assert [row[4] for row in rows] == [row[4] for row in expected]
    refused = asked(*words, "--out", "x.xlsx", code=2)
    assert "x.xlsx: unknown file suffix '.xlsx'; use .jsonl" in refused.stderr
    leftovers = {path.name for path in place.iterdir() if path.name.startswith(".")}
    assert leftovers == set()


def test_a_parquet_file_written_to_a_pipe_leaves_no_other_files(
    place: Path, asked, tmp_path: Path
) -> None:
    pipe, neighbour = tmp_path / "x.parquet", tmp_path / "part-0.arrow"
    neighbour.write_text("somebody else's")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        asked("--history", "i1", "-k", "3", "--out", str(pipe))
        read, _ = reader.communicate(timeout=30)
    assert pl.read_parquet(io.BytesIO(read)).height == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["part-0.arrow", "x.parquet"]
    assert neighbour.read_text() == "somebody else's"


def test_an_empty_file_is_named_in_the_error(place: Path, asked) -> None:
    (place / "empty.txt").write_text("")
    assert (
        "empty.txt is empty; write one history per line" in asked("-f", "empty.txt", code=2).stderr
    )


def test_a_parquet_file_is_written_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PART_ROWS", 7)
    found = Recommendation(["a", "b"], [2.0, 1.0], [], False)
    answers = [lists.Answer(f"n{n}", found) for n in range(50)]
    path = lists.checked_target(tmp_path / "x.parquet")
    assert lists.write_lists(iter(answers), path) == 50
    table = pl.read_parquet(path)
    assert table["for"].to_list() == [f"n{n // 2}" for n in range(100)]
    assert table["rank"].to_list() == [1, 2] * 50
    assert lists.write_lists(iter(()), path) == 0
    assert pl.read_parquet(path).schema == table.schema


def test_an_invalid_line_leaves_the_existing_output_unchanged(place: Path, asked) -> None:
    (place / "asked.txt").write_text("i1 i2\n" * 3000 + '["i1"\n')
    for name in ("found.jsonl", "found.parquet"):
        (place / name).write_text("precious")
        refused = asked("-f", "asked.txt", "--out", name, code=2)
        assert "asked.txt, line 3001: not a valid JSON list" in refused.stderr
        assert (place / name).read_text() == "precious"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's peak of memory")
def test_memory_does_not_grow_with_the_histories(tmp_path: Path) -> None:
    items = [f"{item}" for item in range(20_000)]
    frame = pl.DataFrame(
        {
            "user_id": [number // 8 for number in range(40_000)],
            "item_id": items * 2,
            "timestamp": range(40_000),
        }
    )
    sasrec.train(frame, SMALL, out=tmp_path / "model")
    code = (
        "import sys\nfrom sasrec.cli.app import main\nfrom sasrec.system.memory import peak_bytes\n"
        "try: main()\nfinally: print(peak_bytes(), file=sys.stderr)"
    )
    peaks: dict[int, list[int]] = {3000: [], 30_000: []}
    for count in [*peaks] * 2:  # twice, because the peak of the same command varies by 50 MB
        lines = (" ".join(items[n % 19_000 : n % 19_000 + 3]) for n in range(count // 2))
        (tmp_path / "asked.txt").write_text("\n".join([*lines, *[""] * (count // 2), "0"]))
        words = ("recommend", "model", "-f", "asked.txt", "-o", "found.jsonl")
        ended = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        peaks[count].append(int(ended.stderr.splitlines()[-1]))
    few, many = (min(measured) for measured in peaks.values())
    assert many - few < 40e6  # keeping all scores would take 80 KB per history


def test_histories_of_unknown_users_are_reported_for_bpr(asked) -> None:
    result = asked("--history", "i1,i2", "--user", "u1", "--json", model="people")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["by_popularity"], second["by_popularity"]) == (True, False)
    assert (
        "BPR recommends by user, not by history; for 1 history the user is unknown" in result.stderr
    )
    shown = asked("--history", "i1,i2", model="people")
    assert "the model does not know this user: these are the most popular items" in shown.stdout
