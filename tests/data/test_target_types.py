"""Types of events are read as numbers, and splits with targets of some types, against a loop."""

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.windows import training_windows
from sasrec.data.corpus import Corpus, renumbered
from sasrec.data.event_types import distinct_events
from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Split
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings

Row = tuple[str, str, str | None, float]
NAMES = ("cart", "purchase", "view")


def corpus(rows: list[Row], **settings: object) -> Corpus:
    frame = pl.DataFrame(
        rows,
        schema={"user_id": pl.String, "item_id": pl.String, "event": pl.String, "timestamp": float},
        orient="row",
    )
    return load_corpus(frame, DataSettings(type_column="event", **settings))


def of_user(types: str, user: str = "a") -> list[Row]:
    """Return events of a user from the initials of their types, one a second."""
    named = {"v": "view", "c": "cart", "p": "purchase", "-": None}
    return [(user, f"i{n}", named[each], float(n)) for n, each in enumerate(types)]


def test_types_are_numbered_by_name_and_follow_their_events() -> None:
    found = corpus([*of_user("vpc-", "b"), *of_user("pv")][::-1])
    assert found.event_types == NAMES
    assert found.sequences.types is not None
    by_user = dict(
        zip(
            found.users.entries,
            np.split(found.sequences.types, found.sequences.offsets[1:-1]),
            strict=True,
        )
    )
    assert by_user["b"].tolist() == [3, 2, 1, 0]
    assert by_user["a"].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("split", "part"), [({}, "test"), ({"leave_out": "valid_only"}, "validation")]
)
def test_purchases_of_what_was_just_put_into_the_cart_are_told(
    split: dict[str, str], part: str
) -> None:
    def rows(item: str) -> list[Row]:
        return [
            (f"u{user}", name, each, float(n))
            for user in range(6)
            for n, (name, each) in enumerate(
                [("x", "view"), ("y", "cart"), ("y", "purchase"), ("z", "cart"), (item, "purchase")]
            )
        ]

    settings = EvaluationSettings(target_types=("purchase",), **split)
    told = {each.kind: each.text for each in make_split(corpus(rows("z")), settings).remarks}
    begin = (
        f"6 of 6 {part} targets are the item of the event directly before, mostly of type 'cart'"
    )
    assert told["given_away"].startswith(begin)
    told = {each.kind: each.text for each in make_split(corpus(rows("w")), settings).remarks}
    assert "given_away" not in told


def test_missing_types_and_a_single_type_are_told_with_counts() -> None:
    told = [each.text for each in corpus(of_user("vp-v")).remarks]
    assert "1 event of 4 has no type in 'event'; it counts as an unknown type" in told
    told = [each.text for each in corpus(of_user("vvvv")).remarks]
    assert "all events have the type 'view' in 'event', so types tell the model nothing" in told


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (lambda n: None, "the column 'event' (type_column) is empty in every row"),
        (lambda n: f"t{n}", "(type_column) has 300 different values, such as 't0' and 't1'"),
    ],
)
def test_a_column_that_is_no_column_of_types_is_refused(types, text: str) -> None:
    with pytest.raises(DataError) as caught:
        corpus([("a", f"i{n}", types(n), float(n)) for n in range(300)])
    assert text in str(caught.value)


def test_a_misspelt_column_of_types_is_proposed(tmp_path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,event_type,timestamp\na,i,view,1\n")
    with pytest.raises(DataError, match=r"did you mean 'event_type'.*--type-column=event_type"):
        load_corpus(path, DataSettings(type_column="event_typ"))


def test_an_event_of_another_type_is_no_duplicate() -> None:
    rows = [("a", "i", "view", 1.0), ("a", "i", "purchase", 1.0), ("a", "i", "purchase", 1.0)]
    for keep in ("exact", "consecutive", "first", "last"):
        assert corpus(rows, duplicates=keep).sequences.n_events == 2
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 1]}, schema_overrides={"item": pl.Int32})
    assert distinct_events(frame.cast(pl.Int32), "consecutive").height == 1


def test_a_model_keeps_its_own_numbers_of_types() -> None:
    found = corpus(of_user("vpc"))
    other = renumbered(found, found.items, event_types=("view", "purchase"))
    assert other.sequences.types is not None
    assert other.sequences.types.tolist() == [1, 2, 0]
    assert renumbered(found, Vocabulary(["i0"])).event_types == NAMES


