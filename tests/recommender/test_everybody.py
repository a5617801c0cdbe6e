"""Lists for everybody are those of recommend, whatever the model, the options and the threads."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sasrec
from sasrec.data.corpus import Corpus
from sasrec.data.sequences import Sequences
from sasrec.data.vocabulary import Vocabulary
from sasrec.evaluation import block_leaders
from sasrec.recommender import everybody
from sasrec.recommender.everybody import lists_in_pieces, tables_in_pieces
from sasrec.recommender.list_tables import LIST_COLUMNS, TableNames
from sasrec.recommender.recommender import Recommender

N_ITEMS, N_USERS = 700, 40
SMALL = {"epochs": 1, "embedding_size": 8, "hidden_size": 8, "max_history": 5}
FORMS = {
    "SASRec": {"inner_size": 8, "n_layers": 1, "n_heads": 1},
    "timed": {"inner_size": 8, "n_layers": 1, "n_heads": 1, "relative_bias": "time"},
    "BERT4Rec": {"inner_size": 8, "n_layers": 1, "n_heads": 1},
    "FPMC": {},
    "BPR": {},
    "TransRec": {},
}


@pytest.fixture(scope="module", params=FORMS)
def recommender(request: pytest.FixtureRequest) -> Recommender:
    """A model of 700 items, of which a few occur in no training event, trained for a moment."""
    generator = np.random.default_rng(1)
    users = np.repeat(np.arange(N_USERS), 18)
    frame = pl.DataFrame(
        {
            "user_id": [f"u{user}" for user in users],
            "item_id": [f"i{item}" for item in generator.permutation(len(users)) % N_ITEMS],
            "timestamp": np.tile(np.arange(18), N_USERS),
        }
    )
    name = "SASRec" if request.param == "timed" else request.param
    known = {key: value for key, value in SMALL.items() if key in _settings_of(name)}
    return sasrec.train(frame, {**known, **FORMS[request.param]}, model=name)


def _settings_of(name: str) -> set[str]:
    own = set(sasrec.NextItemModel.__subclasses__() and _model(name).Settings.model_fields)
    return own | {"epochs", "max_history"}


def _model(name: str) -> type[sasrec.NextItemModel]:
    from sasrec.settings.registry import MODELS

    return MODELS[name]


def corpus_of(recommender: Recommender, histories: list[list[int]], users: list[str]) -> Corpus:
    items = np.array([item for each in histories for item in each], dtype=np.int32)
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in histories]))).astype(np.int64)
    known = None if recommender.users is None else recommender.users.numbers(users).astype(np.int64)
    times = np.arange(len(items), dtype=np.float64) ** 1.5
    sequences = Sequences(items, times, offsets, model_users=known)
    return Corpus("drawn", sequences, Vocabulary(users), recommender.items, {})


def in_pieces(recommender: Recommender, corpus: Corpus, **how: object) -> list[tuple]:
    answerer = recommender.answerer()
    k, candidates, exclude_seen = how["k"], how["candidates"], how["exclude_seen"]
    options = answerer.options(k, candidates, exclude_seen=exclude_seen)
    found = []
    for lists in lists_in_pieces(answerer, corpus, options):
        ends = np.cumsum(lists.lengths)
        for end, length, popular in zip(ends, lists.lengths, lists.by_popularity, strict=True):
            items = recommender.items.tokens(lists.items[end - length : end])
            found.append((items, lists.scores[end - length : end].tolist(), bool(popular)))
    return found


DRAWN = st.lists(st.lists(st.integers(1, N_ITEMS), max_size=12), min_size=1, max_size=25)


@pytest.mark.parametrize("threads", [1, 2])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    histories=DRAWN,
    k=st.sampled_from([1, 3, 10, 50, 1000]),
    exclude_seen=st.booleans(),
    n_candidates=st.sampled_from([None, 1, 5, 300]),
    per_piece=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_everybodys_lists_are_those_of_recommend(
    recommender: Recommender,
    threads: int,
    histories: list[list[int]],
    k: int,
    exclude_seen: bool,
    n_candidates: int | None,
    per_piece: int,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    candidates = None
    if n_candidates is not None:
        candidates = [f"i{n}" for n in generator.permutation(N_ITEMS)[:n_candidates]]
        candidates = [token for token in candidates if token in recommender.items] or ["i0"]
    users = [f"u{number}" for number in generator.permutation(2 * N_USERS)[: len(histories)]]
    size = len(recommender.items)
    histories = [[(item - 1) % size + 1 for item in each] for each in histories]
    corpus = corpus_of(recommender, histories, users)
    offsets = corpus.sequences.offsets
    times = [corpus.sequences.times[a:b].tolist() for a, b in pairwise(offsets)]
    before = everybody.PIECE_USERS, block_leaders.BLOCK
    torch_threads = torch.get_num_threads()
    try:
        everybody.PIECE_USERS = per_piece
        block_leaders.BLOCK = 4  # so that 700 items have enough blocks for lists of ten
        torch.set_num_threads(threads)
        found = in_pieces(
            recommender, corpus, k=k, candidates=candidates, exclude_seen=exclude_seen
        )
        assert torch.get_num_threads() == threads
    finally:
        everybody.PIECE_USERS, block_leaders.BLOCK = before
        torch.set_num_threads(torch_threads)
    expected = recommender.recommend(
        [recommender.items.tokens(each) for each in histories],
        k,
        exclude_seen=exclude_seen,
        candidates=candidates,
        times=times,
        users=users,
    )
    assert [each[0] for each in found] == [each.items for each in expected]
    assert [each[2] for each in found] == [each.by_popularity for each in expected]
    for (_, scores, _), each in zip(found, expected, strict=True):
        # Sums of eight products are rounded differently in batches of different sizes.
        assert scores == pytest.approx(each.scores, rel=1e-5, abs=1e-6)


def test_a_table_names_users_items_and_titles() -> None:
    frame = pl.DataFrame(
        {"user_id": ["a"] * 4 + ["b"] * 4, "item_id": [*"wxyz", *"xyzw"], "timestamp": [*range(8)]}
    )
    recommender = sasrec.train(frame, {"epochs": 1, "hidden_size": 8, "n_heads": 1})
    recommender.titles["w"] = "Water"
    corpus = corpus_of(recommender, [[1, 2], [], [1, 2, 3, 4]], ["ann", "bob", "cle"])
    answerer = recommender.answerer()
    options = answerer.options(2, list("wxyz"), exclude_seen=True)
    names = TableNames.of(recommender.items, recommender.titles)
    [table] = tables_in_pieces(answerer, corpus, options, names)
    assert dict(table.schema) == LIST_COLUMNS
    assert table["user"].to_list() == ["ann"] * 2 + ["bob"] * 2  # cle has seen everything
    assert table["rank"].to_list() == [1, 2, 1, 2]
    assert table["by_popularity"].to_list() == [False] * 2 + [True] * 2
    titled = table.filter(pl.col("item") == "w")["title"].unique().to_list()
    assert titled in ([], ["Water"])
    assert set(table.filter(pl.col("item") != "w")["title"]) <= {None}
