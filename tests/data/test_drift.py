"""Drift: each check finds what was done to the data, and normal days pass."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sasrec
from sasrec.data.drift.check import Check
from sasrec.data.drift.comparison import Known, compared
from sasrec.data.drift.days import DAY
from sasrec.data.drift.limits import LIMITS, Limit, limits_from
from sasrec.data.drift.people import SAMPLE, people_from_json, people_of
from sasrec.data.drift.popularity import popularity_shift
from sasrec.data.drift.profile import profile_of
from sasrec.data.drift.saved import profile_as_json, profile_from_json
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SettingsError
from sasrec.settings.data import DataSettings

BEGIN = 1_700_006_400  # 2023-11-15 00:00 UTC
PEOPLE, A_DAY = 60, 200


def days(
    first: int, last: int, *, seed: int = 1, items: int = 30, a_day: int = A_DAY
) -> pl.DataFrame:
    """Return events of some days; item n is twice as popular as item 2 n."""
    draw = np.random.default_rng((seed, first))
    count = (last - first) * a_day
    weights = 1 / np.arange(1, items + 1)
    return pl.DataFrame(
        {
            "user_id": [f"u{each}" for each in draw.integers(0, PEOPLE, count)],
            "item_id": [
                f"i{each}" for each in draw.choice(items, count, p=weights / weights.sum())
            ],
            "timestamp": BEGIN + first * DAY + draw.integers(0, (last - first) * DAY, count),
        }
    )


OLD = days(0, 40)


def checks_of(new: pl.DataFrame, old: pl.DataFrame = OLD, **keywords: object) -> dict[str, Check]:
    found = sasrec.compare_data(old, new, **keywords)
    return {each.name: each for each in found.checks}


def problems(new: pl.DataFrame, old: pl.DataFrame = OLD) -> dict[str, str]:
    return {
        name: each.verdict
        for name, each in checks_of(new, old).items()
        if each.verdict in {"warn", "stop"}
    }


def test_normal_days_pass_all_checks() -> None:
    for seed in range(5):
        for length in (1, 7):
            assert problems(days(40, 40 + length, seed=seed)) == {}
    found = sasrec.compare_data(OLD, days(40, 41))
    assert found.verdict == "ok"
    assert {each.name for each in found.checks} == set(LIMITS)


def test_data_of_another_shop_stop() -> None:
    other = days(40, 47).with_columns(pl.col("item_id") + "x", pl.col("user_id") + "x")
    found = checks_of(other)
    assert found["unknown_items"].verdict == "stop"
    assert "1,400 of 1,400 events (100.0%) are of unknown items" in found["unknown_items"].text
    assert found["unknown_people"].verdict == "warn"
    assert found["popularity"].verdict == "not checked"


def test_data_that_end_before_the_old_ones_stop() -> None:
    found = checks_of(days(10, 17, seed=7))
    assert found["late_events"].verdict == "stop"
    assert found["late_events"].text.startswith("none of the 1,400 events is later than")


def test_some_late_events_are_a_warning() -> None:
    new = pl.concat([days(40, 47), days(38, 39, seed=9)])
    assert problems(new) == {"late_events": "warn"}


def test_events_of_the_old_data_are_counted() -> None:
    new = pl.concat([days(40, 47), OLD.tail(700)])
    found = checks_of(new)
    assert found["known_events"].value == pytest.approx(1 / 3, abs=0.02)
    assert found["known_events"].verdict == "warn"


@pytest.mark.parametrize(("a_day", "verdict"), [(A_DAY // 3, "warn"), (A_DAY // 12, "stop")])
def test_lost_events_are_noticed(a_day: int, verdict: str) -> None:
    found = checks_of(days(40, 47, a_day=a_day))
    assert found["events_per_day"].verdict == verdict


def test_a_gap_before_the_new_data_is_noticed() -> None:
    found = checks_of(days(43, 50))
    assert (found["gap"].verdict, found["gap"].value) == ("warn", pytest.approx(3, abs=0.1))
    assert problems(days(60, 67)) == {"gap": "stop"}


def test_a_gap_in_the_new_data_is_noticed_unless_it_is_usual() -> None:
    new = pl.concat([days(40, 42), days(45, 47)])
    assert problems(new) == {"gap": "warn"}
    usual = OLD.filter((pl.col("timestamp") - BEGIN) // DAY % 4 == 0)
    assert checks_of(new, usual)["gap"].verdict == "ok"


def test_a_day_with_far_more_events_is_noticed() -> None:
    new = pl.concat([days(40, 47), days(44, 45, a_day=7 * A_DAY)])
    found = checks_of(new)
    assert found["busiest_day"].verdict == "warn"
    assert "2023-12-29" in found["busiest_day"].text


def test_a_doubled_file_is_noticed() -> None:
    once = days(40, 47)
    assert checks_of(pl.concat([once, once]))["duplicates"].verdict == "stop"


def test_repeated_items_are_noticed() -> None:
    once = days(40, 47)
    again = once.with_columns(pl.col("timestamp") + 1)
    assert checks_of(pl.concat([once, again]))["repeats"].verdict == "stop"


def test_tastes_that_turn_around_are_noticed() -> None:
    new = days(40, 47).with_columns(
        item_id="i" + (29 - pl.col("item_id").str.slice(1).cast(pl.Int64)).cast(pl.String)
    )
    assert problems(new) == {"popularity": "stop"}
    assert "went from" in checks_of(new)["popularity"].text


def test_a_bot_is_noticed_by_the_lengths_of_histories() -> None:
    new = pl.concat(
        [days(40, 47), days(40, 47, a_day=3 * A_DAY).with_columns(user_id=pl.lit("u1"))]
    )
    assert checks_of(new)["lengths"].verdict == "warn"


def test_event_types_are_compared() -> None:
    old = OLD.with_columns(type=pl.Series(["view", "view", "view", "buy"] * (len(OLD) // 4)))
    new = days(40, 47)
    other = new.with_columns(type=pl.Series(["view", "cart"] * (len(new) // 2)))
    found = checks_of(other, old, type_column="type")["event_types"]
    assert (found.verdict, found.value) == ("stop", pytest.approx(0.5))
    assert "new types: 'cart'" in found.text
    same = new.with_columns(type=pl.Series(["view", "view", "view", "buy"] * (len(new) // 4)))
    assert checks_of(same, old, type_column="type")["event_types"].verdict == "ok"


def test_without_dates_the_rest_is_checked() -> None:
    old, new = (each.with_columns(timestamp=pl.int_range(pl.len())) for each in (OLD, days(40, 47)))
    found = checks_of(new, old)
    assert {name for name, each in found.items() if each.verdict == "not checked"} == {
        *("events_per_day", "people_per_day", "items_per_day", "busiest_day", "gap"),
        *("late_events", "lengths", "event_types"),
    }
    assert "no dates" in found["gap"].text
    assert found["unknown_items"].verdict == found["popularity"].verdict == "ok"


def test_dates_that_are_lost_are_a_warning() -> None:
    found = sasrec.compare_data(OLD, days(40, 47).with_columns(timestamp=pl.int_range(pl.len())))
    assert found.verdict == "warn"
    [late] = [each for each in found.checks if each.name == "late_events"]
    assert "the new data have no dates" in late.text


def test_units_of_time_may_differ() -> None:
    new = days(40, 47).with_columns(pl.col("timestamp") * 1000)
    assert problems(new) == {}


def test_the_same_data_are_refused() -> None:
    with pytest.raises(DataError, match="hold the same events, so there is nothing to compare"):
        sasrec.compare_data(OLD, OLD.clone())


def test_limits_can_be_set_and_switched_off() -> None:
    new = days(60, 67)
    assert checks_of(new, limits={"gap": (30, None)})["gap"].verdict == "ok"
    assert checks_of(new, limits={"gap": None})["gap"].verdict == "ok"
    assert checks_of(new, limits={"gap": 1})["gap"].verdict == "warn"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"gaps": 3}, "unknown check 'gaps'; did you mean 'gap'?"),
        ({"gap": "3"}, "limit of 'gap' is '3'; write two numbers of at least 0"),
        ({"gap": (1, 2, 3)}, "write two numbers"),
        ({"gap": (-1, 2)}, "write two numbers"),
        ({"gap": (math.nan, 2)}, "write two numbers"),
        ({"gap": (True, 2)}, "write two numbers"),
        ({"gap": (3, 2)}, "it would stop at 2, before it warns at 3"),
        ([3], "limits must be a dict"),
    ],
)
def test_wrong_limits_are_refused(given: object, text: str) -> None:
    with pytest.raises(SettingsError) as error:
        limits_from(given)  # type: ignore[arg-type]
    assert text in str(error.value)


def test_limits_that_are_not_given_keep_their_defaults() -> None:
    assert limits_from({"gap": [1, None]}) == {**LIMITS, "gap": Limit(1, None)}


@given(
    st.lists(st.integers(0, 2000), min_size=2, max_size=300),
    st.lists(st.integers(0, 2000), min_size=2, max_size=300),
)
def test_the_stability_index_is_finite_and_not_negative(old: list[int], new: list[int]) -> None:
    size = min(len(old), len(new))
    found = popularity_shift(np.array(old[:size]), np.array(new[:size]))
    if found is not None:
        assert 0 <= found.index < math.inf
        assert found.groups <= 101


def test_the_stability_index_equals_its_formula() -> None:
    old, new = np.array([500, 300, 200]), np.array([200, 300, 500])
    p, q = old / 1000, new / 1000
    found = popularity_shift(old, new)
    assert found is not None
    assert found.index == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    assert found.groups == 3


def test_the_stability_index_of_a_sample_is_what_chance_explains() -> None:
    draw = np.random.default_rng(3)
    shares = 1 / np.arange(1, 2001)
    shares /= shares.sum()
    old = draw.multinomial(500_000, shares)
    found = [popularity_shift(old, draw.multinomial(5_000, shares)) for _ in range(50)]
    ratios = [each.index / each.by_chance for each in found if each is not None]
    # Of chi-square with about 80 degrees of freedom, the mean of 50 is within 10% of its mean.
    assert 0.9 < np.mean(ratios) < 1.15


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 9 * 24)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([1, 1000]),
)
def test_days_are_counted_as_in_plain_python(
    rows: list[tuple[int, int, int]], per_second: int
) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [f"u{user}" for user, _, _ in rows],
            "item_id": [f"i{item}" for _, item, _ in rows],
            "timestamp": [(BEGIN + 3600 * hour) * per_second for _, _, hour in rows],
        }
    )
    found = profile_of(load_corpus(frame, DataSettings()))
    by_day: dict[int, list[tuple[int, int]]] = {}
    for user, item, hour in rows:
        by_day.setdefault(BEGIN // DAY + hour // 24, []).append((user, item))
    assert found.days is not None
    assert found.typical is not None
    for number, (events, people) in enumerate(
        zip(found.days.events, found.days.people, strict=True), found.days.first
    ):
        own = by_day.get(number, [])
        assert (events, people) == (len(own), len({user for user, _ in own}))
    assert found.days.first == min(by_day)
    items = [len({item for _, item in own}) for own in by_day.values()]
    assert found.typical.items.median == np.median(items)
    hours = sorted({hour for _, _, hour in rows})
    longest = max((b - a for a, b in pairwise(hours)), default=None)
    gap = None if found.gap is None else found.gap.days
    assert gap == (None if longest is None else round(longest / 24, 2))


def test_a_sample_of_people_tells_the_share_of_unknown_ones() -> None:
    old = people_of(pl.Series([f"u{each}" for each in range(40_000)])).sampled()
    assert len(old.hashes) == pytest.approx(SAMPLE, rel=0.05)
    again = people_from_json(json.loads(json.dumps(old.as_json())))
    unknown, compared = again.unknown(
        people_of(pl.Series([f"u{n}" for n in range(30_000, 50_000)]))
    )
    assert compared == pytest.approx(20_000 * SAMPLE / 40_000, rel=0.1)
    assert unknown / compared == pytest.approx(0.5, abs=0.05)


def test_a_profile_survives_json() -> None:
    corpus = load_corpus(OLD, DataSettings())
    before = profile_of(corpus)
    content = json.loads(json.dumps(profile_as_json(before)))
    assert content == profile_as_json(before)
    after = profile_from_json(content, before.name, before.items, before.counts)
    assert after is not None
    assert profile_as_json(after) == profile_as_json(before)


def leaves(content: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of each value in nested mappings, and of the mappings themselves."""
    found = [path] if path else []
    if isinstance(content, dict):
        for key, value in content.items():
            found += leaves(value, (*path, key))
    return found


