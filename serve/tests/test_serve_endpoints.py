"""Every endpoint answers what the runtime answers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from exported_forms import recommender_of
from hypothesis import given
from hypothesis import strategies as st
from running_server import Server, running

import sasrec
import sasrec_serve
from sasrec_serve.server.response_models import (
    Explanations,
    FoundItems,
    Lists,
    ModelCard,
    SimilarLists,
    StoredEvents,
    StoredHistory,
)

TOKENS = [*(f"i{number}" for number in range(1, 41)), "nobody knows"]
Both = tuple[Server, sasrec_serve.Recommender]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("exports")
    sasrec.export(recommender_of("types"), folder / "out")
    store = ("--store", str(folder / "events.sqlite"))
    with running(folder / "out", *store, log=folder / "log") as server:
        yield server, sasrec_serve.load(folder / "out")


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    token = st.sampled_from(TOKENS)
    event = st.fixed_dictionaries(
        {"item": token},
        optional={
            "time": st.floats(0, 1e9) | st.none(),
            "type": st.sampled_from(["view", "buy", None]),
        },
    )
    events = st.lists(token, max_size=20) | st.lists(event, max_size=20)
    user = st.none() | st.just("u1")
    several = st.lists(events | st.fixed_dictionaries({"events": events, "user": user}), max_size=4)
    body = draw(
        st.fixed_dictionaries({"history": events}) | st.fixed_dictionaries({"histories": several})
    )
    options = st.fixed_dictionaries(
        {},
        optional={
            "k": st.integers(1, 50),
            "candidates": st.lists(st.sampled_from(TOKENS[:-1]), min_size=1),
            "exclude": st.lists(token),
            "exclude_seen": st.booleans(),
            "next_type": st.sampled_from(["view", "buy", "any"]),
        },
    )
    return {**body, **draw(options)}


def expected(recommender: sasrec_serve.Recommender, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lists of a body as the runtime computes them, one history at a time."""
    histories = body["histories"] if "histories" in body else [body["history"]]
    found = []
    for each in histories:
        events, user = (each["events"], each["user"]) if isinstance(each, dict) else (each, None)
        tokens = [e if isinstance(e, str) else e["item"] for e in events]
        times = [None if isinstance(e, str) else e.get("time") for e in events]
        types = [None if isinstance(e, str) else e.get("type") for e in events]
        [best] = recommender.recommend(
            [tokens],
            1000,
            exclude_seen=body.get("exclude_seen", True),
            candidates=body.get("candidates"),
            times=[None if any(t is None for t in times) else times],  # type: ignore[list-item]
            users=[user],
            types=[types],
            next_type=body.get("next_type"),
        )
        pairs = [
            {"item": item, "title": recommender.titles.get(item), "score": score}
            for item, score in zip(best.items, best.scores, strict=True)
            if item not in body.get("exclude", ())
        ][: body.get("k", 10)]
        found.append({"user": user, "items": pairs, "unknown": best.unknown})
    return found


def assert_alike(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [each["user"] for each in found] == [each["user"] for each in wanted]
    assert [each["unknown"] for each in found] == [each["unknown"] for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert [e["item"] for e in one["items"]] == [e["item"] for e in other["items"]]
        assert [e["title"] for e in one["items"]] == [e["title"] for e in other["items"]]
        # Sums of a batch may be in another order; no two scores of these weights are closer.
        np.testing.assert_allclose(
            [np.nan if e["score"] is None else e["score"] for e in one["items"]],
            [e["score"] for e in other["items"]],
            rtol=0,
            atol=1e-5,
        )


@given(body=bodies())
def test_lists_are_those_of_the_runtime(both: Both, body: dict[str, Any]) -> None:
    server, recommender = both
    answer = server.post("/recommend", body)
    Lists.model_validate(answer)
    assert answer["model"] == recommender.digest
    assert_alike(answer["lists"], expected(recommender, body))


def test_requests_that_come_together_get_the_lists_that_each_gets_alone(both: Both) -> None:
    server, recommender = both
    random = np.random.default_rng(0)
    asked = [
        {
            "history": [TOKENS[n] for n in random.integers(0, 41, random.integers(0, 15))],
            "k": int(random.integers(1, 20)),
            "next_type": ["view", "buy", "any"][random.integers(3)],
        }
        for _ in range(300)
    ]
    before = server.metric("sasrec_serve_batch_histories_count")
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda body: server.post("/recommend", body), asked))
    for body, answer in zip(asked, answers, strict=True):
        assert_alike(answer["lists"], expected(recommender, body))
    assert server.metric("sasrec_serve_batch_histories_count") - before < 300