def test_leave_one_out_tests_on_the_last_purchase_and_trains_before_the_last_but_one() -> None:
    split = make_split(corpus(of_user("vpvpvvpvpv")), EvaluationSettings(target_types="purchase"))
    assert split.validation.stops.tolist() == [6]
    assert split.test.stops.tolist() == [8]
    assert split.is_training().nonzero()[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert split.n_targets == 2  # the purchases at 1 and 3


def test_training_may_predict_all_types() -> None:
    settings = EvaluationSettings(target_types="purchase", train_target_types="all")
    split = make_split(corpus(of_user("vpvpvvpvpv")), settings)
    assert (split.trains, split.n_targets) == (None, 5)
    assert split.test.stops.tolist() == [8]


def test_a_split_by_time_has_no_training_event_after_the_time() -> None:
    rows = [*of_user("vpvpvvpvpv"), *of_user("vvvvvvvvvv", "b")]
    settings = EvaluationSettings(target_types="purchase", valid_from="6", test_from="8")
    split = make_split(corpus(rows), settings)
    times = split.sequences.times
    assert times is not None
    assert times[split.is_training()].max() < 6
    assert times[split.validation.stops].tolist() == [6]
    assert times[split.test.stops].tolist() == [8]


def test_shares_are_those_of_the_wanted_targets() -> None:
    rows = [row for user in "abcd" for row in of_user("vpvpvpvpvpvpvpvpvpvp", user)]
    settings = EvaluationSettings(
        target_types="purchase", train_target_types="all", split="time", ratios=(0.6, 0.2, 0.2)
    )
    split = make_split(corpus(rows), settings)
    assert (len(split.validation), len(split.test)) == (8, 8)
    assert [each.kind for each in split.remarks] == ["target_types"]
    times = split.sequences.times
    assert times is not None
    assert times[split.is_training()].max() < times[split.validation.stops].min()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"target_types": "purchse"}, "did you mean 'purchase'?"),
        ({"target_types": "purchse"}, "(numbers of events: cart 1, purchase 2, view 2)"),
        ({"train_target_types": "refund"}, "no event has the type 'refund' (train_target_types)"),
        ({"target_types": "cart"}, "no user has at least 2 events of type 'cart'"),
        (
            {"target_types": "cart", "test_from": "4"},
            "no event of type 'cart' (target_types) is left to validate or test on",
        ),
        (
            {"train_target_types": "cart", "test_from": "2", "valid_from": "2"},
            "no event of type 'cart' (train_target_types) is left to train on",
        ),
    ],
)
def test_types_of_targets_that_cannot_be_used_are_refused(settings, text: str) -> None:
    with pytest.raises(DataError) as caught:
        make_split(corpus(of_user("vpcvp")), EvaluationSettings(**settings))
    assert text in str(caught.value)


def test_a_saved_model_without_types_says_that_there_are_none() -> None:
    frame = pl.DataFrame({"user_id": ["a"] * 4, "item_id": list("abcd"), "timestamp": range(4)})
    with pytest.raises(DataError, match="target_types needs the types of events"):
        make_split(load_corpus(frame, DataSettings()), EvaluationSettings(target_types="purchase"))


histories = st.lists(st.text("vcp-", min_size=1, max_size=9), min_size=1, max_size=6)


def expected(
    types: dict[str, str], wanted: str
) -> dict[str, tuple[set[int], list[int], list[int]]]:
    """Return training targets, validation and test targets of each user, by leave-one-out."""
    found = {}
    for user, text in types.items():
        targets = [n for n, each in enumerate(text) if each in wanted and n > 0]
        held = max(0, min(2, len(targets) - 1))
        test = targets[-1:] if held else []
        validation = targets[-2:-1] if held == 2 else []
        found[user] = (set(targets[: len(targets) - held]), validation, test)
    return found


def supervised(split: Split) -> set[int]:
    """Return the index of each event that a window of training supervises."""
    windows = training_windows(split, max_history=4, context=2, generator=np.random.default_rng(0))
    found: list[int] = []
    for start, length, count in zip(
        windows.starts, windows.lengths, windows.supervised, strict=True
    ):
        places = np.arange(start + length - count + 1, start + length + 1)
        chosen = places if split.trains is None else places[split.trains[places]]
        found.extend(chosen.tolist())
    assert len(found) == len(set(found)) == int(windows.targets.sum())
    return {int(each) for each in found}


@given(histories, st.sampled_from(["p", "pc"]))
def test_targets_are_those_of_a_loop_over_users(texts: list[str], wanted: str) -> None:
    types = {f"u{n}": text for n, text in enumerate(texts)}
    known = "".join(texts)
    names = {"p": "purchase", "c": "cart"}
    truth = expected(types, wanted)
    if not all(each in known for each in wanted) or not any(test for _, _, test in truth.values()):
        return
    found = corpus([row for user, text in types.items() for row in of_user(text, user)])
    split = make_split(found, EvaluationSettings(target_types=[names[each] for each in wanted]))
    begins = dict(zip(found.users.entries, found.sequences.offsets, strict=False))
    stops = defaultdict(lambda: ([], []))
    for part, cases in enumerate((split.validation, split.test)):
        for user, stop in zip(found.users.tokens(cases.users), cases.stops, strict=True):
            stops[user][part].append(int(stop - begins[user]))
    assert {user: tuple(each) for user, each in stops.items()} == {
        user: (validation, test)
        for user, (_, validation, test) in truth.items()
        if validation or test
    }
    trained = {begins[user] + n for user, (targets, _, _) in truth.items() for n in targets}
    assert supervised(split) == trained
    assert split.n_targets == len(trained)


def test_types_that_look_alike_are_told() -> None:
    log = pl.DataFrame(
        {"user_id": "u", "item_id": ["a", "b", "c"], "event": ["Buy", "buy ", "view"]}
    )
    settings = DataSettings(type_column="event")
    [remark] = [e for e in load_corpus(log, settings).remarks if e.kind == "tokens_alike_but_case"]
    assert "'event' differ from another only in" in remark.text
    assert remark.text.endswith("such as 'Buy' and 'buy'; clean_tokens=case merges them")
    merged = DataSettings(type_column="event", clean_tokens=("case",))
    assert load_corpus(log, merged).event_types == ("buy", "view")
