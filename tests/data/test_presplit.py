from dataclasses import replace

import numpy as np
import pytest

from sasrec.data.batches.windows import training_windows
from sasrec.data.make_split import make_split
from sasrec.data.presplit import events
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SettingsError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.resolve import resolve_settings

HEADER = "user_id:token\titem_id:token\ttimestamp:float\n"
LISTED = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
PARTS = ("train", "valid", "test")


def read(tmp_path, *texts, **more):
    folder = tmp_path / "shop"
    folder.mkdir()
    parts = PARTS if len(texts) == 3 else ("train", "test")
    for part, text in zip(parts, texts, strict=True):
        (folder / f"shop.{part}.inter").write_text(text)
    settings = DataSettings(split_files=parts, data_path=str(tmp_path), **more)
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


def test_a_users_history_continues_from_part_to_part(tmp_path):
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


def test_histories_in_rows_are_read_unchanged(tmp_path):
    corpus, split = read(
        tmp_path,
        LISTED + "u\ta b c\td\nu\ta\tb\nv\tc\ta\n",
        LISTED + "u\tb c\ta\n",
        LISTED + "v\tc a\tb\n",
    )
    assert split.n_targets == 3
    assert questions(corpus, split.validation) == [(["b", "c"], "a")]
    assert questions(corpus, split.test) == [(["c", "a"], "b")]
    # The targets d, b, a; and histories of one event, which look like a user's first event.
    assert sorted(corpus.items.tokens(split.train_items())) == ["a", "a", "b", "c", "d"]


def test_in_a_history_row_only_the_last_item_is_a_target(tmp_path):
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
    with pytest.raises(DataError, match=r"shop\.valid\.inter: no such file; correct benchmark_fil"):
        load_corpus("shop", settings)


def test_parts_in_two_forms_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"shop\.valid\.inter has no column 'item_id_list'"):
        read(tmp_path, LISTED + "u\ta\tb\n", HEADER + "u\ta\t1\n", LISTED + "u\ta\tb\n")


def test_one_part_of_histories_may_be_empty_but_not_all(tmp_path):
    corpus, split = read(tmp_path, LISTED + "u\ta b\tc\n", LISTED, LISTED + "v\tc  a \tb\n")
    assert questions(corpus, split.validation) == []
    assert questions(corpus, split.test) == [
        (["c", "a"], "b")
    ]  # there is no item between two spaces
    (tmp_path / "more").mkdir()
    with pytest.raises(DataError, match="and the other parts have no rows"):
        read(tmp_path / "more", LISTED, LISTED, LISTED)


def test_lines_of_spaces_are_not_histories(tmp_path):
    # One line has as many separators too many as the other lacks.
    corpus, _ = read(
        tmp_path, LISTED + "u\ta\tb\n\t\t\n   \nv\tb\tc\n", LISTED, LISTED + "v\tc\tb\n"
    )
    assert corpus.sequences.offsets.tolist() == [0, 2, 4, 6]


def test_users_of_history_rows_are_named_lazily_with_their_row(tmp_path):
    corpus, _ = read(tmp_path, LISTED + "u\ta\tb\nv\ta\tb\n", LISTED, LISTED + "u\tc\tb\n")
    assert len(corpus.users) == 3
    assert corpus.users.entries.to_list() == ["u, row 1", "v, row 2", "u, row 3"]
    assert corpus.users.numbers(["v, row 2"]).tolist() == [2]


def test_a_history_without_items_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"train\.inter, row 2: 'item_id_list' contains no item; d"):
        read(tmp_path, LISTED + "u\ta\tb\nu\t  \tc\n", LISTED, LISTED + "v\tc a\tb\n")


def test_with_two_parts_validation_is_the_last_training_event_of_each_user(tmp_path):
    corpus, split = read(
        tmp_path,
        HEADER + "u\ta\t1\nu\tb\t2\nu\tc\t3\nv\ta\t1\nv\tb\t2\n",
        HEADER + "u\td\t4\nw\ta\t1\nw\tb\t2\n",
    )
    assert split.n_targets == 2  # b of u and of v
    assert questions(corpus, split.validation) == [(["a", "b"], "c")]
    assert questions(corpus, split.test) == [(["a", "b", "c"], "d"), (["a"], "b")]
    assert corpus.remarks == ()


def test_with_two_parts_of_histories_validation_is_the_last_row_of_each_user(tmp_path):
    corpus, split = read(
        tmp_path,
        LISTED + "u\ta\tb\nv\ta\td\nu\ta b\tc\nu\ta b c\td\n",
        LISTED + "u\ta b c d\ta\nv\ta d\tc\n",
    )
    assert split.n_targets == 3
    assert questions(corpus, split.validation) == [(["a", "b", "c"], "d")]
    assert questions(corpus, split.test) == [(["a", "b", "c", "d"], "a"), (["a", "d"], "c")]
    assert corpus.remarks == ()