def test_a_mistake_in_one_request_of_a_batch_refuses_only_this_one(both: Both) -> None:
    server, _ = both

    def status(number: int) -> int:
        wrong = {"histories": [["i1"]], "candidates": ["no such item"]}
        return server.ask("POST", "/recommend", {"history": ["i1"]} if number % 3 else wrong)[0]

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(status, range(90))) == [200 if n % 3 else 409 for n in range(90)]


def test_similar_items_are_those_of_the_runtime(both: Both) -> None:
    server, recommender = both
    answer = server.post("/similar", {"items": ["i1", "i7"], "k": 3})
    SimilarLists.model_validate(answer)
    wanted = recommender.similar(["i1", "i7"], 3)
    assert [each["item"] for each in answer["lists"]] == ["i1", "i7"]
    assert [[e["item"] for e in each["items"]] for each in answer["lists"]] == [
        each.items for each in wanted
    ]
    assert [[e["score"] for e in each["items"]] for each in answer["lists"]] == [
        pytest.approx(each.scores, abs=1e-5) for each in wanted
    ]


def test_an_event_adds_the_score_with_it_minus_the_score_without_it(both: Both) -> None:
    server, recommender = both
    history = ["i1", "i2", "i3", "i2", "i4", "i5", "i6", "i7"]
    answer = server.post("/explain", {"history": history, "items": ["i9", "i12"]})
    Explanations.model_validate(answer)
    whole = recommender.score([history], ["i9", "i12"])[0]
    without = recommender.score(
        [history[:n] + history[n + 1 :] for n in range(len(history))], ["i9", "i12"]
    )
    for column, found in enumerate(answer["explanations"]):
        assert found["score"] == pytest.approx(whole[column], abs=1e-5)
        assert [event["item"] for event in found["events"]] == history
        assert [event["adds"] for event in found["events"]] == pytest.approx(
            (whole[column] - without[:, column]).tolist(), abs=1e-5
        )
    # The model uses the latest six events, so the first one changes nothing.
    assert answer["explanations"][0]["events"][0]["adds"] == 0


def test_the_only_event_of_a_history_adds_no_number(both: Both) -> None:
    server, _ = both
    answer = server.post("/explain", {"history": ["i1"], "items": ["i9"]})
    assert answer["explanations"][0]["events"] == [
        {"item": "i1", "title": "Ä <b>title</b>", "adds": None}
    ]
    assert not answer["by_popularity"]
    assert server.post("/explain", {"history": [], "items": ["i9"]})["by_popularity"]


def test_items_are_found_by_words_of_titles_without_case_and_accents(both: Both) -> None:
    server, _ = both
    found = server.get("/items?search=a%20TITLE&limit=5")
    FoundItems.model_validate(found)
    assert found["items"] == [{"item": "i1", "title": "Ä <b>title</b>"}]
    assert [each["item"] for each in server.get("/items?limit=3")["items"]] == ["i1", "i2", "i3"]
    assert server.get("/items?search=no+such")["found"] == 0


