"""Input made to exhaust memory is refused, or read within a bounded multiple of its size."""

import itertools
import json
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from sasrec.data.formats.limits import ALWAYS_ALLOWED_ROWS, LONGEST_LINE, MAX_COLUMNS
from sasrec.data.formats.readers import read_file
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.files import MAX_BYTES, MAX_WRITTEN_VALUES, layer_from_options, yaml_file
from sasrec.settings.literals import MAX_LITERAL_CHARACTERS
from sasrec.system.json_limits import MOST_NESTED, json_within_limits
from sasrec.tuning.space import read_space

HEAD = b"user_id:token\titem_id:token\ttimestamp:float\n"
LISTED = b"user_id:token\titem_id_list:token_seq\titem_id:token\n"
PARTS = ("train", "valid", "test")
CSV_HEAD = b"user_id,item_id,timestamp\n"
SIZE = 8_000_000
LESS = 5_000_000
MOST = 10
"""Upper limit on memory as a multiple of the file, plus ``BESIDE``; it is some 5 to 9 times."""
BESIDE = 2**24
SHORT_ROWS = b"".join(b"%d\t%d\t%d\n" % (n % 7, n % 9, n % 5) for n in range(3150))
READ = """
import sys
from pathlib import Path
from sasrec.errors import SasrecError

def table(path, **settings):
    from sasrec.data.sources import load_corpus
    from sasrec.settings.data import DataSettings
    load_corpus(path, DataSettings(**settings))

def space(path):
    from sasrec.tuning.space import read_space
    read_space(path)

def settings(path):
    from sasrec.settings.files import yaml_file
    yaml_file(path)

def json(path):
    from sasrec.recommender.folder import read_json
    read_json(Path(path))

def most():
    with open("/proc/self/status") as file:
        return int(dict(line.split(":", 1) for line in file)["VmHWM"].split()[0]) * 1024

kind, path, small, more = sys.argv[1:]
read = globals()[kind]
read(small)
before = most()
try:
    read(path, **__import__("json").loads(more))
    said = "read"
except SasrecError as error:
    said = str(error)
print(most() - before, said)
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="measures with Linux's /proc"
)


def check_memory(
    kind: str, path: Path, small: Path, most: float, said: str = "read", **settings: object
) -> None:
    """Assert an upper limit in bytes on the memory that reading a file takes, and its result.

    Unused memory kept by the allocator varies by some 10 % with the timing of threads, so the
    lowest of three measurements is used.
    """
    command = [sys.executable, "-c", READ, kind, str(path), str(small), json.dumps(settings)]
    measured = []
    while len(measured) < 3 and min(measured, default=most) >= most:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        taken, _, message = output.stdout.partition(" ")
        assert said in message
        measured.append(int(taken))
    assert min(measured) < most


def words() -> Iterator[bytes]:
    """Yield distinct texts, the shortest first."""
    for length in itertools.count(1):
        letters = itertools.product(string.ascii_letters + string.digits, repeat=length)
        yield from ("".join(each).encode() for each in letters)


def filled(head: bytes, row: Callable[[int, bytes], bytes], size: int = LESS) -> bytes:
    """Return a header and rows with distinct words, of a given total size in bytes."""
    lines, length = [head], len(head)
    for place, word in enumerate(words()):
        lines.append(row(place, word))
        length += len(lines[-1])
        if length > size:
            return b"".join(lines)
    raise AssertionError("words have no end")


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("name", "head", "row"),
    [
        ("items.inter", HEAD, lambda place, word: b"%d\t%b\t%d\n" % (place % 7, word, place % 10)),
        ("users.inter", HEAD, lambda place, word: b"%b\t%d\t%d\n" % (word, place % 7, place % 10)),
        ("both.inter", HEAD, lambda place, word: b"%b\t%b\t%d\n" % (word, word, place % 10)),
        ("pairs.inter", HEAD[:27] + b"\n", lambda place, word: b"1\t%b\n" % word),
        ("both.csv", CSV_HEAD, lambda place, word: b"%b,%b,%d\n" % (word, word, place % 10)),
        ("items.csv", CSV_HEAD, lambda place, word: b"1,%b,%d\n" % (word, place % 10)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tokens_that_all_differ_take_a_bounded_multiple_too(
    name: str, head: bytes, row: Callable[[int, bytes], bytes], tmp_path: Path
) -> None:
    content = filled(head, row)
    (tmp_path / name).write_bytes(content)
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    check_memory("table", tmp_path / name, small, MOST * len(content) + BESIDE)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("name", "head", "row", "settings"),
    [
        ("rows.inter", HEAD, b"1\t2\t3\n1\t3\t4\n", {"duplicates": "last"}),
        (
            "rated.inter",
            HEAD[:-1] + b"\trating:float\n",
            b"1\t2\t3\t4\n",
            {"value_intervals": {"rating": "[1,9]"}},
        ),
        (
            "groups.inter",
            HEAD[:-1] + b"\ta:token\tb:token\n",
            b"1\t2\t3\t4\t5\n",
            {"value_intervals": {"a": ["4"], "b": ["5"]}},
        ),
        (
            "rated.csv",
            CSV_HEAD[:-1] + b",rating\n",
            b"1,2,3,4\n",
            {"value_intervals": {"rating": "[1,9]"}},
        ),
        (
            "mixed.csv",
            CSV_HEAD[:-1] + b",kind\n",
            b"1,2,3,4\n",
            {"value_intervals": {"kind": ["4", "b"]}},
        ),
        ("moments.csv", CSV_HEAD, b"1,2,2024-01-01\n", {}),
        (
            "counted.inter",
            HEAD,
            b"1\t2\t3\n2\t2\t4\n",
            {"user_interactions": "[2,inf)", "item_interactions": "[2,inf)"},
        ),
    ],
    ids=["duplicates", "numbers", "texts", "csv", "mixed", "moments", "counts"],
)
def test_filters_take_no_more_than_reading(
    name: str, head: bytes, row: bytes, settings: dict[str, object], tmp_path: Path
) -> None:
    content = head + row * (LESS // len(row))
    content += b"2,2,3,b\n" if name == "mixed.csv" else b""
    (tmp_path / name).write_bytes(content)
    small = tmp_path / f"ordinary{Path(name).suffix}"
    small.write_bytes(head + row * 3)
    check_memory("table", tmp_path / name, small, MOST * len(content) + BESIDE, **settings)


LOADED = {"load_columns": {"inter": "*", "item": "*"}}


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("columns", "rest", "settings"),
    [
        (b"\ttitle:token", b"\ta", {}),
        (b"\ttitle:token", b"\ta", LOADED),
        (b"\ttitle:token", b"\t", LOADED),
        (b"", b"", LOADED),
        (b"\tclass:token", b"\ta", LOADED | {"value_intervals": {"class": ["a"]}}),
        (b"\tyear:float", b"\t1", LOADED | {"value_intervals": {"year": "[1,2]"}}),
        (b"\ttitle:token", b"\ta", LOADED | {"value_intervals": {"title": ["a"]}}),
    ],
    ids=["titles", "listed", "untitled", "bare", "class", "year", "title"],
)
def test_items_take_a_bounded_multiple_of_their_file(
    columns: bytes, rest: bytes, settings: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "films.inter").write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    content = filled(b"item_id:token" + columns + b"\n", lambda place, word: word + rest + b"\n")
    (tmp_path / "films.item").write_bytes(content)
    small = tmp_path / "ordinary.inter"
    small.write_bytes((tmp_path / "films.inter").read_bytes())
    check_memory("table", tmp_path / "films.inter", small, MOST * len(content) + BESIDE, **settings)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("head", "rows"),
    [
        (HEAD, b"1\t2\t3\n" * 1050),
        (HEAD, SHORT_ROWS),
        (HEAD[:27] + b"\n", b"1\t2\n2\t3\n2\t1\n" * 350),
        (LISTED, b"1\t2\t3\n" * 1050),
        (LISTED, SHORT_ROWS),
    ],
    ids=["same", "short", "pairs", "lists", "short_lists"],
)
@pytest.mark.parametrize("parts", [("train", "valid", "test"), ("train",)], ids=["all", "one"])
def test_parts_take_a_bounded_multiple_of_their_files(
    parts: tuple[str, ...], head: bytes, rows: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for part in PARTS:
        many = SIZE // len(parts) // len(rows) if part in parts else 1
        (folder / f"films.{part}.inter").write_bytes(head + rows * many)
    size = sum(file.stat().st_size for file in folder.iterdir())
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    check_memory("table", folder, small, MOST * size + BESIDE, split_files=PARTS)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("head", "row"),
    [
        (HEAD, lambda place, word: b"%d\t%b\t%d\n" % (place % 7, word, place % 10)),
        (HEAD, lambda place, word: b"%b\t%d\t%d\n" % (word, place % 7, place % 10)),
        (HEAD, lambda place, word: b"%b\t%b\t%d\n" % (word, word, place % 10)),
        (HEAD[:27] + b"\n", lambda place, word: b"%b\t1\n" % word),
        (LISTED, lambda place, word: b"1\t%b\t2\n" % word),
        (LISTED, lambda place, word: b"1\t2\t%b\n" % word),
        (LISTED, lambda place, word: b"%b\t%b\t%b\n" % (word, word[::-1], word)),
    ],
    ids=["items", "users", "both", "pairs", "histories", "targets", "all"],
)
@pytest.mark.parametrize("parts", [3, 1], ids=["all", "one"])
def test_parts_whose_tokens_all_differ_take_a_bounded_multiple_too(
    parts: int, head: bytes, row: Callable[[int, bytes], bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    lines = filled(b"", row).splitlines(keepends=True)
    size = 0
    for number, part in enumerate(PARTS):
        chosen = lines[number::3] if parts == 3 else lines if part == "train" else lines[:2]
        size += (folder / f"films.{part}.inter").write_bytes(head + b"".join(chosen))
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    check_memory("table", folder, small, MOST * size + BESIDE, split_files=PARTS)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("name", "content", "times", "said"),
    [
        ("usual.inter", HEAD + b"196\t242\t881250949\n" * (SIZE // 18), 5, "read"),
        # The shortest possible rows: each takes 40 bytes, however short its text.
        ("small_rows.inter", HEAD + b"1\t2\t3\n" * (SIZE // 6), 10, "read"),
        ("many_users.inter", HEAD + SHORT_ROWS * (SIZE // len(SHORT_ROWS)), 10, "read"),
        ("pairs.inter", HEAD[:27] + b"\n" + b"1\t2\n" * (SIZE // 4), 10, "read"),
        ("small_rows.csv", CSV_HEAD + b"1,2,3\n" * (SIZE // 6), 10, "read"),
        ("blank.inter", HEAD + b"\n" * SIZE, 10, "no interactions"),
        ("gaps.inter", HEAD + b"\n" * (SIZE // 2) + b"1\t2\t3\n" * (SIZE // 12), 10, "read"),
        ("tabs.inter", HEAD + b"\t" * SIZE, 1, "line 2 has more than"),
        ("zeros.inter", HEAD + bytes(SIZE), 1, "line 2 has more than"),
        ("zeros.csv", bytes(SIZE), 1, "line 1: it contains NUL bytes"),
        ("utf-16.csv", (CSV_HEAD + b"1,2,3\n" * 9).decode().encode("utf-16"), 1, "or UTF-16"),
        ("commas.csv", CSV_HEAD + b"," * SIZE, 1, "line 2 has more than"),
        ("quotes.csv", CSV_HEAD + b'1,"2,3\n' * (SIZE // 7), 10, "this row cannot be parsed"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_memory_is_a_bounded_multiple_of_the_file(
    name: str, content: bytes, times: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    check_memory("table", tmp_path / name, small, times * len(content) + BESIDE, said)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("settings", "a: [" + "1," * 130_000 + "]", "contains more than 5,000 values"),
        ("settings", "a: " + "[" * 130_000, "contains more than 5,000 values"),
        ("settings", "a: [" + "1," * 4_900 + "]", "read"),
        ("settings", "a: &a [1]\n" + "".join(f"b{n}: *a\n" for n in range(20_000)), "5,000 values"),
        ("space", "x choice [" + "1," * 130_000 + "]", "has 260,002 characters"),
        ("space", "".join(f"k{n} choice [{'1,' * 8_000}]\n" for n in range(15)), "read"),
        ("json", '{"a": [' + "[]," * 2_000_000 + "1]}", "more than 100,000 lists and objects"),
        ("json", '{"a": [' + '"ab",' * 2_000_000 + '"ab"]}', "2,000,000 values, too many for"),
        ("json", '{"a": [' + "257," * 2_000_000 + "257]}", "2,000,000 values, too many for"),
        ("json", '{"' + '":1,"'.join(map(str, range(500_000))) + '":1}', "values, too many for"),
        ("json", '{"a": [' + '"123456", ' * 500_000 + '"a"]}', "read"),
        ("json", '{"a": ["\U0001f600", ' + '"12345", ' * 500_000 + '"a"]}', "values, too many for"),
        ("json", '{"a":"' + "," * 4_000_000 + '"}', "read"),
    ],
    ids=[
        "many",
        "deep",
        "allowed",
        "references",
        "long",
        "lines",
        "lists",
        "texts",
        "numbers",
        "keys",
        "tokens",
        "wide",
        "commas",
    ],
)
def test_a_small_file_of_settings_takes_little_memory(
    kind: str, content: str, said: str, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.write_text({"settings": "a: 1", "space": "x choice [1,2]", "json": "{}"}[kind])
    (tmp_path / "odd").write_text(content)
    check_memory(kind, tmp_path / "odd", small, MOST * len(content) + 2**23, said)


@pytest.mark.parametrize("name", ["x.inter", "x.csv", "x.tsv"])
def test_a_line_that_is_too_long_is_named(name: str, tmp_path: Path) -> None:
    head = HEAD if name == "x.inter" else CSV_HEAD.replace(b",", b"," if name == "x.csv" else b"\t")
    (tmp_path / name).write_bytes(head + b"\n" * LONGEST_LINE + b"a" * 2 * LONGEST_LINE)
    with pytest.raises(DataError, match=f"line {LONGEST_LINE + 2} has more than 1,048,576"):
        read_file(tmp_path / name, DataSettings())


@pytest.mark.parametrize("name", ["x.inter", "x.csv"])
def test_too_many_columns_are_counted(name: str, tmp_path: Path) -> None:
    kind, mark = (":token", "\t") if name == "x.inter" else ("", ",")
    names = (f"c{number}{kind}" for number in range(MAX_COLUMNS + 1))
    (tmp_path / name).write_text(mark.join(names) + "\n")
    with pytest.raises(DataError, match="line 1 names 10,001 columns"):
        read_file(tmp_path / name, DataSettings())


@pytest.mark.parametrize("read", [yaml_file, read_space])
def test_a_settings_file_that_is_too_large_is_refused(read: object, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"# \xc3\xa4\n" * (MAX_BYTES // 5 + 1))
    with pytest.raises(SettingsError, match="large is larger than 262,144 bytes"):
        read(path)  # type: ignore[operator]


def test_values_are_counted_before_they_are_created(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text("topk: [" + "1," * (MAX_WRITTEN_VALUES - 3) + "]\n")
    assert len(yaml_file(path).values["topk"]) == MAX_WRITTEN_VALUES - 3
    path.write_text("topk: [" + "1," * (MAX_WRITTEN_VALUES - 2) + "]\n")
    with pytest.raises(SettingsError, match=r"many\.yaml contains more than 5,000 values"):
        yaml_file(path)


def test_an_endless_value_is_named_by_its_place(tmp_path: Path) -> None:
    text = "1" * (MAX_LITERAL_CHARACTERS + 1)
    with pytest.raises(
        SettingsError, match=r"--seed: the value that begins with '1{20}' has 16,385 characters"
    ):
        layer_from_options([f"--seed={text}"])
    path = tmp_path / "hyper.test"
    path.write_text(f"n_layers choice [1,2]\nseed choice {text}\n")
    with pytest.raises(
        SettingsError, match=r"hyper\.test, line 2: the value that begins with '1{20}' has 16,385"
    ):
        read_space(path)


def test_brackets_in_tokens_are_not_lists() -> None:
    tokens = ['[{"x\\', "plain"] * (MOST_NESTED // 2)
    assert json_within_limits(json.dumps({"items": tokens})) == {"items": tokens}
    lists = json.dumps({"items": [[]] * (MOST_NESTED - 2)})
    assert len(json_within_limits(lists.encode())["items"]) == MOST_NESTED - 2
    with pytest.raises(ValueError, match="more than 100,000 lists and objects"):
        json_within_limits(json.dumps([[]] * MOST_NESTED))


def test_a_vocabulary_of_short_tokens_is_read_where_it_fits_the_weights() -> None:
    letters = itertools.product(string.ascii_letters, repeat=4)
    tokens = {"items": ["".join(next(letters)) for _ in range(400_000)]}
    text = json.dumps(tokens, separators=(",", ":"))
    with pytest.raises(ValueError, match=r"399,999 values, too many for its 2,800,011 bytes"):
        json_within_limits(text)
    assert json_within_limits(text, allowed_values=400_000) == tokens


def test_commas_in_titles_do_not_separate_values() -> None:
    titles = {"titles": {str(number): "a,,,,,,,,,,,,,,,,,,,,,,,,,,," for number in range(50_000)}}
    assert json_within_limits(json.dumps(titles)) == titles


def test_too_many_rows_for_the_size_of_the_file_are_refused(tmp_path: Path) -> None:
    columns = {"user_id": "a", "item_id": "x", "timestamp": 1.0}
    for count, refused in ((ALWAYS_ALLOWED_ROWS, False), (ALWAYS_ALLOWED_ROWS + 1, True)):
        frame = pl.select(pl.repeat(value, count).alias(name) for name, value in columns.items())
        frame.write_parquet(tmp_path / "some.parquet")
        if refused:
            with pytest.raises(
                DataError, match=r"1,000,001 rows in [\d,]+ bytes, which is too many rows"
            ):
                read_file(tmp_path / "some.parquet", DataSettings())
        else:
            assert len(read_file(tmp_path / "some.parquet", DataSettings())) == count


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("user", ["few", "count", "text"])
@pytest.mark.parametrize("item", ["few", "mixed", "text"])
@pytest.mark.parametrize("time", ["count", "date", None])
def test_a_compressed_table_takes_a_bounded_multiple_of_its_content(
    user: str, item: str, time: str | None, tmp_path: Path
) -> None:
    places = pl.int_range(ALWAYS_ALLOWED_ROWS, dtype=pl.Int64)
    kinds = {
        "few": places % 5_000,
        "count": places,
        "mixed": places * 7_919 % 999_983,
        "text": pl.format("{} by name", places),
        "date": (places * 1_000_000).cast(pl.Datetime("us")),
    }
    columns = {"user_id": user, "item_id": item, "timestamp": time}
    frame = pl.select(kinds[kind].alias(name) for name, kind in columns.items() if kind)
    frame.write_parquet(tmp_path / "rows.parquet")
    frame.head(3).write_parquet(tmp_path / "small.parquet")
    most = MOST * frame.estimated_size() + BESIDE
    check_memory("table", tmp_path / "rows.parquet", tmp_path / "small.parquet", most)


@pytest.mark.parametrize("text", ['{"a": 1,' + '\\"' * 550_000 + "}", '{"a": [' + '"\\' * 550_000])
def test_long_texts_in_json_are_checked_in_one_pass(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        json_within_limits(text)


def test_the_metrics_of_ten_thousand_epochs_are_accepted() -> None:
    epochs = [{"epoch": n, "loss": n / 7, "ndcg@10": n / 9, "seconds": 1.5} for n in range(30_000)]
    text = json.dumps({"epochs": epochs})
    assert json_within_limits(text)["epochs"] == epochs


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(
    ("name", "head", "row", "settings"),
    [
        ("pairs.txt", b"", lambda place, word: b"1 %b\n" % word, {}),
        ("short.txt", b"", lambda place, _: b"%d %d\n" % (place % 7, place % 9), {}),
        (
            "long.txt",
            b"",
            lambda place, word: b"%b %b\n" % (word, b" ".join(b"%d" % (n % 9) for n in range(50))),
            {"columns": "user,items"},
        ),
        (
            "items.txt",
            b"",
            lambda place, word: b"%d a%b b%b\n" % (place % 7, word, word),
            {"columns": "user,items"},
        ),
        (
            "both.dat",
            b"",
            lambda place, word: b"%b::%b::%d\n" % (word, word, place % 9),
            {"columns": "user,item,time"},
        ),
        (
            "u.jsonl",
            b"",
            lambda place, word: b'{"user_id":"%b","item_id":%d}\n' % (word, place),
            {},
        ),
        ("floats.jsonl", b"", lambda place, _: b'{"user_id":1e1,"item_id":%d.0}\n' % place, {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_published_formats_take_a_bounded_multiple_too(
    name: str,
    head: bytes,
    row: Callable[[int, bytes], bytes],
    settings: dict[str, str],
    tmp_path: Path,
) -> None:
    content = filled(head, row)
    (tmp_path / name).write_bytes(content)
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    check_memory("table", tmp_path / name, small, MOST * len(content) + BESIDE, **settings)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_number_of_parts(end: str, tmp_path: Path) -> None:
    content = filled(CSV_HEAD, lambda place, word: b"%b,%d,%d\n" % (word, place % 7, place))
    lines = content.split(b"\n")
    for count in (1, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        size = -(-len(lines) // count)
        for index in range(count):
            rows = b"\n".join(lines[1:][index * size : (index + 1) * size])
            path = folder / f"{index:03}.csv"
            path.write_bytes(CSV_HEAD + rows)
            if end == "parquet":
                pl.read_csv(path).write_parquet(path.with_suffix(".parquet"))
                path.unlink()
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    for count in (1, 200):
        check_memory("table", tmp_path / str(count), small, MOST * len(content) + BESIDE)