@pytest.mark.parametrize("parts", [["train", "test", "test"], ["a", "a"]])
def test_a_part_that_is_named_twice_is_refused(parts):
    with pytest.raises(
        SettingsError, match="is listed twice, so its events would be part of their"
    ):
        resolve_settings({"benchmark_filename": parts})


@pytest.mark.parametrize("parts", [["train"], ["a", "b", "c", "d"], "train"])
def test_there_are_two_or_three_parts(parts):
    with pytest.raises(SettingsError, match="split_files"):
        resolve_settings({"split_files": parts})


def test_one_file_under_two_names_is_refused(tmp_path):
    text = HEADER + "u\ta\t1\nu\tb\t2\nu\tc\t3\n"
    read(tmp_path, text, text + "u\td\t4\n")
    (tmp_path / "shop" / "shop.test.inter").unlink()
    (tmp_path / "shop" / "shop.test.inter").symlink_to("shop.train.inter")
    with pytest.raises(DataError, match=r"shop\.train\.inter and .* are the same file, so its ev"):
        load_corpus("shop", DataSettings(split_files=("train", "test"), data_path=str(tmp_path)))


@pytest.mark.parametrize("head", [HEADER, HEADER.rpartition("\t")[0] + "\n", LISTED])
def test_all_events_of_a_copied_part_are_counted(tmp_path, head):
    rows = {HEADER: "u\ta\t1\nu\tb\t2\n", LISTED: "u\ta\tb\nv\ta c\tb\n"}
    text = head + rows.get(head, "u\ta\nu\tb\n")
    corpus, _ = read(tmp_path, text, text)
    [text] = [remark.text for remark in corpus.remarks if remark.kind == "parts_overlap"]
    assert text.startswith("2 of 2 events in part 'test' are also in part 'train'")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("u\ta\t1\nu\tb\t2\nu\tc\t3\n", "u\tc\t3\nu\tb\t2\nu\td\t4\n", "2 of 3 events in part"),
        ("u\ta\t1\nu\tb\t2\nu\tc\t3\n", "u\tc\t5\nu\tb\t4\nu\td\t6\n", None),
        ("u\ta\t1\nv\tb\t2\nu\tc\t3\n", "v\ta\t1\nu\tb\t2\n", None),
    ],
)
def test_events_in_two_parts_are_counted(tmp_path, first, second, said):
    corpus, _ = read(tmp_path, HEADER + first, HEADER + second)
    overlap_remarks = [remark for remark in corpus.remarks if remark.kind == "parts_overlap"]
    assert [remark.text.startswith(said) for remark in overlap_remarks] == ([True] if said else [])
    assert [remark.count for remark in overlap_remarks] == ([2] if said else [])


def test_with_three_parts_each_overlap_names_its_two_parts(tmp_path):
    corpus, _ = read(
        tmp_path,
        HEADER + "u\ta\t1\nu\tb\t2\n",
        HEADER + "u\tc\t3\nw\ta\t1\n",
        HEADER + "u\tc\t3\nu\tb\t2\nw\tx\t4\n",
    )
    overlap_remarks = [remark.text for remark in corpus.remarks if remark.kind == "parts_overlap"]
    assert [text.split(", so")[0] for text in overlap_remarks] == [
        "1 of 3 events in part 'test' are also in part 'train'",
        "1 of 3 events in part 'test' are also in part 'valid'",
    ]


def test_without_times_a_part_contained_in_another_is_reported(tmp_path):
    head = HEADER.rpartition("\t")[0] + "\n"
    train = "".join(f"u{user}\ti{item}\n" for user in range(9) for item in range(user, user + 5))
    again = "".join(f"u{user}\ti{user + 1}\n" for user in range(9))
    corpus, _ = read(tmp_path, head + train, head + again)
    overlap_remarks = [
        (each.kind, each.count) for each in corpus.remarks if each.kind != "no_times"
    ]
    assert overlap_remarks == [("parts_overlap", 9)]
    (tmp_path / "more").mkdir()
    bought = "".join(f"u{user}\ti{user + 1 + user % 2 * 9}\n" for user in range(9))
    corpus, _ = read(tmp_path / "more", head + train, head + bought)
    assert {each.kind for each in corpus.remarks} == {"no_times"}


def test_history_rows_in_two_parts_are_counted(tmp_path):
    corpus, _ = read(
        tmp_path,
        LISTED + "u\ta b\tc\nv\ta\tb\nw\tb a\tc\n",
        LISTED + "w\tb\ta\n",
        LISTED + "v\ta\tb\nw\ta b\tc\nu\ta b\tc\nw\tb\ta\n",
    )
    overlap_remarks = {remark.text.split(", so")[0]: remark.count for remark in corpus.remarks}
    assert overlap_remarks == {
        "2 of 4 events in part 'test' are also in part 'train'": 2,
        "1 of 4 events in part 'test' are also in part 'valid'": 1,
    }


