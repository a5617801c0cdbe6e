"""Several files as one table: folders as Spark writes them, patterns, lists."""

import gzip
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import pieces
from sasrec.data.formats.part_files import partitions
from sasrec.data.source_names import as_one, lasting, short_name, sources_in
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

HEADER = "user_id,item_id,timestamp\n"


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def histories(corpus):
    bounds = corpus.sequences.offsets
    return {
        user: corpus.items.tokens(corpus.sequences.items[bounds[index] : bounds[index + 1]])
        for index, user in enumerate(corpus.users.entries.to_list())
    }


def load(source, **settings):
    return load_corpus(source, DataSettings(**settings))


def complaint(source, folder, **settings):
    with pytest.raises(DataError) as caught:
        load(source, **settings)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.fixture
def months(tmp_path):
    put(tmp_path / "months" / "feb.csv", HEADER + "u,c,3\nv,a,9\n")
    put(tmp_path / "months" / "jan.csv", "item_id,timestamp,user_id,more\nb,2,u,x\na,1,u,y\n")
    put(tmp_path / "months" / "_SUCCESS", "")
    put(tmp_path / "months" / ".feb.csv.crc", "checksum")
    return tmp_path / "months"


EXPECTED = {"u": ["a", "b", "c"], "v": ["a"]}


@pytest.mark.parametrize("form", ["folder", "pattern", "list", "text of a list", "deep pattern"])
def test_a_folder_a_pattern_and_a_list_are_read_as_one_table(form, months):
    source = {
        "folder": months,
        "pattern": f"{months}/*.csv",
        "list": [months / "feb.csv", str(months / "jan.csv")],
        "text of a list": as_one([months / "feb.csv", months / "jan.csv"]),
        "deep pattern": f"{months.parent}/**/*.csv",
    }[form]
    corpus = load(source)
    assert histories(corpus) == EXPECTED
    again = load(corpus.source)
    assert again.source == corpus.source
    assert again.sequences.fingerprint() == corpus.sequences.fingerprint()


def test_a_source_means_the_same_in_another_folder(months, monkeypatch, tmp_path):
    monkeypatch.chdir(months.parent)
    found = [
        load(each) for each in ("months", "months/*.csv", ["months/feb.csv", "months/jan.csv"])
    ]
    assert [each.name for each in found] == ["months", "months", "feb-and-1-more"]
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert [histories(load(each.source)) for each in found] == [EXPECTED] * 3


def test_files_are_read_in_the_order_of_their_names_or_of_the_list(tmp_path):
    for name, item in (("b", 1), ("c", 2), ("a", 3)):
        put(tmp_path / "parts" / f"{name}.csv", f"user_id,item_id\nu,{item}\n")
    files = [tmp_path / "parts" / f"{name}.csv" for name in "bca"]
    assert histories(load(tmp_path / "parts")) == {"u": ["3", "1", "2"]}
    assert histories(load(f"{tmp_path}/parts/?.csv")) == {"u": ["3", "1", "2"]}
    assert histories(load(files)) == {"u": ["1", "2", "3"]}
    assert complaint([*files, files[0]], tmp_path) == (
        "parts/b.csv is given twice, so its events would count twice"
    )


def test_partitions_are_columns(tmp_path):
    for day, item in (("2024-01-02", "b"), ("2024-01-01", "a")):
        folder = tmp_path / "log" / f"date={day}" / "shop=a%20b"
        folder.mkdir(parents=True)
        frame = pl.DataFrame({"user_id": [7, 7], "item_id": [item, item + "2"]})
        frame.write_parquet(folder / "part-0.parquet")
    put(tmp_path / "log" / "_SUCCESS", "")
    assert histories(load(tmp_path / "log", time_column="date")) == {"7": ["a", "a2", "b", "b2"]}
    only = {"value_intervals": {"shop": ["a b"], "date": ["2024-01-02"]}}
    assert histories(load(tmp_path / "log", time_column="none", **only)) == {"7": ["b", "b2"]}
    pattern = f"{tmp_path}/log/date=2024-*/**/*.parquet"
    assert histories(load(pattern, time_column="date")) == {"7": ["a", "a2", "b", "b2"]}
    by_shop = load(tmp_path / "log", user_column="shop", time_column="date")
    assert by_shop.users.entries.to_list() == ["a b"]


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text("ab 1.-%é", min_size=1))
)
def test_partitions_are_what_spark_wrote(columns):
    from urllib.parse import quote

    path = Path(*(f"{name}={quote(value)}" for name, value in columns.items()), "part-0.csv")
    assert partitions(path) == columns
    assert partitions(Path("a=__HIVE_DEFAULT_PARTITION__/b=1.csv")) == {"a": None}


def test_formats_and_compressions(tmp_path):
    put(tmp_path / "p" / "a.csv", HEADER + "u,a,1\n")
    (tmp_path / "p" / "b.csv.gz").write_bytes(gzip.compress((HEADER + "u,b,2\n").encode()))
    put(tmp_path / "p" / "c.tsv", HEADER.replace(",", "\t") + "u\tc\t3\n")
    put(tmp_path / "p" / "d.csv", "")
    corpus = load(tmp_path / "p")
    assert histories(corpus) == {"u": ["a", "b", "c"]}
    assert "1 of 4 files is empty and was left out" in [each.text for each in corpus.remarks]
    put(tmp_path / "p" / "e.jsonl", '{"user_id": "u"}\n')
    assert complaint(tmp_path / "p", tmp_path) == (
        "p: p/a.csv and p/e.jsonl have different formats, or one of which files cannot be "
        "joined; name the files to read with a pattern such as 'folder/*.csv'"
    )


