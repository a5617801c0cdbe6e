"""Files that change while they are read: their earlier lines are read, or an error is raised."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from sasrec.data.formats import atomic, csv_files, parquet
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

HEADS = {
    "csv": "user_id,item_id,timestamp\n",
    "tsv": "user_id\titem_id\ttimestamp\n",
    "inter": "user_id:token\titem_id:token\ttimestamp:float\n",
}
FORMS = list(HEADS)


def line(form: str, place: int) -> str:
    """Return an event as a line."""
    mark = "," if form == "csv" else "\t"
    return mark.join((f"u{place % 7}", f"i{place}", str(1_700_000_000 + place))) + "\n"


def written(form: str, folder: Path, count: int = 50, more: str = "") -> Path:
    """Return the text of a file with some events."""
    path = folder / f"log.{form}"
    path.write_text(HEADS[form] + "".join(line(form, n) for n in range(count)) + more)
    return path


def meanwhile(monkeypatch: pytest.MonkeyPatch, form: str, change: object) -> None:
    """Call a function with a file after its lines have been counted."""
    module = atomic if form == "inter" else csv_files
    count = module.count_line_ends

    def counted(path: Path, size: int | None = None) -> int:
        found = count(path, size)
        change(path)  # type: ignore[operator]
        return found

    monkeypatch.setattr(module, "count_line_ends", counted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tail", ["", "u1"], ids=["whole", "cut"])
def test_lines_added_while_a_file_is_read_do_not_count(
    form: str, tail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(form, tmp_path, more=tail)

    def grow(path: Path) -> None:
        with path.open("a") as file:
            file.write((tail and line(form, 98)[2:]) + line(form, 99) * 100 + "u3")

    meanwhile(monkeypatch, form, grow)
    corpus = load_corpus(path, DataSettings())
    assert corpus.items.entries.to_list() == [f"i{place}" for place in range(50)]


@pytest.mark.parametrize("form", FORMS)
def test_a_last_line_without_line_end_counts_if_the_file_does_not_change(
    form: str, tmp_path: Path
) -> None:
    path = written(form, tmp_path, more=line(form, 50).rstrip("\n"))
    assert len(load_corpus(path, DataSettings()).items) == 51


def test_a_growing_file_with_irregular_quotes_is_read_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written("csv", tmp_path, more='u1,12",1700000099\nu1,"ab')

    def grow(path: Path) -> None:
        with path.open("a") as file:
            file.write('c",1700000100\n' * 9)

    meanwhile(monkeypatch, "csv", grow)
    corpus = load_corpus(path, DataSettings())
    assert corpus.items.entries.to_list() == [*(f"i{place}" for place in range(50)), '12"']


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", [0.5, 2.0], ids=["shorter", "longer"])
def test_a_file_replaced_while_it_is_read_is_an_error(
    form: str, kept: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(form, tmp_path)
    (tmp_path / "new").mkdir()

    def replace(path: Path) -> None:
        os.replace(written(form, tmp_path / "new", int(50 * kept)), path)

    meanwhile(monkeypatch, form, replace)
    with pytest.raises(
        DataError, match=r"log.* was replaced or truncated while it was read; read it agai"
    ):
        load_corpus(path, DataSettings())


def test_a_parquet_file_replaced_while_it_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "timestamp": [5, 6]})
    path = tmp_path / "some.parquet"
    frame.write_parquet(path)
    check = parquet.check_rows

    def replaced(path: Path, count: int) -> None:
        check(path, count)
        frame.reverse().write_parquet(tmp_path / "new.parquet")
        os.replace(tmp_path / "new.parquet", path)

    monkeypatch.setattr(parquet, "check_rows", replaced)
    with pytest.raises(DataError, match=r"some\.parquet changed while it was read; read it again"):
        load_corpus(path, DataSettings())


@contextmanager
def growing(path: Path, form: str) -> Iterator[None]:
    """Append lines to a file continuously, sometimes only part of a line."""
    stop = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for place in range(10**6):
                text = line(form, place).encode()
                file.write(text[:5])
                file.write(text[5:])
                if stop.is_set():
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("times", [4, pytest.param(15, marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", FORMS)
def test_a_log_file_can_be_read_repeatedly_while_it_grows(
    form: str, times: int, tmp_path: Path
) -> None:
    path = written(form, tmp_path)
    with growing(path, form):
        read = 0
        while read < times:
            try:
                corpus = load_corpus(path, DataSettings())
            except DataError as error:  # the writer stopped within a line
                assert "this line is the last one and has no line end" in str(error)  # noqa: PT017
                continue
            assert corpus.sequences.times is not None
            assert corpus.sequences.n_events >= 50
            read += 1


@pytest.mark.parametrize("form", FORMS)
def test_the_message_says_that_the_last_line_is_incomplete(form: str, tmp_path: Path) -> None:
    path = written(form, tmp_path, more="u1")
    with pytest.raises(
        DataError, match=r"(line 52|row 51).*; this line is the last one and has no line end"
    ):
        load_corpus(path, DataSettings())


@pytest.mark.parametrize("form", FORMS)
def test_an_invalid_line_before_an_incomplete_one_is_reported_alone(
    form: str, tmp_path: Path
) -> None:
    path = written(form, tmp_path, more="u1\nu1")
    with pytest.raises(DataError, match=r"line 52|row 51") as caught:
        load_corpus(path, DataSettings())
    assert "in the middle" not in str(caught.value)
