"""The commands with rules: from a log and a table of items to lists."""

import json
from pathlib import Path

import polars as pl
import pytest

from forked import ran


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    day = 86_400
    events = [
        f"u{user},i{(user + step) % 11},{1_700_000_000 + step * day}"
        for user in range(30)
        for step in range(9)
    ]
    (folder / "log.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(events) + "\n")
    pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(11)],
            "title": [f"Thing {n}" for n in range(11)],
            "stock": [n % 3 for n in range(11)],
            "category": ["tea" if n % 2 else "pots" for n in range(11)],
        }
    ).write_parquet(folder / "items.parquet")
    trained = ran(
        *("-m", "sasrec", "train", "--data", "log.csv", "--items", "items.parquet"),
        *("--out", "model", "--epochs", "1", "--hidden-size=8", "--inner-size=8", "--quiet"),
        cwd=folder,
    )
    assert trained.returncode == 0, trained.stderr
    return folder


def recommend(shop: Path, *words: str) -> tuple[list[dict[str, object]], str]:
    ended = ran("-m", "sasrec", "recommend", "model", "--json", *words, cwd=shop)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr


def refused(shop: Path, *words: str) -> str:
    ended = ran("-m", "sasrec", "recommend", "model", "--history", "i1", *words, cwd=shop)
    assert ended.returncode == 2, ended.stdout
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_options_and_a_file_of_rules_go_together(shop: Path) -> None:
    (shop / "rules.yaml").write_text("only_where: stock > 0\nmax_per: {category: 3}\n")
    [found], told = recommend(
        shop,
        *("--user", "u1", "-k", "6", "--rules", "rules.yaml", "--only-where", "title != 'Thing 4'"),
        *("--max-per", "category=2", "--seen", "always", "--diversity", "0.3"),
    )
    items = found["items"]
    assert isinstance(items, list)
    numbers = [int(item[1:]) for item in items]
    assert all(n % 3 and n != 4 for n in numbers)
    assert sum(n % 2 for n in numbers) == 2
    assert "only_where 'stock > 0' leaves 7 items of 11" in told
    assert "note: 1 of 1 list has fewer than 6 items" in told


def test_ages_refer_to_the_times_of_the_data(shop: Path) -> None:
    words = ("--user", "u0", "-k", "11", "--seen", "older than 3d", "--now", "2023-11-22T22:13:20")
    [found], _ = recommend(shop, *words)
    assert set(found["items"]) == {f"i{n}" for n in range(11)} - {"i5", "i6", "i7", "i8"}


def test_fresh_items_replace_saved_columns_and_lists_are_filled_up(shop: Path) -> None:
    (shop / "fresh.csv").write_text("item_id,stock\ni9,4\ni10,1\ni3,1\n")
    [found], told = recommend(
        shop,
        *("--history", "i1", "-k", "3", "--items", "fresh.csv", "--only-where", "stock > 0"),
        *("--candidates", "i9", "--fill-up", "popularity"),
    )
    assert found["items"][0] == "i9"
    assert set(found["items"]) == {"i9", "i10", "i3"}
    assert set(found["filled_up"]) == {"i10", "i3"}
    assert "8 items without a value are not recommended" in told
    assert "1 of 1 list filled up by popularity with 2 items" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only-where", "stok > 0"), "no item column 'stok'; did you mean 'stock'"),
        (("--only-where", "category = 'pot'"), "no item has category = 'pot'; did you mean 'pots'"),
        (("--max-per", "category"), "--max-per is 'category'; write COLUMN=N"),
        (("--items", "items.parquet"), "--items is only used with rules"),
        (("--seen", "older than 3d"), "needs the time of each event"),
        (("--exclude-by-user", "missing.csv"), "missing.csv: no such file"),
        (("--rules", "missing.yaml"), "missing.yaml cannot be read"),
        (("--boost", "times 2"), "boost is 'times 2'"),
        (("--diversity", "7"), "diversity is 7.0; it must be a number from 0 to 1"),
        (("--no-exclude-seen", "--seen", "never"), "contradicts the rule seen: never"),
    ],
)
def test_mistakes_end_in_one_message_and_write_nothing(
    shop: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in refused(shop, *words, "--out", "lists.csv")
    assert not (shop / "lists.csv").exists()


def test_the_options_are_listed(shop: Path) -> None:
    ended = ran("-m", "sasrec", "recommend", "--help-rules", cwd=shop)
    assert ended.returncode == 0
    assert "--only-where" in ended.stdout
    assert "--fill-up" in ended.stdout
