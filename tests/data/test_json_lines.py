"""JSON lines: one object per line, with values of any type beside the needed ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.formats import pieces
from sasrec.data.formats.readers import read_file
from sasrec.data.interactions import VALUE
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

REVIEW = {
    "reviewerID": "A1",
    "asin": "0439893577",
    "helpful": [0, 0],
    "reviewText": 'good, "really"',
    "overall": 5.0,
    "style": {"color": {"name": "red"}},
    "unixReviewTime": 1382659200,
}
AMAZON = {"user_column": "reviewerID", "item_column": "asin", "time_column": "unixReviewTime"}


def rows(path, **columns):
    return read_file(path, DataSettings(**columns)).with_tokens().rows()


def saved(folder, *lines, name="e.jsonl"):
    path = folder / name
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines) + "\n")
    return path


def complaint(path, **columns):
    with pytest.raises(DataError) as caught:
        rows(path, **columns)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("end", ["jsonl", "ndjson", "json"])
def test_amazon_reviews_are_read(end, tmp_path):
    other = {**REVIEW, "reviewerID": "A2", "unixReviewTime": 1382659201, "vote": "3"}
    path = saved(tmp_path, REVIEW, "", other, name=f"r.{end}")
    assert rows(path, **AMAZON) == [
        ("A1", "0439893577", 1382659200.0),
        ("A2", "0439893577", 1382659201.0),
    ]
    events = read_file(path, DataSettings(**AMAZON, value_intervals={"overall": "[4,5]"}))
    assert events.frame[VALUE + "overall"].to_list() == ["5", "5"]


def test_a_missing_name_lists_the_keys(tmp_path):
    path = saved(tmp_path, {"reviewerID": "A", "asin": "B1"}, {"asin": "B", "vote": 1})
    assert complaint(path) == (
        "e.jsonl has no column 'user_id' (did you mean 'reviewerID'?), no column 'item_id' (did "
        "you mean 'asin'?); name the right columns with --user-column=reviewerID "
        "--item-column=asin (in Python: user_column='reviewerID', item_column='asin'). "
        "It has: reviewerID, asin, vote"
    )


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ('"007"', "007"),
        ("7", "7"),
        ("7.0", "7"),
        ("-7", "-7"),
        ('"7.0"', "7.0"),
        ('"true"', "true"),
        ('"[1]"', "[1]"),
        ('"\\u00e9\\n"', "é\n"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("9" * 50, "9" * 50),
        ("9007199254740993", "9007199254740993"),
    ],
)
def test_tokens_are_texts_or_whole_numbers(value, token, tmp_path):
    path = saved(tmp_path, f'{{"user_id": "u", "item_id": {value}}}', {"user_id": 1, "item_id": 2})
    assert rows(path) == [("u", token), ("1", "2")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1.5", "that is neither a text nor a whole number"),
        ("true", "True and False cannot be ids"),
        ("[1, 2]", "that is neither a text nor a whole number"),
        ('{"a": 1}', "that is neither a text nor a whole number"),
        ("9007199254740993.0", "a float this large can stand for several whole numbers"),
    ],
)
def test_a_token_of_another_type_is_named(value, reason, tmp_path):
    line = f'{{"user_id": "u", "item_id": {value}}}'
    path = saved(tmp_path, {"user_id": 1, "item_id": 2}, "", line)
    assert re_shown(complaint(path)) == f"e.jsonl, line 3: 'item_id' is …; {reason}"


def re_shown(text):
    head, _, rest = text.partition(" is ")
    return f"{head} is …;{rest.partition(';')[2]}"


@pytest.mark.parametrize("value", ["null", None])
def test_a_missing_token_is_told_or_dropped(value, tmp_path):
    line = '{"user_id": "u"}' if value is None else '{"user_id": "u", "item_id": null}'
    path = saved(tmp_path, {"user_id": 1, "item_id": 2}, line)
    assert complaint(path).startswith("e.jsonl, row 2: 'item_id' is empty")
    assert rows(path, incomplete="drop") == [("1", "2")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "it is not an object"),
        ("{'user_id': 1}", "Expecting property name enclosed in double quotes at character 2"),
        ('{"user_id": 1}}', "Extra data at character 15"),
    ],
)
def test_a_line_that_is_no_object_is_named(line, reason, tmp_path, monkeypatch):
    good = {"user_id": 1, "item_id": 2}
    path = saved(tmp_path, good, "", line, good)
    expected = (
        f'e.jsonl, line 3: not a JSON object ({reason}); write lines such as {{"user_id": 1}}'
    )
    assert complaint(path) == expected
    path = saved(tmp_path, *[good] * 1200, "", line, good)  # after the first lines
    assert complaint(path) == expected.replace("line 3", "line 1202")


def test_a_list_of_objects_is_refused_with_a_way_out(tmp_path):
    path = saved(tmp_path, [{"user_id": 1, "item_id": 2}])
    assert complaint(path) == (
        "e.jsonl is a JSON list; write one object per line (jq -c '.[]' does), or read the file "
        "with pandas or Polars and pass the data frame"
    )
    assert complaint(saved(tmp_path, "", "")) == "e.jsonl is empty; write one JSON object per line"


def test_times_that_begin_later_are_not_left_out(tmp_path):
    early, late = {"user_id": 1, "item_id": 2}, {"user_id": 1, "item_id": 2, "timestamp": 5}
    nested = {"user_id": 1, "item_id": 2, "more": {"timestamp": 5}}
    assert complaint(saved(tmp_path, *[early] * 1000, late)) == (
        "e.jsonl: the first lines have no 'timestamp', but later ones do; add it to all lines"
    )
    assert len(rows(saved(tmp_path, *[early] * 1000, nested))) == 1001


TOKENS = st.one_of(st.text(min_size=1, max_size=5), st.integers(-(10**20), 10**20))


@given(st.lists(st.tuples(TOKENS, TOKENS, st.integers(0, 10**9)), min_size=1, max_size=40))
def test_objects_are_what_was_written(tmp_path_factory, events):
    keys = ("user_id", "item_id", "timestamp")
    path = tmp_path_factory.mktemp("j") / "e.jsonl"
    lines = [json.dumps(dict(zip(keys, event, strict=True))) for event in events]
    path.write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SMALLEST", 64)
        found = rows(path)
    assert found == [(str(user), str(item), float(time)) for user, item, time in events]
