"""Attention maps, averages and effects; recording gives the same scores; the HTML page."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import sasrec
from sasrec.data.formats.user_item_files import read_groups
from sasrec.data.sequences import Sequences
from sasrec.data.sources import item_groups, load_corpus
from sasrec.errors import DataError
from sasrec.explanation.explain import POSITIONS, average_attention, effects
from sasrec.explanation.page import explanation_page
from sasrec.explanation.pictures import ExplainedHistory, pictures_of
from sasrec.models.parts.recording import recorded_attention
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.resolve import resolve_settings

DATA = "synthetic:users=80,items=30,length=20"
SMALL = {"hidden_size": 16, "inner_size": 16, "n_layers": 2, "n_heads": 2, "epochs": 2}
HISTORY = ["i3", "i5", "unheard of", "i7", "i3"]


@pytest.fixture(scope="module", params=["positions", "times", "rotary"])
def recommender(request: pytest.FixtureRequest) -> Recommender:
    bias = {"positions": "none", "relative_bias": "both"}
    form = {"positions": {}, "times": bias, "rotary": {"positions": "rotary"}}[request.param]
    return sasrec.train(DATA, SMALL | form)


def test_maps_are_probabilities_and_causal(recommender: Recommender) -> None:
    known, maps = recommender.attention(HISTORY)
    assert known == ["i3", "i5", "i7", "i3"]
    assert maps.shape == (2, 2, 4, 4)
    assert maps.dtype == np.float32
    assert np.allclose(maps.sum(-1), 1, atol=1e-5)
    assert np.allclose(np.triu(maps, 1), 0)


def test_averages_of_a_model_with_a_mask_after_the_events() -> None:
    model = sasrec.train(DATA, {"hidden_size": 16, "n_layers": 1, "epochs": 1}, model="BERT4Rec")
    corpus = load_corpus(DATA, DataSettings())
    found = average_attention(model, corpus.sequences)
    assert np.allclose(found.by_position[0].sum(-1)[-1], 1, atol=0.6)
    assert np.isfinite(found.by_distance).all()
    known, maps = model.attention(HISTORY)
    assert maps.shape == (1, 2, len(known) + 1, len(known) + 1)


def test_recording_changes_no_score(recommender: Recommender) -> None:
    fast = recommender.score([HISTORY], ["i1", "i2", "i9"])
    with recorded_attention(recommender.model) as maps:
        explicit = recommender.score([HISTORY], ["i1", "i2", "i9"])
    assert len(maps) == 2
    assert np.allclose(fast, explicit, atol=1e-5)
    assert np.array_equal(fast, recommender.score([HISTORY], ["i1", "i2", "i9"]))


def test_only_the_newest_events_are_looked_at(recommender: Recommender) -> None:
    longest = recommender.max_history
    known, maps = recommender.attention(["i1", *["i2"] * longest])
    assert known == ["i2"] * longest
    assert maps.shape[2:] == (longest, longest)


def test_averages_are_those_of_single_histories(recommender: Recommender) -> None:
    corpus = load_corpus(DATA, resolve_settings().data)
    some = np.array([0, 20, 40, 60])
    few = Sequences(corpus.sequences.items[:60], None, some)
    groups = {"i1": ["odd"], "i2": ["even"], "i3": ["odd", "small"]}
    averages = average_attention(recommender, few, groups=groups)
    maps = [
        recommender.attention(recommender.items.tokens(few.items[begin:end]))[1].mean(1)
        for begin, end in itertools.pairwise(some)
    ]
    expected = np.mean([each[:, -POSITIONS:, -POSITIONS:] for each in maps], axis=0)
    assert averages.histories == 3
    assert np.allclose(averages.by_position, expected, atol=1e-5)
    back = np.mean([each[:, -1, ::-1][:, :POSITIONS] for each in maps], axis=0)
    assert np.allclose(averages.by_distance, back, atol=1e-5)
    assert averages.groups == ["even", "odd", "small"]
    assert averages.between_groups.shape == (3, 3)


def test_uniform_attention_is_one_between_all_groups(recommender: Recommender) -> None:
    for layer in recommender.model.blocks:  # type: ignore[union-attr]
        for weight in layer.attention.query_key_value.parameters():  # type: ignore[union-attr]
            torch.nn.init.zeros_(weight)
        bias = layer.attention.bias  # type: ignore[union-attr]
        for weight in [] if bias is None else bias.parameters():
            torch.nn.init.zeros_(weight)
    corpus = load_corpus(DATA, resolve_settings().data)
    groups = {token: [str(int(token[1:]) % 3)] for token in corpus.items.entries.to_list()}
    found = average_attention(recommender, corpus.sequences, groups=groups).between_groups
    assert np.allclose(found[np.isfinite(found)], 1, atol=1e-4)


def test_effects_are_scores_without_each_event() -> None:
    model = sasrec.train(DATA, SMALL)
    history = ["i3", "i5", "i7"]
    found = effects(model, history, ["i1", "i2"])
    whole = model.score([history], ["i1", "i2"])
    without = model.score([["i3", "i7"]], ["i1", "i2"])
    assert found.shape == (3, 2)
    assert np.allclose(found[1], (whole - without)[0], atol=1e-5)
    assert np.isnan(effects(model, ["i3"], ["i1"])).all()


def test_a_model_without_attention_says_so() -> None:
    factors = sasrec.train(DATA, {"epochs": 1}, model="FPMC")
    with pytest.raises(DataError, match="FPMC has no attention"):
        factors.attention(["i3"])
    corpus = load_corpus(DATA, resolve_settings().data)
    with pytest.raises(DataError, match="FPMC has no attention"):
        average_attention(factors, corpus.sequences)


def test_a_history_without_known_items_is_refused() -> None:
    model = sasrec.train(DATA, SMALL)
    with pytest.raises(DataError, match="knows none of the items"):
        model.attention(["unheard of"])
    lone = Sequences(np.array([1], dtype=np.int32), None, np.array([0, 1]))
    with pytest.raises(DataError, match="no history has at least two events"):
        average_attention(model, lone)


def test_the_page_needs_no_network_and_no_title_can_break_it() -> None:
    evil = "<script>alert('$x$')</script>"
    maps, effects = np.full((1, 2, 2, 2), 0.5), np.ones((2, 1))
    person = ExplainedHistory("user <1>", [evil, "b"], maps, [evil], [4.25], effects)
    pictures = pictures_of(None, [person])
    page = explanation_page("SASRec & co", None, [person], pictures)
    assert list(pictures) == ["history-1"]
    assert pictures["history-1"].startswith(b"\x89PNG")
    assert "<td>score with all events</td><td>4.250</td>" in page
    assert "<script>" not in page
    assert "user &lt;1&gt;" in page
    assert re.findall(r"(?:src|href)='(?!data:image/png;base64,)", page) == []
    assert "http" not in page


def test_groups_are_read_from_the_item_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.item"
    path.write_text(
        "item_id:token\tprice:float\tgenre:token_seq\n1\t3.5\tred blue\n2\t\t\n3\t1\tred\n"
    )
    settings = DataSettings(data_path=str(tmp_path))
    items = pl.Series(["1", "2", "3", "5"])
    assert read_groups(path, settings, items) == {"1": ["red", "blue"], "3": ["red"]}
    assert read_groups(path, settings, items[:1]) == {"1": ["red", "blue"]}
    assert read_groups(tmp_path / "none.item", settings, items) == {}
    frame = pl.DataFrame({"user_id:token": ["a"] * 3, "item_id:token": ["1", "2", "3"]})
    frame.write_csv(tmp_path / "shop.inter", separator="\t")
    assert item_groups(str(tmp_path / "shop.inter"), settings, items)["3"] == ["red"]
    assert item_groups(DATA, settings, items) == {}


def test_attention_is_kept_for_the_thread_that_asked() -> None:
    model = sasrec.train(DATA, SMALL)
    histories = [["i3"] * 5, ["i3", "i5", "i7"], ["i1", "i2", "i3", "i4"]]
    expected = [model.attention(history) for history in histories]
    scores = model.score(histories, ["i1", "i2"])
    corpus = load_corpus(DATA, DataSettings())
    averages = average_attention(model, corpus.sequences, most=20).by_distance

    def work(number: int) -> None:
        for turn in range(15):
            kind = (number + turn) % 4
            if kind == 0:
                model.recommend(histories, 5)
                assert np.allclose(model.score(histories, ["i1", "i2"]), scores, atol=1e-5)
            elif kind == 1:
                found = average_attention(model, corpus.sequences, most=20).by_distance
                assert np.allclose(found, averages, atol=1e-5, equal_nan=True)
            else:
                which = (number + turn) % len(histories)
                known, maps = model.attention(histories[which])
                assert known == expected[which][0]
                assert np.array_equal(maps, expected[which][1])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_effects_use_the_vector_of_the_user() -> None:
    factors = sasrec.train(DATA, {"epochs": 3}, model="FPMC")
    history = ["i3", "i5", "i7"]
    found = effects(factors, history, ["i1", "i2"], user="u1")
    whole = factors.score([history], ["i1", "i2"], users=["u1"])
    without = factors.score([history[:2]], ["i1", "i2"], users=["u1"])
    assert np.allclose(found[2], (whole - without)[0], atol=1e-5)
