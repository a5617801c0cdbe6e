"""Data given as separate training, validation and test parts: the same split as files of parts."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sasrec
from sasrec.data.make_split import make_split
from sasrec.data.presplit.sources import Parts
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings

SMALL = {"epochs": 1, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}


def events(begin: int, end: int) -> pl.DataFrame:
    """Return the events of some days: each of twelve users has one a day."""
    rows = [
        (f"u{user}", f"i{(3 * user + day) % 9}", "view" if (user + day) % 3 else "purchase", day)
        for day in range(begin, end)
        for user in range(12)
    ]
    names = ["user_id", "item_id", "event", "timestamp"]
    return pl.DataFrame(rows, schema=names, orient="row")


PARTS = {"train": events(0, 6), "valid": events(6, 7), "test": events(7, 9)}


def split_of(data, **settings: object):
    found = load_corpus(data, DataSettings(**settings))
    return found, make_split(found, EvaluationSettings())


def test_frames_are_split_like_files_of_parts(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for name, frame in PARTS.items():
        header = {"user_id": "user_id:token", "item_id": "item_id:token"}
        own = frame.rename({**header, "event": "event:token", "timestamp": "timestamp:float"})
        own.write_csv(tmp_path / "shop" / f"shop.{name}.inter", separator="\t")
    for types in (None, "event"):
        files, expected = split_of(
            tmp_path / "shop", split_files=("train", "valid", "test"), type_column=types
        )
        frames, found = split_of(Parts(**PARTS), type_column=types)
        assert frames.sequences.fingerprint() == files.sequences.fingerprint()
        assert (
            frames.event_types
            == files.event_types
            == (() if types is None else ("purchase", "view"))
        )
        assert found.train_stops.tolist() == expected.train_stops.tolist()
        for cases, others in ((found.validation, expected.validation), (found.test, expected.test)):
            assert cases.stops.tolist() == others.stops.tolist()
    assert (len(found.validation), len(found.test)) == (12, 24)


def test_without_validation_the_last_training_event_is_its_target() -> None:
    data, split = split_of(Parts(PARTS["train"], test=PARTS["test"]))
    assert (len(split.validation), len(split.test)) == (12, 24)
    assert data.sequences.times is not None
    assert set(data.sequences.times[split.validation.stops]) == {5.0}


def test_without_test_all_training_events_train() -> None:
    data, split = split_of(Parts(PARTS["train"], valid=PARTS["valid"]))
    assert (len(split.validation), len(split.test), split.n_targets) == (12, 0, 12 * 5)
    assert data.sequences.times is not None
    assert set(data.sequences.times[split.validation.stops]) == {6.0}


def test_types_of_parts_have_the_same_numbers() -> None:
    only = Parts(
        PARTS["train"].filter(pl.col("event") == "view"),
        test=PARTS["test"].filter(pl.col("event") == "purchase"),
    )
    data, _ = split_of(only, type_column="event")
    assert data.event_types == ("purchase", "view")
    assert data.sequences.times is not None
    assert data.sequences.types is not None
    assert np.array_equal(data.sequences.types == 1, data.sequences.times >= 7)


def test_parts_in_the_wrong_order_and_shared_events_are_told() -> None:
    data, _ = split_of(Parts(PARTS["test"], test=PARTS["train"]))
    assert any("from the future" in each.text for each in data.remarks)
    data, _ = split_of(Parts(PARTS["train"], test=PARTS["train"]))
    assert any("are also in part 'train'" in each.text for each in data.remarks)
    data, _ = split_of(Parts(**PARTS), user_interactions="[3,inf)")
    assert any("are not filtered, so user_interactions has" in each.text for each in data.remarks)


def test_training_and_evaluation_take_parts(tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    PARTS["test"].write_csv(test)
    trained = sasrec.train(
        pd.DataFrame(PARTS["train"].to_dict(as_series=False)),
        SMALL,
        valid=PARTS["valid"],
        test=test,
        out=tmp_path / "model",
    )
    [report, *_] = trained.metrics["reports"]
    assert "split given by the files" in report["protocol"]
    found = sasrec.evaluate(
        tmp_path / "model", PARTS["train"], valid=PARTS["valid"], test=PARTS["test"]
    )
    assert found.report.test == report["test"]
    assert found.report.validation == report["validation"]
    with pytest.raises(DataError, match="valid and test are parts of data"):
        sasrec.evaluate(tmp_path / "model", test=PARTS["test"])
    with pytest.raises(DataError, match="needs valid or test besides train"):
        sasrec.Parts(PARTS["train"])


def test_ready_histories_have_no_types(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for name in ("train", "test"):
        head = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
        (tmp_path / "shop" / f"shop.{name}.inter").write_text(head + "a\ti1 i2\ti3\n")
    with pytest.raises(DataError, match="type_column cannot be applied; remove type_column"):
        load_corpus(
            tmp_path / "shop", DataSettings(split_files=("train", "test"), type_column="event")
        )


@pytest.mark.parametrize("scale", [1000, 1e-6])
def test_parts_with_times_in_different_units_are_refused(scale: float) -> None:
    train = events(0, 2).with_columns(pl.col("timestamp") + 1_700_000_000)
    test = train.with_columns(pl.col("timestamp") * scale)
    with pytest.raises(DataError, match="times of the parts are in different units"):
        load_corpus(Parts(train, test=test), DataSettings())


def test_parts_with_dates_in_different_orders_are_refused() -> None:
    train = events(0, 1).with_columns(timestamp=pl.lit("31/01/2024"))
    test = events(1, 2).with_columns(timestamp=pl.lit("03/31/2024"))
    with pytest.raises(DataError, match="the dates of the parts have different orders"):
        load_corpus(Parts(train, test=test), DataSettings())


def test_messages_name_the_part() -> None:
    with pytest.raises(DataError, match="part 'valid': the data frame has no interactions"):
        load_corpus(Parts(events(0, 2), events(0, 0), events(2, 3)), DataSettings())
