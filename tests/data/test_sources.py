import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sasrec.data import places
from sasrec.data.sources import load_corpus
from sasrec.data.synthetic import generate
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

TEXT = "user_id:token\titem_id:token\ttimestamp:float\na\tx\t2\na\ty\t1\nb\tx\t3\n"


@pytest.fixture(autouse=True)
def _empty_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SASREC_CACHE", str(tmp_path / "cache"))


def place(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT)
    return path


def histories(corpus):
    bounds = corpus.sequences.offsets
    return {
        user: corpus.items.tokens(corpus.sequences.items[bounds[row] : bounds[row + 1]])
        for row, user in enumerate(corpus.users.entries)
    }


EXPECTED = {"a": ["y", "x"], "b": ["x"]}


def test_a_path_to_a_file_is_read(tmp_path):
    path = place(tmp_path / "some.inter")
    for source in (path, str(path)):
        corpus = load_corpus(source, DataSettings())
        assert histories(corpus) == EXPECTED
        assert corpus.name == "some"


def test_a_folder_contains_a_file_with_its_name(tmp_path):
    place(tmp_path / "shop" / "shop.inter")
    (tmp_path / "shop" / "other.inter").write_text("broken")
    assert histories(load_corpus(tmp_path / "shop", DataSettings())) == EXPECTED


def test_a_folder_with_a_single_atomic_file_needs_no_name(tmp_path):
    place(tmp_path / "shop" / "log.inter")
    assert histories(load_corpus("shop", DataSettings())) == EXPECTED


@pytest.mark.parametrize("files", [(), ("a.inter", "b.inter")])
def test_a_folder_without_the_file_says_what_is_missing(tmp_path, files):
    (tmp_path / "shop").mkdir()
    for name in files:
        place(tmp_path / "shop" / name)
    expected = (
        r"the folder shop does not contain shop\.inter, nor files such as \.csv or \.parquet; an "
        r"atomic data set is NAME/NAME\.inter"
    )
    with pytest.raises(DataError, match=expected):
        load_corpus("shop", DataSettings())


def test_a_name_is_looked_up_under_data_path(tmp_path):
    place(tmp_path / "sets" / "shop" / "shop.inter")
    corpus = load_corpus("shop", DataSettings(data_path=str(tmp_path / "sets")))
    assert histories(corpus) == EXPECTED


def test_a_name_of_the_catalogue_is_fetched(tmp_path, monkeypatch):
    place(tmp_path / "cache" / "ml-100k" / "ml-100k.inter")
    monkeypatch.setattr(places, "fetch", lambda name, progress: tmp_path / "cache" / name)
    assert histories(load_corpus("ml-100k", DataSettings())) == EXPECTED


def test_a_local_folder_takes_precedence_over_the_catalogue(tmp_path):
    place(tmp_path / "dataset" / "ml-100k" / "ml-100k.inter")
    assert histories(load_corpus("ml-100k", DataSettings())) == EXPECTED


def test_an_unknown_name_suggests_a_known_one():
    with pytest.raises(DataError) as caught:
        load_corpus("ml-10k", DataSettings())
    assert str(caught.value) == (
        "there is no data set 'ml-10k' in dataset/ or in the catalogue; did you mean 'ml-100k'? "
        "(catalogue: ml-100k, ml-1m, synthetic; or give the path of a file or folder)"
    )


@pytest.mark.parametrize("source", ["gone.inter", "some/where", "gone.csv"])
def test_a_path_to_nothing_is_named(source):
    with pytest.raises(DataError, match=f"^{re.escape(source)}: no such file or folder$"):
        load_corpus(source, DataSettings())


@pytest.mark.parametrize("end", ["csv", "tsv", "parquet"])
def test_tables_are_read(tmp_path, end):
    frame = pl.DataFrame(
        {"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "timestamp": [2, 1, 3]}
    )
    path = tmp_path / f"log.{end}"
    if end == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="," if end == "csv" else "\t")
    assert histories(load_corpus(path, DataSettings())) == EXPECTED


