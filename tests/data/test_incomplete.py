"""Rows without a user, item or time are counted, and refused or dropped."""

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.files import layer_from_options, yaml_file
from sasrec.settings.resolve import resolve_layers

ROWS = [
    ("a", "x", 1),
    (None, "y", 2),
    ("a", "y", 3),
    ("b", None, 4),
    ("b", "z", None),
    (None, None, None),
    ("b", "x", 7),
]
NAMES = ["user_id", "item_id", "timestamp"]


def source(form: str, folder: Path) -> object:
    """Return the rows as one kind of source."""
    frame = pl.DataFrame(ROWS, schema=NAMES, orient="row")
    path = folder / f"some.{form}"
    if form == "frame":
        return frame
    if form == "pandas":
        return pd.DataFrame(ROWS, columns=NAMES)
    if form == "nullable":
        return pd.DataFrame(ROWS, columns=NAMES).convert_dtypes()
    if form == "objects":
        return pd.DataFrame(
            [[pd.NA if value is None else value for value in row] for row in ROWS], columns=NAMES
        ).astype({"timestamp": "Int64"})
    if form == "parquet":
        frame.write_parquet(path)
    elif form == "inter":
        lines = ["\t".join("" if each is None else str(each) for each in row) for row in ROWS]
        path.write_text(
            "user_id:token\titem_id:token\ttimestamp:float\trating:float\n"
            + "".join(f"{line}\t4\n" for line in lines)
        )
    else:
        frame.write_csv(path, separator="\t" if form == "tsv" else ",")
    return path


FORMS = ["frame", "pandas", "nullable", "objects", "csv", "tsv", "inter", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_incomplete_rows_are_dropped_on_request(form: str, tmp_path: Path) -> None:
    corpus = load_corpus(source(form, tmp_path), DataSettings(incomplete="drop"))
    assert corpus.users.entries.to_list() == ["a", "b"]
    assert corpus.items.entries.to_list() == ["x", "y"]
    assert corpus.sequences.items.tolist() == [1, 2, 1]
    assert corpus.sequences.times is not None
    assert corpus.sequences.times.tolist() == [1, 3, 7]
    [remark] = corpus.remarks
    assert (remark.kind, remark.count) == ("incomplete_rows", 4)
    assert remark.text == (
        "4 of 7 rows were dropped (incomplete=drop): missing 'user_id' in 2, 'item_id' in 2, "
        "'timestamp' in 2"
    )


@pytest.mark.parametrize("form", FORMS)
def test_incomplete_rows_are_counted_when_they_are_refused(form: str, tmp_path: Path) -> None:
    said = (
        r"row 2: 'user_id' is empty; fill it in or delete the row \(4 of 7 rows are incomplete: "
        "'user_id' in 2"
    )
    if form == "inter":
        said = r"line 3: 'user_id' is empty; .* \(4 lines lack a value; incomplete=drop drops such"
    with pytest.raises(DataError, match=said):
        load_corpus(source(form, tmp_path), DataSettings())


@pytest.mark.parametrize("form", ["frame", "csv", "inter", "parquet"])
def test_rows_without_times_are_complete_if_times_are_not_read(form: str, tmp_path: Path) -> None:
    settings = DataSettings(incomplete="drop", time_column="none")
    corpus = load_corpus(source(form, tmp_path), settings)
    assert corpus.sequences.times is None
    assert corpus.items.entries.to_list() == ["x", "y", "z"]
    assert [remark.kind for remark in corpus.remarks] == ["no_times", "incomplete_rows"]


@pytest.mark.parametrize("form", ["csv", "inter"])
def test_no_complete_row_is_an_error(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"some.{form}"
    head = {"csv": "user_id,item_id\n", "inter": "user_id:token,item_id:token\n"}[form]
    path.write_text(head + "a,\n,b\n")
    with pytest.raises(DataError, match="no row has a value in all of the columns"):
        load_corpus(path, DataSettings(incomplete="drop", separator=","))


def test_blank_tokens_are_missing_once_spaces_are_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("user_id,item_id\na,x\na,  \na,\xa0\n")
    settings = DataSettings(incomplete="drop", clean_tokens="spaces")
    assert load_corpus(path, settings).items.entries.to_list() == ["x"]


def test_nan_in_an_atomic_file_is_a_missing_time(tmp_path: Path) -> None:
    path = tmp_path / "some.inter"
    head = "user_id:token\titem_id:token\ttimestamp:float\n"
    path.write_text(head + "a\tx\t1\na\ty\tNaN\na\tz\tNULL\n")
    settings = DataSettings(incomplete="drop", missing_values="NULL")
    assert load_corpus(path, settings).items.entries.to_list() == ["x"]
    with pytest.raises(DataError, match="line 4: 'timestamp' is 'NULL'; it must be a number"):
        load_corpus(path, DataSettings(incomplete="drop"))


@pytest.mark.parametrize("form", ["frame", "pandas", "nullable", "parquet", "csv", "inter"])
def test_numbers_that_mean_a_missing_time_are_listed_as_texts(form: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": "a", "item_id": ["x", "y", "z"], "timestamp": [-1, 5, 6]})
    data: object = tmp_path / f"some.{form}"
    if form == "frame":
        data = frame
    elif form in {"pandas", "nullable"}:
        data = pd.DataFrame(frame.to_dict(as_series=False))
        data = data.convert_dtypes() if form == "nullable" else data
    elif form == "parquet":
        frame.write_parquet(data)
    elif form == "csv":
        frame.write_csv(data)
    else:
        names = ["user_id:token", "item_id:token", "timestamp:float"]
        frame.rename(dict(zip(NAMES, names, strict=True))).write_csv(data, separator="\t")
    settings = DataSettings(incomplete="drop", missing_values="-1,0")
    assert load_corpus(data, settings).items.entries.to_list() == ["y", "z"]


@pytest.mark.parametrize("form", ["csv", "inter"])
def test_a_repeated_header_is_an_error(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"some.{form}"
    head = {"csv": "user_id,item_id\n", "inter": "user_id:token,item_id:token\n"}[form]
    path.write_text((head + "a,x\na,y\n") * 2)
    with pytest.raises(
        DataError, match=r"row 3: 'user_id' and 'item_id' are the names .* delete this row"
    ):
        load_corpus(path, DataSettings(separator=","))


@pytest.mark.parametrize("text", ["0000", "010", "1_0", "9.0", "1e3"])
def test_missing_values_keep_the_spelling_they_have_on_the_command_line(text: str) -> None:
    assert resolve_layers(
        [layer_from_options([f"--missing_values={text}"])]
    ).data.missing_values == (text,)


def test_missing_values_keep_the_spelling_they_have_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("missing_values: [010, 9.0, 0x1F]\n")
    settings = resolve_layers([yaml_file(path)]).data
    assert settings.missing_values == ("010", "9.0", "0x1F")