@given(st.data())
def test_an_edited_profile_is_used_or_ignored(data: st.DataObject) -> None:
    corpus = load_corpus(days(0, 2), DataSettings())
    before = profile_of(corpus)
    content = json.loads(json.dumps(profile_as_json(before)))
    *parents, last = data.draw(st.sampled_from(leaves(content)))
    place = content
    for key in parents:
        place = place[key]
    place[last] = data.draw(
        st.one_of(
            *(st.none(), st.integers(), st.text(), st.just({}), st.floats()),
            *(st.integers(-5, 5), st.lists(st.integers()), st.booleans()),
        )
    )
    found = profile_from_json(content, before.name, before.items, before.counts)
    if found is not None:
        result = compared(found, before, Known(0.0, 0), limits=LIMITS)
        assert str(result)
        json.dumps(result.as_json(), allow_nan=False)


@pytest.mark.parametrize("value", ["INF", "1", "nan", 1e300, -1e300, 2e-311, True, [1]])
def test_a_number_of_a_profile_must_be_a_number(value: object) -> None:
    before = profile_of(load_corpus(days(0, 2), DataSettings()))
    for key, inner in (("by_day", "mean"), ("gap", "days"), ("lengths", "mean")):
        content = json.loads(json.dumps(profile_as_json(before)))
        content[key][inner] = value
        assert profile_from_json(content, before.name, before.items, before.counts) is None


def test_reports_are_written(tmp_path: Path) -> None:
    new = days(60, 67).with_columns(item_id=pl.lit("<b>&"))
    found = sasrec.compare_data(OLD, new)
    for name in ("report.html", "report.png", "report.json"):
        found.save(tmp_path / name)
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page.replace("<b>&lt;", "")
    written = json.loads((tmp_path / "report.json").read_text())
    assert written == found.as_json()
    assert written["verdict"] == "stop"
    assert (tmp_path / "report.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(SettingsError, match=r"in \.html or \.png or \.json"):
        found.save("report.txt")
    assert "verdict: stop" in str(found)
    assert repr(found) == "<DataComparison of data frame with data frame: stop>"