COLUMNS = {"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "timestamp": [2, 1, 3]}


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
def test_data_frames_are_read(kind):
    corpus = load_corpus(kind(COLUMNS), DataSettings())
    assert histories(corpus) == EXPECTED
    assert corpus.name == "data frame"


@pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
def test_a_data_frame_without_times_is_in_order(kind):
    frame = kind({"user_id": [1, 1, 2], "item_id": ["007", "7", "7"]})
    assert histories(load_corpus(frame, DataSettings())) == {"1": ["007", "7"], "2": ["7"]}


def test_pandas_dates_and_any_index_are_accepted():
    frame = pd.DataFrame(COLUMNS | {"timestamp": pd.to_datetime([2, 1, 3], unit="s")})
    corpus = load_corpus(frame.set_index(pd.Index([7, 7, 9])), DataSettings())
    assert histories(corpus) == EXPECTED
    assert corpus.sequences.times.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_token_in_pandas_is_missing(missing):
    frame = pd.DataFrame(
        {"user_id": pd.Series(["a", missing], dtype=object), "item_id": ["x", "y"]}
    )
    with pytest.raises(DataError, match="the data frame, row 2: 'user_id' is empty"):
        load_corpus(frame, DataSettings())


def test_a_missing_number_in_pandas_is_missing():
    frame = pd.DataFrame({"user_id": ["a", "b"], "item_id": [1.0, np.nan]})
    with pytest.raises(DataError, match="the data frame, row 2: 'item_id' is empty"):
        load_corpus(frame, DataSettings())


def test_pandas_categories_and_nullable_integers_are_tokens():
    frame = pd.DataFrame(
        {
            "user_id": pd.Series(["a", "b"], dtype="category"),
            "item_id": pd.Series([1, 2], dtype="Int64"),
        }
    )
    assert histories(load_corpus(frame, DataSettings())) == {"a": ["1"], "b": ["2"]}


def test_numbers_and_names_may_be_mixed_in_a_pandas_column():
    frame = pd.DataFrame({"user_id": ["a", "a"], "item_id": [7, "007"]})
    assert histories(load_corpus(frame, DataSettings())) == {"a": ["7", "007"]}


def test_anything_else_is_refused_by_its_type():
    with pytest.raises(DataError, match="data is a list; give the name of a data set, a path, or"):
        load_corpus([("a", "b")], DataSettings())


def test_synthetic_data_have_the_size_their_name_says():
    corpus = load_corpus("synthetic:users=30, items=12,topics=3,length=6", DataSettings())
    assert corpus.sequences.n_users == 30
    assert len(corpus.items) <= 12
    assert corpus.name == "synthetic:users=30, items=12,topics=3,length=6"


def test_synthetic_data_are_reproducible():
    first, again, other = (
        load_corpus(f"synthetic:users=9,seed={seed}", DataSettings()).sequences.fingerprint()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_synthetic_alone_takes_the_defaults():
    assert load_corpus("synthetic", DataSettings()).sequences.n_users == 2000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("usres=5", "'synthetic:usres=5': unknown key 'usres'; did you mean 'users'? (keys: users"),
        ("users=many", "'synthetic:users=many': users is 'many'; it must be a number"),
        ("users", "'synthetic:users': users is ''; it must be a number"),
        ("users=0", "'synthetic:users=0': users is 0; it must be between 1 and 2147483648"),
        ("predictability=1.5", "predictability is 1.5; it must be between 0 and 1"),
        ("predictability=nan", "predictability is nan; it must be between 0 and 1"),
        ("seed=-1", "seed is -1; it must be between 0 and 2147483648"),
    ],
)
def test_an_invalid_parameter_of_synthetic_data_is_named(text, expected):
    with pytest.raises(DataError, match=re.escape(expected)):
        generate("synthetic:" + text)


def test_a_list_of_numbers_filters_any_kind_of_numbers(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": ["u"] * 4, "item_id": list("abcd"), "stars": [3, 4, 5, 6]})
    settings = DataSettings(value_intervals={"stars": (3.0, 5.0, 6.0)})
    for kind in (pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2)):
        some = frame.with_columns(pl.col("stars").cast(kind))
        some.write_parquet(tmp_path / "some.parquet")
        for source in (some, tmp_path / "some.parquet"):
            assert load_corpus(source, settings).items.entries.to_list() == ["a", "c", "d"]


def test_a_filter_on_lists_is_refused() -> None:
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["a"], "tags": [["x"]]})
    with pytest.raises(DataError, match=r"'tags' has type List.*, which cannot be filtered"):
        load_corpus(frame, DataSettings(value_intervals={"tags": ("x",)}))


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_dates_beside_the_time_are_compared_as_written(end: str, tmp_path: Path) -> None:
    days = ["2024-01-01", "2024-01-02", "2024-01-01"]
    frame = pl.DataFrame({"user_id": ["u"] * 3, "item_id": list("abc"), "day": days})
    path = tmp_path / f"some.{end}"
    if end == "csv":
        frame.write_csv(path)
    else:
        frame.with_columns(pl.col("day").str.to_date()).write_parquet(path)
    corpus = load_corpus(path, DataSettings(value_intervals={"day": ("2024-01-01",)}))
    assert corpus.items.entries.to_list() == ["a", "c"]


def test_brackets_in_names_are_not_read_as_patterns(tmp_path: Path) -> None:
    for name, item in (("log[1].parquet", "a"), ("log1.parquet", "b"), ("log[1].csv", "c")):
        frame = pl.DataFrame({"user_id": ["u"], "item_id": [item]})
        path = tmp_path / name
        frame.write_csv(path) if name.endswith("csv") else frame.write_parquet(path)
        assert load_corpus(path, DataSettings()).items.entries.to_list() == [item]
