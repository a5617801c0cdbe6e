"""Data preparation compared with a slow implementation in plain Python, on small random data."""

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings

EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(1, 5), st.integers(0, 9)),
    min_size=1,
    max_size=60,
)
PROTOCOLS = st.sampled_from(
    [
        {"leave_out": "valid_and_test"},
        {"leave_out": "valid_only"},
        {"leave_out": "test_only"},
        {"split": "ratio", "ratios": (0.8, 0.1, 0.1)},
        {"split": "ratio", "ratios": (1, 1, 1)},
        {"split": "ratio", "ratios": (0.6, 0.0, 0.4), "ratio_by": "all"},
    ]
)


def plain_filters(events, *, duplicates, least_rating, least):
    """Return the events that pass all filters, with counts in plain Python."""
    if duplicates is not None:
        events = sorted(events, key=lambda event: event[3])
        chosen = {}
        for event in events:
            pair = event[:2]
            if duplicates == "last" or pair not in chosen:
                chosen[pair] = event
        kept = {id(event) for event in chosen.values()}
        events = [event for event in events if id(event) in kept]
    events = [event for event in events if event[2] >= least_rating]
    while True:
        users = Counter(event[0] for event in events)
        items = Counter(event[1] for event in events)
        fewer = [e for e in events if users[e[0]] >= least and items[e[1]] >= least]
        if len(fewer) == len(events):
            return events
        events = fewer


def plain_parts(total, protocol):
    """Return how many of some targets are for training, validation and test."""
    if protocol.get("split") != "ratio":
        given_away = min(2 if protocol["leave_out"] == "valid_and_test" else 1, max(total - 1, 0))
        test = given_away if protocol["leave_out"] == "test_only" else int(given_away > 0)
        if protocol["leave_out"] == "valid_only":
            test = 0
        return [total - given_away, given_away - test, test]
    shares = [ratio / sum(protocol["ratios"]) for ratio in protocol["ratios"]]
    parts = [int(share * total) for share in shares]
    parts[0] = total - sum(parts[1:])
    for part in (2, 1):
        if parts[0] > 1 and 0 < shares[part] * total < 1:
            parts[part] += 1
            parts[0] -= 1
    return parts


def plain_cases(events, protocol, longest):
    """Return three lists of (user, history, target), one target at a time."""
    order = list(dict.fromkeys(event[0] for event in events))
    histories = {user: [e for e in events if e[0] == user] for user in order}
    questions = []  # (time, user, history, target)
    by_user = []
    for user in order:
        line = sorted(histories[user], key=lambda event: event[3])
        items = [event[1] for event in line]
        mine = [
            (line[n][3], (user, tuple(items[max(0, n - longest) : n]), items[n]))
            for n in range(1, len(line))
        ]
        by_user.append(mine)
        questions += mine
    groups = by_user
    if protocol.get("ratio_by") == "all":
        groups = [sorted(questions, key=lambda question: question[0])]
    parts = [[], [], []]
    for group in groups:
        begin = 0
        for part, count in zip(parts, plain_parts(len(group), protocol), strict=True):
            part += [case for _, case in group[begin : begin + count]]
            begin += count
    return parts


def ours(corpus, split, longest):
    counts = split.train_stops - split.train_starts
    users = np.repeat(np.arange(1, len(counts) + 1), counts)
    stops = [
        stop
        for begin, end in zip(split.train_starts, split.train_stops, strict=True)
        for stop in range(begin, end)
    ]
    parts = []
    for owners, ends in (
        (users, stops),
        (split.validation.users, split.validation.stops),
        (split.test.users, split.test.stops),
    ):
        part = []
        for owner, stop in zip(owners, ends, strict=True):
            begin = max(corpus.sequences.offsets[owner - 1], stop - longest)
            numbers = corpus.sequences.items[begin : stop + 1]
            *history, target = map(int, corpus.items.tokens(numbers))
            part.append((int(corpus.users.tokens([owner])[0]), tuple(history), target))
        parts.append(part)
    return parts


@given(
    EVENTS,
    PROTOCOLS,
    st.sampled_from([None, "first", "last"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 6),
)
def test_data_are_prepared_like_in_a_plain_implementation(
    events, protocol, duplicates, least_rating, least, longest
):
    settings = DataSettings(
        duplicates=duplicates,
        value_intervals={"rating": f"[{least_rating},inf)"},
        user_interactions=f"[{least},inf)",
        item_interactions=f"[{least},inf)",
        max_history=longest,
    )
    frame = pl.DataFrame(events, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")
    kept = plain_filters(events, duplicates=duplicates, least_rating=least_rating, least=least)
    expected = plain_cases(kept, protocol, longest)
    try:
        corpus = load_corpus(frame, settings)
        split = make_split(corpus, EvaluationSettings(**protocol))
    except DataError:
        assert not kept or not expected[0] or not (expected[1] or expected[2])
        return
    assert list(map(sorted, ours(corpus, split, longest))) == list(map(sorted, expected))