def test_text_without_header_in_parts(tmp_path):
    put(tmp_path / "p" / "a.dat", "u::a::1\n")
    put(tmp_path / "p" / "b.dat", "u::b::2\n")
    assert histories(load(tmp_path / "p", columns="user,item,time")) == {"u": ["a", "b"]}
    assert "p/a.dat: the first line is data" in complaint(tmp_path / "p", tmp_path)


def test_a_missing_column_is_told_with_both_files(months, tmp_path):
    put(months / "mar.csv", "user_id,item_id\nu,a\n")
    assert complaint(months, tmp_path) == (
        "months/mar.csv has no column 'timestamp', which months/feb.csv has; all parts need the "
        "same columns (it has: user_id, item_id)"
    )


def test_a_type_that_changes_is_told_with_both_files(months, tmp_path):
    put(months / "mar.csv", HEADER + "u,a,2024-01-01\n")
    assert complaint(months, tmp_path) == (
        "column 'timestamp' holds numbers in months/feb.csv but dates in months/mar.csv; convert "
        "one of the files, so that all parts have the same type"
    )
    one = pl.DataFrame({"user_id": ["u"], "item_id": [1], "timestamp": [1]})
    (tmp_path / "p").mkdir()
    one.write_parquet(tmp_path / "p" / "a.parquet")
    for other, kinds in (
        (one.with_columns(item_id=pl.lit("1")), "'item_id' holds numbers in p/a.parquet but text"),
        (
            one.with_columns(timestamp=pl.lit("2024-01-01").str.to_date()),
            "'timestamp' holds numbers in p/a.parquet but dates",
        ),
    ):
        other.write_parquet(tmp_path / "p" / "b.parquet")
        assert kinds + " in p/b.parquet;" in complaint(tmp_path / "p", tmp_path)


def test_types_of_the_same_kind_are_joined(tmp_path):
    (tmp_path / "p").mkdir()
    frame = pl.DataFrame({"user_id": ["u"], "item_id": [1], "timestamp": [1], "n": [1]})
    frame.write_parquet(tmp_path / "p" / "a.parquet")
    frame.select(
        pl.col("user_id").cast(pl.Categorical),
        pl.lit(2.0).alias("item_id"),
        pl.lit(2, pl.Int16).alias("timestamp"),
        pl.lit(0.5).alias("n"),
    ).write_parquet(tmp_path / "p" / "b.parquet")
    assert histories(load(tmp_path / "p")) == {"u": ["1", "2"]}
    assert histories(load(tmp_path / "p", value_intervals={"n": "[0.5,0.7]"})) == {"u": ["2"]}


def test_an_invalid_value_is_told_with_its_file_and_row(months, tmp_path):
    put(months / "mar.csv", HEADER + "u,a,4\nu,,5\n")
    assert complaint(months, tmp_path).startswith("months/mar.csv, row 2: 'item_id' is empty")
    put(months / "mar.csv", HEADER + "u,a,4\nu,b,soon\n")
    assert complaint(months, tmp_path).startswith(
        "months/mar.csv, row 2: 'timestamp' is 'soon'; times must be"
    )


def test_nothing_to_read_is_told(tmp_path):
    pattern = f"{tmp_path}/*.csv"
    assert complaint(pattern, tmp_path) == "*.csv: no data file matches this pattern"
    assert complaint([], tmp_path) == "the list of data is empty; give at least one file"
    assert complaint([tmp_path / "a.csv", "gone.csv"], tmp_path) == (
        "a.csv: no such file or folder"
    )


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    path = put(tmp_path / "e[1].csv", HEADER + "u,a,1\n")
    assert histories(load(path)) == {"u": ["a"]}
    assert short_name(str(path)) == "e[1]"


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_several_sources_can_be_one_text(sources):
    sources = [source for source in sources if sources_in(source) == [source]] or ["a"]
    assert sources_in(as_one(sources)) == sources


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/e.csv.gz", "e"),
        ("a/log.parquet", "log"),
        ("https://x.org/d/r%C3%A9.jsonl.zst?key=a/b.csv", "ré"),
        ("s3://bucket/log/*.parquet", "*"),
        ("shop/date=*/p-*.csv", "shop"),
        ('["a/x.csv", "a/y.csv", "z"]', "x-and-2-more"),
    ],
)
def test_short_names(source, name):
    assert short_name(source) == name
    assert lasting("s3://a/b") == "s3://a/b"


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef")), min_size=1),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["csv", "parquet", "jsonl"]),
)
def test_parts_are_like_one_file(tmp_path_factory, parts, end):
    folder = tmp_path_factory.mktemp("parts")
    time, frames = 0, []
    for index, part in enumerate(parts):
        users, items = zip(*part, strict=True)
        times = list(range(time, time + len(part)))
        time += len(part)
        frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times})
        frames.append(frame)
        getattr(frame, {"jsonl": "write_ndjson"}.get(end, f"write_{end}"))(
            folder / f"{index}.{end}"
        )
    whole = pl.concat(frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SMALLEST", 16)
        one, other = load(folder), load(whole)
    assert one.sequences.fingerprint() == other.sequences.fingerprint()
    assert one.items.entries.to_list() == other.items.entries.to_list()
    assert re.fullmatch(r"parts\d+", one.name)
