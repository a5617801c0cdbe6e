import numpy as np
import polars as pl
import pytest

from sasrec.data.corpus import build_corpus
from sasrec.data.synthetic import checkerboard, hidden_markov


def test_the_same_seed_gives_the_same_data():
    first, again = hidden_markov(users=20, seed=3), hidden_markov(users=20, seed=3)
    assert first.with_tokens().equals(again.with_tokens())
    assert not first.with_tokens().equals(hidden_markov(users=20, seed=4).with_tokens())


def test_sizes_are_as_requested():
    frame = hidden_markov(users=300, items=40, length=10, topics=4).with_tokens()
    lengths = frame.group_by("user").len()["len"]
    assert len(lengths) == 300
    assert (lengths.min(), lengths.max()) == (5, 15)
    # Sizes are uniform over 5..15: mean 10, standard error 0.18; five of them.
    assert abs(lengths.mean() - 10) < 0.9
    assert set(frame["item"]) <= {f"i{number}" for number in range(1, 41)}
    assert frame["item"].n_unique() == 40
    assert set(frame["user"]) == {f"u{number}" for number in range(1, 301)}


@pytest.mark.parametrize("length", [1, 4])
def test_every_user_has_four_events(length):
    frame = hidden_markov(users=30, length=length).with_tokens()
    assert frame.group_by("user").len()["len"].min() == 4


def test_times_count_up_within_each_user():
    frame = hidden_markov(users=10).with_tokens()
    for (_,), events in frame.group_by("user"):
        assert events["time"].to_list() == list(range(events.height))


def repeated_followers(frame):
    """Return the share of events whose item is the most frequent successor of the previous one."""
    pairs = frame.with_columns(after=pl.col("item").shift(-1).over("user")).drop_nulls()
    counts = pairs.group_by("item", "after").len()
    return counts.group_by("item").agg(pl.col("len").max())["len"].sum() / pairs.height


def test_predictability_is_as_requested():
    shares = [
        repeated_followers(
            hidden_markov(users=400, items=100, topics=5, predictability=p).with_tokens()
        )
        for p in (0.0, 0.5, 1.0)
    ]
    # The successor follows with probability 0.9 p; a bit more as popular items coincide, and with
    # p=1 only a move to another topic is unpredictable.
    assert shares[0] < 0.4
    assert 0.45 < shares[1] < 0.75
    assert 0.85 < shares[2] < 0.95


def test_fewer_items_than_topics_are_enough():
    assert set(hidden_markov(users=9, items=1).with_tokens()["item"]) == {"i1"}


def test_the_checkerboard_is_certain_and_users_keep_their_colour():
    frame = checkerboard(users=8, items=6, length=7).with_tokens()
    for (user,), events in frame.group_by("user"):
        items = events["item"].cast(pl.Int64).to_numpy()
        assert set(items % 2) == {int(user) % 2}
        assert np.array_equal((items[:-1] + 2) % 6, items[1:])
    assert build_corpus(checkerboard(), "board").sequences.lengths().tolist() == [12] * 60
