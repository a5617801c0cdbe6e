"""Data for a trained model whose columns have other names than those of the training."""

import sys
from pathlib import Path

import polars as pl
import pytest

import sasrec
from sasrec.cli.app import main
from sasrec.errors import DataError, SasrecError, SettingsError
from sasrec.experiment.write_vectors import write_user_vectors

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
NAMES = ["--user-column", "customer", "--item-column=article", "--time-column=day"]
SETTINGS = {"user_column": "customer", "item_column": "article", "time_column": "day"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [(f"u{user}", f"i{(user + step) % 11}", step) for user in range(20) for step in range(6)]
    names = ["user_id", "item_id", "timestamp"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(folder / "log.csv")
    (folder / "same.csv").write_text("user_id,item_id,timestamp\nann,i1,1\nann,i2,2\nbob,i7,1\n")
    (folder / "other.csv").write_text(
        "customer;article;day\nann;i1;01.05.2020\nann;i2;31.05.2020\nbob;i7;01.05.2020\n"
    )
    (folder / "bare.csv").write_text("i1,ann,1\ni2,ann,2\ni7,bob,1\n")
    sasrec.train(folder / "log.csv", SMALL, out=folder / "model")
    return folder


@pytest.fixture
def asked(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs a command in this process and returns what it printed."""
    monkeypatch.chdir(place)

    def ask(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["sasrec", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        assert left.value.code == code, printed.err
        return printed.err if code else printed.out

    return ask


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("other.csv", NAMES),
        ("bare.csv", ["--columns=item,user,time"]),
    ],
)
def test_commands_read_other_data_with_other_columns(asked, place: Path, data, options) -> None:
    expected = asked("recommend", "model", "--user=ann", "--data=same.csv", "--json")
    assert expected == asked("recommend", "model", "--user=ann", "--data", data, "--json", *options)
    lists, vectors = [], []
    for source, more in (("same.csv", []), (data, options)):
        asked("recommend", "model", "--all-users", "--data", source, "--out=lists.csv", *more)
        lists.append((place / "lists.csv").read_text())
        asked("vectors", "model", "--users", "--data", source, "--out=users.parquet", *more)
        vectors.append(pl.read_parquet(place / "users.parquet"))
    assert lists[0] == lists[1]
    assert vectors[0].equals(vectors[1])
    asked("explain", "model", "--user=ann", "--data", data, "--out=page.html", *options)
    assert "ann" in (place / "page.html").read_text()


def test_python_takes_settings_of_other_data(place: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(place / "other.csv", separator=";")
    for data in (frame, frame.to_pandas(), place / "other.csv"):
        found = sasrec.recommend_all(
            place / "model", data, out=tmp_path / "lists.csv", settings=SETTINGS
        )
        assert found.n_users == 2
    written = write_user_vectors(place / "model", tmp_path / "u.parquet", frame, settings=SETTINGS)
    assert written.n_rows == 2


def test_a_missing_column_says_which_settings_name_it(asked, place: Path, tmp_path: Path) -> None:
    told = asked("recommend", "model", "--user=ann", "--data=other.csv", code=2)
    assert "name the right columns with --user-column=customer --item-column=article" in told
    assert "read with the settings of its training, unless others are given" in told
    with pytest.raises(DataError, match=r"in Python: settings=\{\.\.\.\}"):
        sasrec.recommend_all(place / "model", place / "other.csv", out=tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--user=u1", "--epochs=3"], "--epochs does not change how data are read"),
        (["--user=u1", "--max-history=3"], "--max_history does not change how data are read"),
        (["--user=u1", "--content-columns=a"], "--content_columns does not change how data"),
        (["--user=u1", "--user-colum=a"], "did you mean 'user_column'"),
        (["--user=u1", "--incomplete=perhaps"], "incomplete"),
        (["--history=i1", "--user-column=a"], "no data are read here; add --user or --all-users"),
        (["--history=i1", "--histroy=i2"], "histroy"),
    ],
)
def test_settings_that_cannot_be_given_are_refused(asked, words, text: str) -> None:
    assert text in asked("recommend", "model", *words, code=2)


def test_item_vectors_read_no_data(asked, place: Path) -> None:
    told = asked("vectors", "model", "--items", "--out=x.parquet", "--user-column=a", code=2)
    assert "--user-column only changes how data are read" in told
    assert not (place / "x.parquet").exists()


def test_settings_in_python_are_checked_alike(place: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'epochs' does not change how data are read"):
        sasrec.recommend_all(
            place / "model", place / "log.csv", out=tmp_path / "x.csv", settings={"epochs": 2}
        )
    with pytest.raises(SasrecError, match="settings must be a dict"):
        sasrec.recommend_all(
            place / "model", place / "log.csv", out=tmp_path / "x.csv", settings=["epochs"]
        )
