"""sasrec data describe proposes the whole command that trains on the data."""

import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sasrec.cli.app import main
from sasrec.cli.proposed_command import train_command

SMALL = ["--hidden_size=8", "--inner_size=8", "--n_layers=1", "--epochs=1", "-q"]
RETAIL = (
    "InvoiceNo,StockCode,Description,InvoiceDate,CustomerID\n"
    + "".join(
        f"{day},S{(user + day) % 4},x,12/{day}/10 8:{user}0,{user}\n"
        for day in range(1, 10)
        for user in range(1, 5)
    )
    + "99,S1,x,12/1/10 8:26,\n"
)
COLUMNS = "--user-column=CustomerID --item-column=StockCode --time-column=InvoiceDate"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "online retail.csv").write_text(RETAIL)
    (tmp_path / "ratings.dat").write_text("1::10::5::978300760\n1::11::3::978302109\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return the exit code of a command, what it printed, and its messages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sasrec", *words])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def proposals(err: str) -> list[str]:
    return err.strip().partition("; the whole command: ")[2].split(", or ")


def test_describe_proposes_a_command_for_each_reading_and_it_works(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = called(["data", "describe", "online retail.csv"], capsys)
    assert code == 2
    begin = f"sasrec train -d 'online retail.csv' {COLUMNS}"
    assert proposals(err) == [
        f"{begin} --time-format={order} --incomplete=drop"
        for order in ("day_first", "month_first", "year_first")
    ]
    words = shlex.split(proposals(err)[1])[1:]
    code, _, err = called([*words, "--out=model", *SMALL], capsys)
    assert code == 0, err
    assert (place / "model" / "model.safetensors").exists()


def test_settings_that_the_user_gave_stay_or_are_replaced(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--user-column=customerid", "--incomplete", "drop", "--time-column", "InvoiceDate"]
    _, _, err = called(["data", "describe", "online retail.csv", *given], capsys)
    assert proposals(err)[1] == (
        "sasrec train -d 'online retail.csv' --incomplete drop --time-column InvoiceDate "
        "--user-column=CustomerID --item-column=StockCode --time-format=month_first"
    )


def test_a_description_ends_with_the_command(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*COLUMNS.split(), "--time-format=month_first", "--incomplete=drop"]
    code, out, _ = called(["data", "describe", "online retail.csv", *given], capsys)
    command = f"sasrec train -d 'online retail.csv' {' '.join(given)}"
    assert code == 0
    assert out.splitlines()[-1] == f"to train on it: {command}"
    _, out, _ = called(["data", "describe", "online retail.csv", *given, "--json"], capsys)
    assert json.loads(out)["train"] == command
    assert json.loads(out)["first_event"] == "2010-12-01 08:10"


def test_the_command_after_a_description_drops_incomplete_rows(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*COLUMNS.split(), "--time-format=month_first"]
    for more in ([], ["--incomplete=refuse"]):
        code, out, _ = called(["data", "describe", "online retail.csv", *given, *more], capsys)
        assert code == 0
        command = f"sasrec train -d 'online retail.csv' {' '.join(given)} --incomplete=drop"
        assert out.splitlines()[-1] == f"to train on it: {command}"
    (place / "shop.yaml").write_text("incomplete: drop\n")
    _, out, _ = called(["data", "describe", "online retail.csv", *given, "-c", "shop.yaml"], capsys)
    assert out.splitlines()[-1].endswith(f"-c shop.yaml {' '.join(given)}")


def test_a_file_without_a_header_gets_its_command(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, err = called(["data", "describe", "ratings.dat"], capsys)
    assert proposals(err) == ["sasrec train -d ratings.dat --columns=user,item,rating,time"]


def test_an_unknown_column_is_not_guessed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "e.csv").write_text("a,b,timestamp\n1,2,3\n")
    code, _, err = called(["data", "describe", "e.csv"], capsys)
    assert code == 2
    assert "--user-column=NAME --item-column=NAME" in err
    assert proposals(err) == [""]


def test_every_form_of_settings_takes_the_form_of_times(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sasrec

    (place / "my.yaml").write_text(
        "user_column: CustomerID\nitem_column: StockCode\ntime_column: InvoiceDate\n"
        "incomplete: drop\ntime_format: '%m/%d/%y %H:%M'\n"
    )
    words = ["train", "-c", "my.yaml", "-d", "online retail.csv", "--out=model", *SMALL]
    code, _, err = called(words, capsys)
    assert code == 0, err
    saved = json.loads((place / "model" / "settings.json").read_text())
    assert "%m/%d/%y %H:%M" in json.dumps(saved)
    recommender = sasrec.train(
        "online retail.csv",
        user_column="CustomerID",
        item_column="StockCode",
        time_column="InvoiceDate",
        incomplete="drop",
        time_format="month_first",
        epochs=1,
        hidden_size=8,
        inner_size=8,
        n_layers=1,
    )
    assert recommender.settings["data"]["time_format"] == "month_first"
    assert called(["evaluate", "model"], capsys)[0] == 0


def test_the_command_has_no_passwords() -> None:
    given = SimpleNamespace(args=["--user-column=u"], params={"plugin": [Path("mine.py")]})
    command = train_command(given, ["https://me:secret@host/e.csv"])  # type: ignore[arg-type]
    assert command == ("sasrec train -d https://me:***@host/e.csv --plugin=mine.py --user-column=u")
