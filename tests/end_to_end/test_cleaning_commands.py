"""Cleaning from the command line, from YAML and from Python, and the report of a data set."""

import json
import subprocess
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

import sasrec
from forked import ran

FEW = ("--epochs=1", "--hidden-size=8", "--device=cpu", "-q")
CHOICE = ("--where", "Quantity>0", "--where=event=purchase", "--since", "2024-05-03")


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cleaning")
    lines = ["user_id,item_id,timestamp,Quantity,event"]
    for user in range(30):
        for step in range(12):
            event = "view" if step % 3 == 0 else "purchase"
            quantity = -1 if step == 7 else 2
            day = f"2024-05-{step + 1:02d}"
            lines.append(f"u{user},i{(user + step) % 9},{day},{quantity},{event}")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    return folder


def described(place: Path, *words: str) -> dict[str, object]:
    ended = command("data", "describe", "log.csv", "--json", *words, cwd=place)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def test_command_line_yaml_and_python_choose_the_same_rows(place: Path) -> None:
    settings = {"where": ["Quantity>0", "event=purchase"], "since": "2024-05-03"}
    (place / "my.yaml").write_text(
        "where: [Quantity>0, event=purchase]\nsince: 2024-05-03\nmax_user_events: 5\n"
    )
    by_words = described(place, *CHOICE, "--max-user-events=50")["fingerprint"]
    python = sasrec.describe(place / "log.csv", settings, max_user_events=50)
    assert by_words == python.facts["fingerprint"]
    assert described(place, "-c", "my.yaml", "--max-user-events=50")["fingerprint"] == by_words
    words = ("train", "-d", "log.csv", "-o", "from-yaml", "-c", "my.yaml", *FEW)
    ended = command(*words, cwd=place)
    assert ended.returncode == 2
    assert "max_user_events=5 removes all interactions" in ended.stderr
    assert not (place / "from-yaml").exists()
    (place / "my.yaml").write_text((place / "my.yaml").read_text().replace(": 5\n", ": 50\n"))
    ended = command(*words, cwd=place)
    assert ended.returncode == 0, ended.stderr
    saved = json.loads((place / "from-yaml" / "settings.json").read_text())["data"]
    assert (saved["where"], saved["since"]) == (["Quantity>0", "event=purchase"], "2024-05-03")
    assert "where='event=purchase' removed 90 of 270 events (33.3%)" in ended.stderr


def test_a_model_is_evaluated_on_the_rows_it_was_trained_on(place: Path) -> None:
    ended = command("train", "-d", "log.csv", "-o", "chosen", *CHOICE, *FEW, cwd=place)
    assert ended.returncode == 0, ended.stderr
    trained = json.loads((place / "chosen" / "metrics.json").read_text())["reports"][0]["test"]
    ended = command("evaluate", "chosen", "--json", cwd=place)
    assert json.loads(ended.stdout)["test"] == trained


def test_describe_shows_cleanings_and_writes_reports(place: Path) -> None:
    words = ("-o", "report.html", "--out=report.png", "--where=event=purchase")
    ended = command("data", "describe", "log.csv", *words, cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert "interactions           240\n" in ended.stdout
    assert "--duplicates=first" in ended.stdout
    assert "written to report.png" in ended.stdout
    assert "<svg" in (place / "report.html").read_text()
    assert (place / "report.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--where", "Quantty>0"), "no column 'Quantty'; did you mean 'Quantity'?"),
        (("--where", "Quantity >> 0"), "where: 'Quantity >> 0' is not an expression"),
        (("--where",), "'--where' has no value"),
        (("--since", "soon"), "since is 'soon': this is not a point in time; write a date such"),
        (("--until=2024-05-40",), "this is not a date"),
        (("--since=2024-06-01",), "the events are from 2024-05-01 00:00:00 to 2024-05-12"),
        (("--max-user-events=none",), "max_user_events"),
        (("--out=report.pdf",), "choose a name that ends in .html or .png"),
    ],
)
def test_a_mistake_in_cleaning_ends_in_one_message(
    place: Path, words: tuple[str, ...], message: str
) -> None:
    ended = command("data", "describe", "log.csv", "--out=never.html", *words, cwd=place)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (place / "never.html").exists()


def test_lists_for_other_data_do_not_apply_the_dates_of_training(place: Path) -> None:
    words = ("--since=2024-05-03", "--until=2024-05-10", "--max-user-events=20")
    ended = command("train", "-d", "log.csv", "-o", "dated", *words, *FEW, cwd=place)
    assert ended.returncode == 0, ended.stderr
    late = pl.DataFrame(
        {"user_id": ["new"], "item_id": ["i3"], "timestamp": ["2025-01-01"]},
    )
    late.write_csv(place / "late.csv")
    words = ("recommend", "dated", "--data=late.csv", "--all-users", "--out=lists.csv", "-k", "2")
    ended = command(*words, cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert pl.read_csv(place / "lists.csv").height == 2
    ended = command(*words[:3], "--user", "new", "--json", cwd=place)
    assert ended.returncode == 0, ended.stderr


def shop_log() -> pl.DataFrame:
    """Return a log like that of a shop: codes and titles, returns, and rows without a customer."""
    rows = [
        (
            f"{10000 + (7 * user + step) % 12}",
            f"ARTICLE {(7 * user + step) % 12} ",
            -1 if step == 5 else 6,
            datetime(2011, 1, 1 + step, 8, 26),
            0.5 + (7 * user + step) % 12,
            None if step == 6 else 17000.0 + user,
        )
        for user in range(24)
        for step in range(10)
    ]
    names = ["StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_the_log_of_a_shop_goes_from_file_to_lists_with_rules(tmp_path: Path) -> None:
    shop_log().write_parquet(tmp_path / "shop.parquet")
    columns = ("--user-column=CustomerID", "--item-column=StockCode", "--time-column=InvoiceDate")
    ended = command("data", "describe", "shop.parquet", *columns, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "'--where=Quantity>0'" in ended.stdout
    assert "24 (11.1%)" in ended.stdout
    more = ("--title-column=Description", "--item-columns=UnitPrice", "--incomplete=drop")
    words = ("--where=Quantity>0", "--since=2011-01-02", *columns, *more, *FEW)
    ended = command("train", "--data", "shop.parquet", *words, "--out", "shop", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "where='Quantity>0' removed 24 of 192 events" in ended.stderr
    pl.DataFrame(
        {"StockCode": [str(10000 + number) for number in range(12)], "stock": [0, 1] * 6}
    ).write_csv(tmp_path / "stock.csv")
    rules = ("--only-where", "stock > 0 and UnitPrice < 8", "--seen", "older than 3d")
    ended = command(
        *("recommend", "shop", "--user", "17003", "-k", "3", "--items", "stock.csv", "--json"),
        *(*rules, "--now", "2011-01-11"),
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["items"]
    for item in found["items"]:
        number = int(item) - 10000
        assert number % 2 == 1
        assert 0.5 + number < 8
    assert "ARTICLE" in ended.stdout
