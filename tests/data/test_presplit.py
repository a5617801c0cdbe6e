import numpy as np
import pytest

from sasrec.data.sources import load_corpus
from sasrec.data.splits import make_split
from sasrec.data.windows import training_windows
from sasrec.errors import DataError
from sasrec.settings import DataSettings, EvaluationSettings

HEADER = "user_id:token\titem_id:token\ttimestamp:float\n"
LISTED = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
PARTS = ("train", "valid", "test")


def read(tmp_path, *texts):
    folder = tmp_path / "shop"
    folder.mkdir()
    for part, text in zip(PARTS, texts, strict=True):
        (folder / f"shop.{part}.inter").write_text(text)
    settings = DataSettings(split_files=PARTS, data_path=str(tmp_path))
    corpus = load_corpus("shop", settings)
    return corpus, make_split(corpus, EvaluationSettings())


def questions(corpus, cases):
    items, offsets = corpus.sequences.items, corpus.sequences.offsets
    return [
        (
            corpus.items.tokens(items[offsets[user - 1] : stop]),
            corpus.items.tokens([items[stop]])[0],
        )
        for user, stop in zip(cases.users, cases.stops, strict=True)
    ]


def test_events_run_on_from_part_to_part(tmp_path):
    corpus, split = read(
        tmp_path,
        HEADER + "u\ta\t2\nu\tb\t1\nv\ta\t1\nv\tc\t5\n",
        HEADER + "u\tc\t0\nw\ta\t1\n",  # earlier in time, but later by its part
        HEADER + "u\td\t9\nw\tb\t2\n",
    )
    assert split.n_targets == 2
    assert corpus.sequences.times.tolist() == [1, 2, 0, 9, 1, 5, 1, 2]  # u, v, w
    assert questions(corpus, split.validation) == [(["b", "a"], "c")]
    assert questions(corpus, split.test) == [(["b", "a", "c"], "d"), (["a"], "b")]


def test_ready_histories_are_taken_as_they_are(tmp_path):
    corpus, split = read(
        tmp_path,
        LISTED + "u\ta b c\td\nu\ta\tb\nv\tc\ta\n",
        LISTED + "u\tb c\ta\n",
        LISTED + "v\tc a\tb\n",
    )
    assert split.n_targets == 3
    assert questions(corpus, split.validation) == [(["b", "c"], "a")]
    assert questions(corpus, split.test) == [(["c", "a"], "b")]
    # The targets d, b, a; and the histories of one event, which look like any user's first.
    assert sorted(corpus.items.tokens(split.train_items())) == ["a", "a", "b", "c", "d"]


def test_of_a_ready_history_only_the_last_item_is_a_target(tmp_path):
    _, split = read(
        tmp_path,
        LISTED + "u\ta b c e f\td\nu\ta\tb\n",
        LISTED + "u\tb c\ta\n",
        LISTED + "v\tc a\tb\n",
    )
    windows = training_windows(split, max_history=3, context=1, generator=np.random.default_rng(0))
    assert windows.supervised.tolist() == [1, 1]
    assert windows.lengths.tolist() == [3, 1]


def test_a_missing_part_is_named(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shop.train.inter").write_text(HEADER + "u\ta\t1\n")
    settings = DataSettings(split_files=PARTS, data_path=str(tmp_path))
    with pytest.raises(DataError, match=r"shop\.valid\.inter: no such file; benchmark_filename"):
        load_corpus("shop", settings)


def test_parts_of_two_kinds_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"shop\.valid\.inter has no column 'item_id_list'"):
        read(tmp_path, LISTED + "u\ta\tb\n", HEADER + "u\ta\t1\n", LISTED + "u\ta\tb\n")


def test_a_part_of_ready_histories_may_be_empty_but_not_all(tmp_path):
    corpus, split = read(tmp_path, LISTED + "u\ta b\tc\n", LISTED, LISTED + "v\tc  a \tb\n")
    assert questions(corpus, split.validation) == []
    assert questions(corpus, split.test) == [(["c", "a"], "b")]  # two spaces hold no item
    (tmp_path / "more").mkdir()
    with pytest.raises(DataError, match="and the other parts hold no rows"):
        read(tmp_path / "more", LISTED, LISTED, LISTED)


def test_lines_of_spaces_are_no_histories(tmp_path):
    # As many marks are too many in one line as are missing in the other.
    corpus, _ = read(
        tmp_path, LISTED + "u\ta\tb\n\t\t\n   \nv\tb\tc\n", LISTED, LISTED + "v\tc\tb\n"
    )
    assert corpus.sequences.offsets.tolist() == [0, 2, 4, 6]


def test_users_of_histories_are_named_by_their_row_when_somebody_asks(tmp_path):
    corpus, _ = read(tmp_path, LISTED + "u\ta\tb\nv\ta\tb\n", LISTED, LISTED + "u\tc\tb\n")
    assert len(corpus.users) == 3
    assert corpus.users.entries.to_list() == ["u, row 1", "v, row 2", "u, row 3"]
    assert corpus.users.numbers(["v, row 2"]).tolist() == [2]


def test_a_history_without_items_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"train\.inter, row 2: 'item_id_list' names no item; drop"):
        read(tmp_path, LISTED + "u\ta\tb\nu\t  \tc\n", LISTED, LISTED + "v\tc a\tb\n")