def test_filters_without_effect_on_parts_are_reported(tmp_path):
    texts = [
        HEADER + f"u\t{item}\t{time}\nu\t{item}{item}\t{time}\n" for time, item in enumerate("abc")
    ]
    corpus, _ = read(tmp_path, *texts, duplicates="exact", user_interactions="[5,inf)")
    [text] = [remark.text for remark in corpus.remarks if remark.kind == "not_filtered"]
    assert text.endswith("so duplicates, user_interactions have no effect")


def test_remarks_on_a_part_name_its_file(tmp_path, monkeypatch):
    remark = Remark("odd", 3, "3 odd things")
    read_part = events.read_atomic
    monkeypatch.setattr(
        events,
        "read_atomic",
        lambda file, *more: replace(read_part(file, *more), remarks=(remark,)),
    )
    texts = [
        HEADER + f"u\t{item}\t{time}\nu\t{item}{item}\t{time}\n" for time, item in enumerate("abc")
    ]
    corpus, _ = read(tmp_path, *texts)
    overlap_remarks = [remark.text for remark in corpus.remarks if remark.kind == "odd"]
    assert overlap_remarks == [f"shop.{part}.inter: 3 odd things" for part in PARTS]


@pytest.mark.parametrize("setting", [{"incomplete": "drop"}, {"missing_values": ("NULL",)}])
def test_settings_that_drop_rows_are_refused_for_whole_histories(tmp_path, setting):
    rows = LISTED + "u\ta b\tc\nv\ta\tb\nw\tb a\tc\n"
    with pytest.raises(DataError, match=f"to which {next(iter(setting))} cannot be applied"):
        read(tmp_path, rows, rows, **setting)


def test_tokens_of_history_rows_are_cleaned(tmp_path):
    corpus, _ = read(tmp_path, LISTED + "u\tA b\tc\n", LISTED + "v\ta\tB\n", clean_tokens=("case",))
    assert corpus.items.entries.to_list() == ["a", "b", "c"]


def kinds(corpus):
    return [each.kind for each in corpus.remarks]


def test_parts_that_are_not_in_the_order_of_time_are_reported(tmp_path):
    early, late = "".join(f"u{n}\ta\t1\nu{n}\tb\t2\n" for n in range(3)), "u1\tc\t3\nu2\tc\t4\n"
    corpus, _ = read(tmp_path, HEADER + early.replace("\t2", "\t5"), HEADER + late)
    [remark] = [each for each in corpus.remarks if each.kind == "parts_out_of_order"]
    assert remark.count == 2
    assert remark.text.startswith("2 of 2 users in several parts have events in a later part")


def test_parts_in_the_order_of_time_cause_no_remark(tmp_path):
    corpus, _ = read(tmp_path, HEADER + "u\ta\t1\nu\tb\t2\nv\ta\t9\n", HEADER + "u\tc\t2\n")
    assert kinds(corpus) == []


def test_parts_in_two_units_of_time_are_refused(tmp_path):
    first = "".join(f"u\ti{n}\t{1_700_000_000 + n}\n" for n in range(9))
    with pytest.raises(
        DataError, match=r"seconds since 1970 in part 'train', .*, milliseconds .* in part 'test'"
    ):
        read(tmp_path, HEADER + first, HEADER + "u\tx\t1700000010000\n")


def test_remarks_on_parts_say_that_filters_do_not_apply(tmp_path):
    corpus, _ = read(tmp_path, HEADER + "u\ta\t1\nu\ta\t1\nu\tb\t2\n", HEADER + "u\tc\t3\n")
    [remark] = corpus.remarks
    assert remark.text.endswith(
        "duplicates=exact keeps one of each (in a data set of one file; parts are not filtered)"
    )


@pytest.mark.parametrize("join", [",".join, "|".join, ";".join, str])
def test_histories_with_another_separator_are_reported(tmp_path, join):
    items = [f"i{n}" for n in range(9)]
    rows = "".join(f"u{n}\t{join([items[n - 2], items[n - 1]])}\t{items[n]}\n" for n in range(9))
    corpus, _ = read(tmp_path, LISTED + rows, LISTED + "v\ti1\ti2\n")
    [remark] = [each for each in corpus.remarks if each.kind == "joined_tokens"]
    assert "'item_id_list' look like several items joined together" in remark.text
    assert "sequence_separator" in remark.text


def test_doubtful_items_of_history_rows_are_reported(tmp_path):
    corpus, _ = read(
        tmp_path, LISTED + "u\ta b [PAD]\tc\nv\tA b [PAD]\tc\n", LISTED + "u\ta c\tb\n"
    )
    assert kinds(corpus) == ["null_like_tokens", "tokens_alike_but_case"]
    assert corpus.remarks[0].text.startswith("2 of 11 events have '[PAD]' (2) in 'item_id'")
    assert corpus.remarks[0].text.endswith("remove it from the histories")
