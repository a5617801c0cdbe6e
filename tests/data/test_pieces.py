"""Files read in pieces give the same events as read at once."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import pieces
from sasrec.data.formats.readers import read_file
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

TOKEN = st.text(st.sampled_from("ab'é\U0001f600 "), min_size=1, max_size=4)
ROWS = st.lists(st.tuples(TOKEN, TOKEN, st.integers(-9, 9)), min_size=1, max_size=30)


def read(path: Path, size: int, **settings: object) -> pl.DataFrame:
    """Return the events of a file, read in pieces of ``size`` bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SMALLEST", size)
        patch.setattr(pieces, "LARGEST", size)
        return read_file(path, DataSettings(**settings)).with_tokens()


@given(ROWS, st.integers(1, 60), st.sampled_from(["\n", "\n\n", "\r\n"]))
@pytest.mark.parametrize("name", ["some.inter", "some.csv"])
def test_pieces_of_any_size_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    rows: list[tuple[str, str, int]],
    size: int,
    end: str,
) -> None:
    path = tmp_path_factory.mktemp("pieces") / name
    mark, kinds = ("\t", (":token", ":float")) if name.endswith("inter") else (",", ("", ""))
    head = mark.join(
        [f"user_id{kinds[0]}", f"item_id{kinds[0]}", f"timestamp{kinds[1]}", f"note{kinds[0]}"]
    )
    lines = (mark.join([user, item, str(time), "x"]) for user, item, time in rows)
    path.write_bytes((end.join([head, *lines]) + end).encode())
    found = read(path, size)
    assert found.equals(read(path, 2**20))
    assert found.select("user", "item").rows() == [row[:2] for row in rows]
    assert found["time"].to_list() == [row[2] for row in rows]


