"""The sizes that a Parquet file states are parsed correctly, and checked."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import parquet_footer
from sasrec.data.formats.parquet_footer import COLUMN, check_sizes
from sasrec.data.formats.readers import read_file
from sasrec.data.formats.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    I64,
    LIST,
    MAP,
    STRUCT,
    TRUE,
    walk_struct,
)
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

COLUMNS = ("user_id", "item_id", "timestamp")


def varint(number: int) -> bytes:
    """Return an unsigned number in seven bits per byte, lowest bits first."""
    more = number >> 7
    return bytes([number & 127 | (128 if more else 0)]) + (varint(more) if more else b"")


def zigzag(number: int) -> bytes:
    """Return a signed number with its sign in the lowest bit (zigzag)."""
    return varint(2 * number if number >= 0 else -2 * number - 1)


def written(value: object) -> tuple[int, bytes]:
    """Return the type of a value and its bytes as an element of a list."""
    if isinstance(value, bool):
        return TRUE, b"\1"
    if isinstance(value, int):
        return I64, zigzag(value)
    if isinstance(value, float):
        return DOUBLE, bytes(8)
    if isinstance(value, bytes):
        return BINARY, varint(len(value)) + value
    if isinstance(value, list):
        kinds, parts = zip(*map(written, value), strict=True) if value else ([BYTE], [])
        count = len(value)
        head = bytes([min(count, 15) << 4 | kinds[0]]) + (varint(count) if count > 14 else b"")
        return LIST, head + b"".join(parts)
    assert isinstance(value, dict)
    raw, before = b"", 0
    for number, each in sorted(value.items()):
        kind, part = written(each)
        step = number - before
        raw += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + zigzag(number)
        raw += b"" if kind == TRUE else part
        before = number
    return STRUCT, raw + b"\0"


PLAIN = st.one_of(
    st.integers(-(2**62), 2**62), st.binary(max_size=20), st.booleans(), st.floats(0, 1)
)
STRUCTS = st.recursive(
    st.dictionaries(st.integers(1, 63), PLAIN, max_size=4),
    lambda inner: st.dictionaries(
        st.integers(1, 63),
        PLAIN | inner | st.lists(inner, max_size=20) | st.lists(st.binary(max_size=3), max_size=20),
        max_size=4,
    ),
    max_leaves=8,
)


def kept(value: object) -> object:
    """Return what the parser keeps of a value: no booleans or floats, and only lists of texts."""
    if isinstance(value, dict):
        return {n: kept(each) for n, each in value.items() if not isinstance(each, bool)}
    if isinstance(value, list):
        return value if value and isinstance(value[0], bytes) else None
    return value if isinstance(value, int | bytes) else None


@given(STRUCTS, st.binary(max_size=5))
def test_a_struct_is_parsed_as_it_was_written(struct: dict[int, object], rest: bytes) -> None:
    raw = written(struct)[1]
    assert walk_struct(raw + rest) == (kept(struct), len(raw))


@given(st.lists(st.lists(st.integers(0, 99), max_size=20), max_size=20), st.integers())
def test_callbacks_get_structs_one_by_one(groups: list[list[int]], rows: int) -> None:
    file = {
        3: rows % 2**40,
        4: [{1: [{2: 5, 3: {5: number, 12: {1: b"x"}}} for number in group]} for group in groups],
    }
    found: list[dict[int, object]] = []
    fields, _ = walk_struct(written(file)[1], {COLUMN: found.append})
    assert [each[5] for each in found] == [number for group in groups for number in group]
    assert fields[3] == rows % 2**40


@given(STRUCTS, st.data())
def test_truncated_structs_are_refused(struct: dict[int, object], data: st.DataObject) -> None:
    raw = written(struct)[1]
    with pytest.raises((IndexError, ValueError)):
        walk_struct(raw[: data.draw(st.integers(0, len(raw) - 1))])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            bytes([1 << 4 | LIST, 15 << 4 | STRUCT]) + varint(2**40),
            "a list longer than the bytes left",
        ),
        (bytes([1 << 4 | BINARY]) + varint(2**40), "a value longer than the bytes left"),
        (bytes([1 << 4 | I64]) + b"\xff" * 12, "more than 64 bits"),
        (bytes([1 << 4 | MAP, 0]), "a type that Parquet does not use"),
        (bytes([1 << 4 | STRUCT]) * 1000, "nested too deeply"),
        (bytes([1 << 4 | LIST]) + bytes([1 << 4 | LIST]) * 5000, "nested too deeply"),
    ],
    ids=["list", "text", "number", "map", "structs", "lists"],
)
def test_impossible_sizes_are_refused_before_memory_is_allocated(raw: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        walk_struct(raw)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with two row groups and uncompressed pages."""
    columns = {"user_id": [1, 1, 2] * 9, "item_id": list("abc") * 9, "timestamp": range(27)}
    path = tmp_path / "rows.parquet"
    pl.DataFrame(columns).write_parquet(path, row_group_size=16, compression="uncompressed")
    return path


def test_a_valid_table_passes(table: Path) -> None:
    check_sizes(table, COLUMNS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw[:-1], "is truncated"),
        (lambda raw: raw[:7], "is truncated"),
        (lambda raw: raw[:4], "cannot be read as Parquet: its sizes are damaged; download"),
        (lambda raw: b"", "is not a Parquet file"),
        (lambda raw: b"user_id,item_id\n", "is not a Parquet file"),
        (lambda raw: raw[:-8] + b"\xff\xff\xff\x7fPAR1", "cannot be read as Parquet: its sizes"),
        (lambda raw: raw[:4] + raw[104:], "cannot be read as Parquet: its sizes are damaged"),
    ],
    ids=["end", "begin", "mark", "nothing", "other", "footer", "moved"],
)
def test_a_damaged_table_is_refused(change, said: str, table: Path) -> None:
    table.write_bytes(change(table.read_bytes()))
    with pytest.raises(DataError, match=rf"rows\.parquet {said}"):
        check_sizes(table, COLUMNS)


