"""Evaluated events that a model was trained on are recognised in any data set."""

import json

import numpy as np
import polars as pl
import pytest

from sasrec.data.corpus import Corpus, build_corpus
from sasrec.data.interactions import from_frame
from sasrec.data.splits import leave_one_out
from sasrec.data.token_hashes import token_hashes
from sasrec.evaluation import overlap as overlap_file
from sasrec.evaluation.overlap import (
    Overlap,
    _percent,
    overlap,
    sketch_from_json,
    sketch_of,
)


def frame(users: int = 300, events: int = 20, first: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(first)
    owners = np.repeat(np.arange(first, first + users), events)
    return pl.DataFrame(
        {
            "user": [f"u{user}" for user in owners],
            "item": [f"i{item}" for item in generator.integers(0, 200, len(owners))],
            "time": generator.integers(0, 10**6, len(owners)) + 10**6 * first,
        }
    )


def corpus_of(rows: pl.DataFrame, time: str | None = "time") -> Corpus:
    return build_corpus(from_frame(rows, time=time), "it")


def found(trained: pl.DataFrame, evaluated: pl.DataFrame, *times: str | None) -> Overlap | None:
    one, other = map(corpus_of, (trained, evaluated), times or ("time", "time"))
    sketch = sketch_of(one, leave_one_out(one.sequences))
    again = sketch_from_json(json.loads(json.dumps(sketch.as_json())))
    assert again is not None
    return overlap(again, other, other, leave_one_out(other.sequences))


def test_reordered_events_are_recognised_and_held_out_targets_are_not() -> None:
    rows = frame()
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
    assert found(rows, shuffled) == Overlap(1.0, 0.0, 0.0, estimated=False)


def test_a_part_and_a_superset_are_recognised_with_their_share() -> None:
    rows = frame()
    oldest = rows.sort("user", "time").group_by("user", maintain_order=True)
    part = oldest.head(10)
    of_part = found(rows, part)
    assert of_part is not None
    assert (of_part.events, of_part.estimated) == (1.0, False)
    assert (
        of_part.test_targets == of_part.validation_targets == 1
    )  # all of them are training events
    more = pl.concat([rows, frame(first=1000)])
    of_more = found(rows, more)
    assert of_more is not None
    assert of_more.events == pytest.approx(0.5)
    assert of_more.test_targets == 0


def test_new_events_of_the_same_users_and_items_are_not_recognised() -> None:
    rows = frame()
    assert found(rows, frame(first=1000)) is None
    assert found(rows, rows.with_columns(pl.col("time") + 10**8).sample(1000, seed=0)) is not None
    later = rows.with_columns(pl.col("time") + 10**8, item=pl.col("item").shuffle(seed=2))
    assert found(rows, later) is None


def test_a_copy_without_times_or_in_another_unit_is_recognised() -> None:
    rows = frame()
    scaled = found(rows, rows.with_columns(pl.col("time") * 1000))
    assert scaled is not None
    assert scaled.times_differ
    assert "but with other times" in scaled.text("copy.csv")
    for times in ((None, "time"), ("time", None), (None, None)):
        without = found(rows, rows, *times)
        assert without is not None
        assert without.events == 1


def test_the_share_of_many_events_is_estimated_from_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overlap_file, "SAMPLE", 2000)
    rows = frame(users=1000)
    mixed = pl.concat([rows.head(6000), frame(users=700, first=5000)])
    sketch = sketch_of(corpus_of(rows), leave_one_out(corpus_of(rows).sequences))
    assert 1700 < len(sketch.pairs) < 2300
    share = found(rows, mixed)
    assert share is not None
    assert share.estimated
    assert share.events == pytest.approx(0.3, abs=0.05)
    assert found(rows, frame(users=1000, first=5000)) is None
    assert len(json.dumps(sketch.as_json())) < 20 * 2300


def test_pieces_of_any_size_give_the_same_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(frame(users=20))
    split = leave_one_out(corpus.sequences)
    whole = sketch_of(corpus, split).as_json()
    monkeypatch.setattr(overlap_file, "PIECE_EVENTS", 7)
    assert sketch_of(corpus, split).as_json() == whole


def test_hashes_of_tokens_never_change() -> None:
    # Saved hashes are compared with data on other machines and by later versions.
    assert token_hashes(pl.Series(["50", "é", ""])).tolist() == [
        12525836602579151652,
        3394012004367669963,
        13020603013274838756,
    ]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {},
        {"pairs": 1},
        {"below": 3, "has_times": True, "pairs": "é", "times": "", "trained": ""},
    ],
)
def test_edited_hashes_are_ignored(odd: object) -> None:
    assert sketch_from_json(odd) is None


def test_shares_are_not_rounded_to_all_or_none() -> None:
    texts = [_percent(share) for share in (0.0, 0.00001, 0.004, 0.5, 0.9999, 1.0)]
    assert texts == ["none", "0.01%", "0.40%", "50%", "99%", "all"]