@pytest.mark.parametrize("size", [1, 7, 20, 1000])
def test_a_piece_ends_outside_quotation_marks(size: int, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(
        'user_id,"item\nid",text\n' + 'a,x,"one\ntwo ""and"" three\n"\nb,"y, z",short\n' * 3
    )
    frame = read(path, size, item_column="item\nid")
    assert frame["item"].to_list() == ["x", "y, z"] * 3


@pytest.mark.parametrize("size", [4, 20])
def test_an_unclosed_quotation_mark_is_refused(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id\n" + 'a,"x\n' + "b,y\n" * 30)
    for most in (pieces.LONGEST_VALUE, 50):
        monkeypatch.setattr(pieces, "LONGEST_VALUE", most)
        with pytest.raises(
            DataError,
            match=r"line 2: this row cannot be parsed .*; check for a missing or extra quot",
        ):
            read(path, size)


@pytest.mark.parametrize("size", [1, 1000])
def test_a_column_has_one_type_in_all_pieces(size: int, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,shop\n" + "a,x,7\n" * 5 + "a,z,\n\n" + "a,y,north\n" * 5)
    wanted = {"shop": ("7", "north")}
    assert read(path, size, value_intervals=wanted).height == 11
    for row, times in (
        (2, ["2024-05-31", "17", "2024-05-31"]),  # the type with fewer values
        (2, ["5", "2024-05-31", "17"]),
        (3, ["2024-05-31", "17", "soon"]),  # neither a number nor a date
        (2, ["", "17", "2024-05-31"]),  # a missing value is not the error
    ):
        lines = "".join(f"a,x,{time}\n" for time in times)
        path.write_text("user_id,item_id,timestamp\n" + lines)
        with pytest.raises(DataError, match=f"row {row}: 'timestamp' is .*; times must be all num"):
            read(path, size)
    path.write_text("user_id,item_id,timestamp\na,x,2024-05-31\na,y,2024-06-01\n")
    assert read(path, size)["time"].diff().to_list() == [None, 86_400]


def test_pieces_hold_whole_lines_and_no_blank_ones_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.BytesIO(b"\n\n12\n345\r\n\r\n\n6\n7")
    assert list(pieces.pieces(file, quoted=False)) == [b"12\n345\r\n\r\n\n6\n7"]
    monkeypatch.setattr(pieces, "SMALLEST", 2)
    file.seek(0)
    assert list(pieces.pieces(file, quoted=False)) == [b"12\n", b"345\r\n", b"6\n7"]


def test_long_texts_over_several_lines_are_read_from_large_files_too(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    text = '"' + "a line of a review\n" * 20 + '"'
    rows = (f"u{n % 50},i{n % 7},{n},{text}\n" for n in range(13_500))
    path.write_text("user_id,item_id,timestamp,text\n" + "".join(rows))
    assert path.stat().st_size > pieces.LONGEST_VALUE
    assert read_file(path, DataSettings()).frame["time"].to_list() == list(range(13_500))


def test_a_token_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "joined.inter"
    head = "user_id:token\titem_id:token\ttimestamp:float\n"
    path.write_bytes((head + "a\tx\t1\n\ufeffb\ty\t2\nb\tx\t9\n").encode())
    users = ["a", "\ufeffb", "b"]
    assert [read(path, size)["user"].to_list() for size in (1, 1000)] == [users, users]


def test_lines_of_spaces_are_blank_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "some.inter"
    head = "user_id:token\titem_id:token\ttimestamp:float\tn:float\n"
    path.write_text(head + "a\tx\t1\t\n   \n\t\t\n\nb\ty\t 2 \t3\n \t\n")
    for size in (1, 9, 1000):
        found = read(path, size, value_intervals={"n": "(-inf,inf)"})
        assert found["user"].to_list() == ["a", "b"]
        assert found["value:n"].to_list() == [None, 3.0]


VALUE = st.one_of(
    st.text(st.sampled_from('ab" ,\n'), max_size=5),  # quoted where necessary
    st.from_regex(r'[ab][ab "]{0,4}', fullmatch=True),  # may contain quotation marks as they are
)


def quoted(value: str, *, plainly: bool) -> str:
    """Return a value as it may be written in a file; unquoted values keep their quotation marks."""
    if plainly and value[:1] in {"a", "b"} and not set(value) & {",", "\n"}:
        return value
    return '"' + value.replace('"', '""') + '"' if set(value) & {'"', ",", "\n"} else value


@given(
    st.lists(st.tuples(VALUE, st.integers(0, 9), VALUE), min_size=1, max_size=25),
    st.integers(1, 60),
    st.booleans(),
)
def test_quotation_marks_inside_values_are_ordinary_characters(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, str]],
    size: int,
    plainly: bool,
) -> None:
    path = tmp_path_factory.mktemp("marks") / "films.csv"
    lines = [
        f"{quoted(first, plainly=plainly)},u{number},i{place},{quoted(last, plainly=plainly)}"
        for place, (first, number, last) in enumerate(rows)
    ]
    path.write_text("\n".join(["about,user_id,item_id,title", *lines, ""]), newline="")
    expected = [(f"u{number}", f"i{place}") for place, (_, number, _) in enumerate(rows)]
    with path.open(newline="") as file:
        assert [(row[1], row[2]) for row in csv.reader(file)][1:] == expected
    assert read(path, size).select("user", "item").rows() == expected


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'u,x,1,5"\nu,y,2,7"\nu,z,3,"open\nu,z,4,no\n',
            "line 4: this row cannot be parsed (unexpected end of data)",
        ),
        (
            'u,x,1,5"\nu,y,2,"7 wide\nu,z,3,"9" wide"\n',
            "line 3: this row cannot be parsed (',' expected after",
        ),
        ('u,x,1,5"\nu,Crosby, Stills,4,4\n', "line 3: 5 values where the header names 4"),
        ("u,x,1,a\nu,Crosby, Stills,4,4\n", "line 3: 5 values where the header names 4"),
        ("u,x,1,a\n\n,,,lost\n", "row 2: 'user_id' is empty"),
        ("u,x,1,5\nu,Crosby, Stills,4,4\nu,y\n", "line 3: 5 values where the header names 4"),
        (
            f'u,x,1,5"\nu,y,2,{"a" * 200_000}\n',
            "line 3: this row cannot be parsed (field larger than field limit",
        ),
        ('u,x,1,5"\n\n,,,lost\n', "row 2: 'user_id' is empty"),
    ],
    ids=lambda each: each[:24],
)
def test_invalid_rows_are_not_skipped(text: str, said: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("user_id,item_id,timestamp,title\n" + text)
    with pytest.raises(DataError) as caught:
        read(path, size)
    assert said in str(caught.value).replace("row 3: 'user_id'", "row 2: 'user_id'")


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "head", ['user_id,item_id,timestamp,size 5"', '"user_id",item_id,timestamp,n']
)
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_quotation_marks_in_the_header_lose_no_rows(
    size: int, head: str, begin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(begin + head + "\n" + 'u,a,1,x\nu,b,2,7"\nu,c,3,y\n' + "u,d,4,z\n" * 20)
    monkeypatch.setattr(pieces, "LONGEST_VALUE", 20)
    assert read(path, size)["item"].to_list() == ["a", "b", "c"] + ["d"] * 20


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "line",
    [
        'u,b,2,"so "called" cup"',
        'u,b,2,"cup" ',
        'u,b,2, "cup, of tin"',
        'u,b,2,"cup\\" of tin"',
        'u,b,2,"cup',
        'u,b,2,cup"',
        'u,b,2,""cup""',
    ],
)
def test_irregular_quotation_marks_lose_no_rows(size: int, line: str, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(f"user_id,item_id,timestamp,title\nu,a,1,x\n{line}\n")
    assert read(path, size)["item"].to_list() == ["a", "b"]
    if line != 'u,b,2,"cup':  # a later line could close this one
        path.write_text(path.read_text() + 'u,c,3,y\nu,d,4,5"\n')
        assert read(path, size)["item"].to_list() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("line", ["u,x,1,a,b,c", 'u,x,1,"a",b,c', 'u,x,1,a",b,c'])
def test_too_many_values_are_found_even_in_columns_that_are_not_read(
    size: int, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(f"user_id,item_id,timestamp,shop,note\nu,y,1\nu,a,2,b,\n{line}\nu,z,3,a,b\n")
    with pytest.raises(DataError, match="line 4: 6 values where the header names 5"):
        read(path, size)
    path.write_text(path.read_text().replace(line, "u,x,1,a,b"))
    assert read(path, size)["item"].to_list() == ["y", "a", "x", "z"]


@pytest.mark.parametrize("size", [1, 1000])
def test_quotation_marks_for_inches_lose_no_rows(size: int, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    names = ['Monitor 24" wide', "Lamp\rof brass", 'TV 50" black', "Cup\r", '"Table, round"', '12"']
    lines = [f"u{place},{place},{place},{name}" for place, name in enumerate(names)]
    path.write_bytes("\n".join(["user_id,item_id,timestamp,title", *lines, "", ""]).encode())
    assert read(path, size)["item"].to_list() == list("012345")