def test_the_next_list_knows_an_event_that_was_just_stored(both: Both) -> None:
    server, recommender = both
    events = [{"user": "anna", "item": f"i{n}", "time": n, "type": "view"} for n in (1, 2, 3)]
    assert server.post("/events", {"events": events}) == {"stored": 3}
    history = server.get("/history?user=anna")
    StoredHistory.model_validate(history)
    assert [event["item"] for event in history["events"]] == ["i1", "i2", "i3"]
    body = {"history": [{"item": f"i{n}", "time": n, "type": "view"} for n in (1, 2, 3)]}
    wanted = expected(recommender, {**body, "k": 5})
    for asked in ({"user": "anna", "k": 5}, {"users": ["anna"], "k": 5}):
        assert_alike(
            [each | {"user": None} for each in server.post("/recommend", asked)["lists"]], wanted
        )
    assert server.post("/recommend", {"users": ["nobody"]})["lists"][0]["by_popularity"]
    once = {"events": [{"user": "anna", "item": "i4", "id": "e1"}]}
    assert [server.post("/events", once)["stored"] for _ in range(2)] == [1, 0]


def test_events_that_the_model_cannot_use_are_told(both: Both) -> None:
    server, _ = both
    new = [{"user": "eva", "item": "new", "type": "View", "time": 1}, {"user": "eva", "item": "i1"}]
    answer = server.post("/events", {"events": new})
    StoredEvents.model_validate(answer)
    assert answer["stored"] == 2
    types, items = answer["remarks"]
    assert types == (
        "2 events without a type that the model knows, such as 'View'; did you mean 'view'? "
        "(types: view, buy)"
    )
    assert items.startswith("1 event with an item that the model does not know, such as 'new'")


def test_the_card_tells_what_is_served(both: Both) -> None:
    server, recommender = both
    card = server.get("/model")
    ModelCard.model_validate(card)
    assert (card["model"], card["kind"], card["n_items"]) == (recommender.digest, "SASRec", 40)
    assert card["event_types"] == ["view", "buy"]
    assert card["has_store"]
    assert card["recall"] == 1
    assert card["limits"]["k"] == 100


def test_health_readiness_and_metrics(both: Both) -> None:
    server, recommender = both
    assert server.get("/health") == {"status": "ok"}
    assert server.get("/ready") == {"ready": True, "model": recommender.digest, "refused": None}
    server.post("/recommend", {"histories": [["nobody knows"], ["i1", "nobody knows"]]})
    text = server.whole("GET", "/metrics")[2].decode()
    assert f'sasrec_serve_model_info{{digest="{recommender.digest}"}} 1.0' in text
    assert 'sasrec_serve_request_seconds_bucket{endpoint="/recommend",le="0.01"}' in text
    assert server.metric("sasrec_serve_unknown_events_total") >= 2
    assert server.metric("sasrec_serve_popular_lists_total") >= 1
    assert server.metric("sasrec_serve_export_refused") == 0


