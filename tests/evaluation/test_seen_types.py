"""Ranking without the items of earlier events of some types, as lists leave them out."""

import numpy as np
import polars as pl
import pytest

import sasrec
from sasrec.data.batches.cases import EvaluationCases
from sasrec.data.corpus import Corpus
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError, SasrecError
from sasrec.evaluation.ranking import rank_targets, removed_counts
from sasrec.experiment.prepared import prepare
from sasrec.recommender.recommender import Recommender
from sasrec.settings.resolve import resolve_settings

SMALL = {"hidden_size": 8, "epochs": 1, "max_history": 30, "valid_metric": "ndcg@5"}
ITEMS = 12


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    """Return views and purchases; users buy and view the same items again."""
    generator = np.random.default_rng(3)
    items = generator.integers(ITEMS, size=(50, 8))
    return pl.DataFrame(
        {
            "user_id": np.repeat([f"u{user}" for user in range(50)], 8),
            "item_id": [f"i{item}" for item in items.ravel()],
            "timestamp": np.tile(np.arange(8), 50),
            "event": generator.choice(["view", "view", "buy", ""], size=400),
        }
    )


@pytest.fixture(scope="module")
def recommender(events: pl.DataFrame) -> Recommender:
    return sasrec.train(events, SMALL, type_column="event")


def corpus_and_cases(events: pl.DataFrame, **settings: object) -> tuple[Corpus, EvaluationCases]:
    run = resolve_settings({"type_column": "event", "max_history": 30, **settings})
    corpus = load_corpus(events, run.data)
    prepared = prepare(corpus, run)
    return corpus, prepared.protocol.cases(prepared.split.test)


@pytest.mark.parametrize("seen", [("buy",), ("view",), ("buy", "view")])
def test_ranks_are_the_places_in_the_lists_of_the_rule(
    events: pl.DataFrame, recommender: Recommender, seen: tuple[str, ...]
) -> None:
    corpus, cases = corpus_and_cases(events, seen_types=seen)
    ranking = rank_targets(recommender.model, cases, top_k=3, remove_seen=True)
    removed = removed_counts(cases)
    names = np.array([None, *corpus.event_types], dtype=object)
    for place, (user, stop) in enumerate(zip(cases.ends.users, cases.ends.stops, strict=True)):
        begin = corpus.sequences.offsets[user - 1]
        history = corpus.items.tokens(corpus.sequences.items[begin:stop])
        types = list(names[corpus.sequences.types[begin:stop]])
        [target] = corpus.items.tokens(corpus.sequences.items[stop : stop + 1])
        [found] = recommender.recommend([history], ITEMS, types=[types], rules={"seen_types": seen})
        if target in found.items:
            assert ranking.ranks[place] == found.items.index(target) + 1
            assert removed[place] == ITEMS - len(found.items)
        else:
            assert ranking.ranks[place] == ITEMS
        listed = corpus.items.tokens(ranking.top[place][ranking.top[place] > 0])
        assert listed == found.items[:3]


def test_all_types_are_the_whole_history_if_each_event_has_one(events: pl.DataFrame) -> None:
    typed = events.with_columns(pl.col("event").replace("", "view"))
    settings = {**SMALL, "type_column": "event"}
    one = sasrec.train(typed, settings, seen_types="buy,view")
    two = sasrec.train(typed, settings, remove_seen=True)
    values = [each.metrics["reports"][0]["test"] for each in (one, two)]
    assert values[0] == values[1]


def test_the_protocol_says_which_items_are_removed(
    events: pl.DataFrame, recommender: Recommender
) -> None:
    found = sasrec.evaluate(recommender, events, seen_types="buy")
    assert ", items of earlier events of type buy removed, " in found.report.protocol
    plain = sasrec.evaluate(recommender, events)
    assert ", history not removed, " in plain.report.protocol
    assert found.report.test != plain.report.test
    assert {each.model for each in found.baselines} >= {"Popularity", "Markov"}
    assert found.baselines[0].test != plain.baselines[0].test


def test_models_without_types_are_measured_with_seen_types_too(events: pl.DataFrame) -> None:
    model = sasrec.train(events, SMALL, model="GRU4Rec")
    found = sasrec.evaluate(model, events, type_column="event", seen_types="buy")
    assert found.report.test != sasrec.evaluate(model, events).report.test


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"seen_types": "buy"}, "seen_types needs the types of events; set type_column"),
        (
            {"type_column": "event", "seen_types": "bought"},
            "seen_types has 'bought', a type that does not exist (known: buy, view)",
        ),
        (
            {"type_column": "event", "seen_types": "buy", "candidates": "uni5"},
            "seen_types only works with full ranking, not with sampled candidates",
        ),
    ],
)
def test_seen_types_that_cannot_be_used_are_refused(events: pl.DataFrame, settings, text) -> None:
    with pytest.raises(SasrecError) as caught:
        sasrec.train(events, {**SMALL, **settings})
    assert text in str(caught.value)


def test_a_type_that_the_model_does_not_know_is_refused(
    events: pl.DataFrame, recommender: Recommender
) -> None:
    more = events.with_columns(pl.col("event").replace("", "refund"))
    with pytest.raises(DataError, match="seen_types has 'refund', a type that does not exist"):
        sasrec.evaluate(recommender, more, seen_types="refund")