@pytest.mark.parametrize(("field", "value"), [(2, 2**40), (2, -1), (3, -1), (3, 2**40)], ids=str)
def test_pages_that_state_huge_sizes_are_refused(
    field: int, value: int, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(raw: bytes, *sought: object) -> tuple[dict[int, object], int]:
        fields, length = walk_struct(raw, *sought)  # type: ignore[arg-type]
        return (fields if sought else fields | {field: value}), length

    monkeypatch.setattr(parquet_footer, "walk_struct", changed)
    with pytest.raises(DataError, match="its sizes are damaged"):
        check_sizes(table, COLUMNS)


def test_lists_are_refused_as_tokens(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    pl.DataFrame({"user_id": [1, 2], "item_id": [["a", "b"], ["c", "d"]]}).write_parquet(path)
    with pytest.raises(
        DataError, match="'item_id' has more values than rows; it must have one text or"
    ):
        read_file(path, DataSettings())


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_an_error_of_polars_becomes_one_line(step: int, table: Path) -> None:
    raw = table.read_bytes()
    said = []
    for place in range(4, len(raw) - 8, step):
        table.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        try:
            read_file(table, DataSettings())
        except DataError as error:
            said.append(str(error))
    assert len(said) > 50 // step
    assert not any("\n" in each for each in said)


def page(values: int, *, size: int = 0, encoding: int = 0) -> bytes:
    """Return the header of a page that states sizes but has no content."""
    return written({1: 0, 2: size, 3: 0, 5: {1: values, 2: encoding, 3: 3, 4: 3}})[1]


def file_of(
    path: Path, schema: list[dict[int, object]], pages: bytes, columns: list[dict[int, object]]
) -> Path:
    """Write a file with one row group of one row, whose columns all have the same pages."""
    own = {4: 0, 5: 1, 7: len(pages), 9: 4}
    chunks = [{3: own | column} for column in columns]
    footer = written({2: schema, 3: 1, 4: [{1: chunks, 3: 1}]})[1]
    path.write_bytes(b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


SCHEMA: list[dict[int, object]] = [{4: b"schema", 5: 1}, {4: b"user_id"}]


def test_a_group_without_rows_has_no_pages_to_check(tmp_path: Path) -> None:
    column: dict[int, object] = {3: [b"user_id"], 5: 0, 7: 15, 9: 0}
    assert not check_sizes(file_of(tmp_path / "f", SCHEMA, b"", [column]), COLUMNS)


@pytest.mark.parametrize(("encoding", "is_open"), [(0, False), (6, True), (7, True), (8, False)])
def test_encodings_with_lengths_among_the_values_are_detected(
    encoding: int, is_open: bool, tmp_path: Path
) -> None:
    pages = page(1, encoding=encoding)
    file = file_of(tmp_path / "f", SCHEMA, pages, [{3: [b"user_id"]}])
    assert check_sizes(file, COLUMNS) is is_open


@pytest.mark.parametrize(
    ("schema", "pages", "columns"),
    [
        (SCHEMA, page(1), [{3: [b"other"]}]),
        (SCHEMA, page(1), [{3: [b"user_id"]}] * 2),
        (SCHEMA, page(2), [{3: [b"user_id"]}]),
        (SCHEMA, page(1, size=2**26) + page(0, size=2**26), [{3: [b"user_id"]}]),
        ([{4: b"a", 5: 1}] * 70 + [{4: b"user_id"}], page(1), [{3: [b"a"]}]),
        ([{4: b"schema", 5: 20_000}] + [{4: b"user_id"}] * 20_000, page(1), [{3: [b"user_id"]}]),
        ([], page(1), [{3: [b"user_id"]}]),
    ],
    ids=["name", "twice", "values", "unpacked", "deep", "wide", "none"],
)
def test_files_that_state_more_than_they_contain_are_refused(
    schema: list[dict[int, object]],
    pages: bytes,
    columns: list[dict[int, object]],
    tmp_path: Path,
) -> None:
    file = file_of(tmp_path / "f", schema, pages, columns)
    with pytest.raises(DataError, match=r"its sizes are damaged|has more values than rows"):
        check_sizes(file, COLUMNS)


def test_a_file_that_could_crash_the_process_is_read_in_a_child_first(tmp_path: Path) -> None:
    # A page of delta-encoded texts, the first of which states a length of 2^48 characters.
    lengths = varint(128) + varint(4) + varint(1)
    values = lengths + zigzag(0) + lengths + zigzag(2**48)
    head = {1: 0, 2: len(values), 3: len(values), 5: {1: 1, 2: 7, 3: 3, 4: 3}}
    pages = written(head)[1] + values
    schema: list[dict[int, object]] = [
        {4: b"schema", 5: 2},
        *({1: 6, 3: 0, 4: name, 6: 0} for name in (b"item_id", b"user_id")),
    ]
    chunks = [
        {3: {1: 6, 2: [7], 3: [name], 4: 0, 5: 1, 6: len(pages), 7: len(pages), 9: 4 + begin}}
        for name, begin in ((b"item_id", 0), (b"user_id", len(pages)))
    ]
    footer = written({1: 1, 2: schema, 3: 1, 4: [{1: chunks, 2: 2 * len(pages), 3: 1}]})[1]
    path = tmp_path / "f.parquet"
    path.write_bytes(b"PAR1" + pages * 2 + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert check_sizes(path, COLUMNS)
    with pytest.raises(DataError, match=r"f\.parquet cannot be read as Parquet: its values are"):
        read_file(path, DataSettings())