def test_times_of_some_events_only_are_ignored_with_a_remark(both: Both) -> None:
    server, _ = both
    body = {"history": [{"item": "i1", "time": 1}, {"item": "i2"}]}
    [found] = server.post("/recommend", body)["lists"]
    assert found["remarks"] == ["times are ignored, because 1 of 2 events have none"]


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/recommend", {}, 422, "give one of history, histories, user or users"),
        ("/recommend", [], 422, "the body must be an object"),
        ("/recommend", {"history": [], "users": []}, 422, "the body has history and users"),
        ("/recommend", {"history": [], "kk": 1}, 422, "kk is not a field of this request; did you"),
        ("/recommend", {"history": [], "str": 1}, 422, "str is not a field of this request"),
        ("/recommend", {"history": ["i1", 2]}, 422, "history.1: input should be a valid string"),
        ("/recommend", {"history": [{"item": "i1", "x": 1}]}, 422, "history.0.x is not a field"),
        (
            "/recommend",
            {"history": [], "n": 3},
            422,
            "this request (fields: k, candidates, exclude",
        ),
        (
            "/recommend",
            {"history": [7]},
            422,
            'history.0: input should be a valid string, in quotes: "7"',
        ),
        (
            "/recommend",
            {"user": 196},
            422,
            'user: input should be a valid string, in quotes: "196"',
        ),
        ("/recommend", {"history": [], "k": 0}, 422, "k: input should be greater than or equal"),
        ("/recommend", {"history": [], "k": 101}, 422, "k is 101; this server allows at most 100"),
        ("/recommend", {"history": [], "k": 10**400}, 422, "k is too large"),
        ("/recommend", {"history": [], "k": "5"}, 422, "k: input should be a valid integer"),
        ("/recommend", {"history": [], "k": True}, 422, "k: input should be a valid integer"),
        ("/recommend", {"history": ["i"] * 1001}, 422, "history has 1,001 entries; this server"),
        ("/recommend", {"histories": [["i"] * 1001]}, 422, "histories.0 has 1,001 entries"),
        ("/recommend", {"histories": [[]] * 101}, 422, "histories has 101 entries"),
        ("/recommend", {"history": [], "candidates": []}, 422, "candidates: list should have at"),
        ("/recommend", {"history": [], "candidates": ["?"]}, 409, "none of the candidates is"),
        ("/recommend", {"history": [], "next_type": "sell"}, 409, "sell"),
        ("/similar", {"items": ["?"]}, 404, "the model does not know the item '?'"),
        ("/similar", {"items": ["i40"]}, 409, "i40"),
        ("/explain", {"history": ["i1"], "items": ["?"]}, 404, "does not know the item '?'"),
        ("/explain", {"history": ["i1"], "items": []}, 422, "items: list should have at least"),
        ("/events", [], 422, "the body: input should be an object with the fields events"),
        ("/events", {"events": ["i1"]}, 422, "events.0: input should be an object"),
        ("/events", {"user": "u"}, 422, "events: field required"),
        (
            "/events",
            {"events": [{"user": "u", "item": "i1", "timestamp": 1}]},
            422,
            "events.0.timestamp is not a field of this request; did you mean 'time'? (fields: ",
        ),
        ("/events", {"events": [{"user": "u"}]}, 422, "events.0.item: field required"),
        ("/events", {"events": [{"user": "", "item": "i1"}]}, 422, "events.0.user: string should"),
        ("/events", {"events": [{"user": "u\0", "item": "i1"}]}, 422, "events.0.user: string"),
    ],
)
def test_a_wrong_request_gets_one_message(
    both: Both, path: str, body: Any, status: int, error: str
) -> None:
    found = both[0].ask("POST", path, body)
    assert found[0] == status
    assert error in found[1]["error"]
    assert set(found[1]) == {"error", "where"}


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/items?limit=0", 422, "limit must be a whole number from 1 to 100"),
        ("/items?limit=1&limit=2", 422, "'limit' is given twice"),
        ("/items?serach=x", 422, "'serach' is not a parameter here; did you mean 'search'?"),
        ("/items?search=%ff", 422, "not UTF-8"),
        ("/items?search=" + 201 * "x", 422, "search is longer than 200 characters"),
        ("/history", 422, "give the user"),
        ("/recommend", 405, "this path is asked with POST"),
        ("/favicon.ico", 404, "there is no such path"),
    ],
)
def test_a_wrong_path_or_parameter_gets_one_message(
    both: Both, path: str, status: int, error: str
) -> None:
    found = both[0].ask("GET", path)
    assert found[0] == status
    assert error in found[1]["error"]


def test_the_method_that_a_path_has_is_told(both: Both) -> None:
    assert both[0].whole("DELETE", "/recommend")[1]["allow"] == "POST"
    assert both[0].whole("POST", "/items")[1]["allow"] == "GET, HEAD"
    status, headers, body = both[0].whole("HEAD", "/health")
    assert (status, headers["content-length"], body) == (200, "15", b"")


def test_pages_load_nothing_from_elsewhere(both: Both) -> None:
    for path in ("/", "/docs"):
        status, headers, page = both[0].whole("GET", path)
        assert status == 200
        assert headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in headers["content-security-policy"]
        assert b"http://" not in page.replace(b"http://127.0.0.1", b"").replace(
            b"http://www.w3.org", b""
        )
    assert b"curl http://127.0.0.1" in both[0].whole("GET", "/docs")[2]
    assert "<script" not in both[0].whole("GET", "/docs", headers={"host": "<script>"})[2].decode()


def test_answers_are_utf_8(both: Both) -> None:
    raw = both[0].whole("GET", "/items?search=title")[2]
    assert "Ä <b>title</b>".encode() in raw
    assert json.loads(raw)["found"] == 1
