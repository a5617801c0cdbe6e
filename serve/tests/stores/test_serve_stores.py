"""Every store keeps the same contract."""

import dataclasses
import threading

import pytest
from store_servers import Opener

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.stores.contract import AT_ONCE, Event, HistoryStore


def test_an_unknown_user_has_an_empty_history(store: HistoryStore) -> None:
    assert store.histories(["nobody", "no\0body", "\ud800", ""]) == [
        History([], user=user) for user in ("nobody", "no\0body", "\ud800", "")
    ]


def test_no_users_and_no_events_are_nothing(store: HistoryStore) -> None:
    assert (store.histories([]), store.append([]), store.merge([])) == ([], 0, 0)


def test_events_are_in_order_of_time_then_of_arrival_then_those_without_time(
    store: HistoryStore,
) -> None:
    store.append([Event("u", "b", 2.0), Event("u", "late"), Event("u", "a", -1.5)])
    store.append([Event("u", "c", 2), Event("u", "later"), Event("u", "d", 2.0)])
    assert store.histories(["u"])[0].items == ["a", "b", "c", "d", "late", "later"]


def test_times_come_only_if_all_events_have_one(store: HistoryStore) -> None:
    store.append([Event("u", "a", 1.0), Event("u", "b", 0.1 + 0.2), Event("v", "a", 5)])
    store.append([Event("v", "b")])
    assert [history.times for history in store.histories(["u", "v"])] == [[0.1 + 0.2, 1.0], None]


def test_times_are_exact(store: HistoryStore) -> None:
    times = [-1e300, -5e-324, 0.0, 1e-17, 1732872000.123457, 2.0**53 + 2, 1e300]
    store.append([Event("u", "i", time) for time in times])
    assert store.histories(["u"])[0].times == times


def test_types_come_if_one_event_has_one(store: HistoryStore) -> None:
    store.append([Event("u", "a", 1.0, "view"), Event("u", "b", 2.0), Event("v", "a", 1.0)])
    assert [history.types for history in store.histories(["u", "v"])] == [["view", None], None]


def test_one_call_reads_many_users_in_their_order(store: HistoryStore) -> None:
    store.append([Event(f"u{n}", f"i{n}", 1.0) for n in range(500)])
    users = ["u3", "nobody", "u499", "u3"]
    assert [(h.user, h.items) for h in store.histories(users)] == [
        ("u3", ["i3"]),
        ("nobody", []),
        ("u499", ["i499"]),
        ("u3", ["i3"]),
    ]


def test_only_the_latest_events_are_returned(opener: Opener) -> None:
    opener().append([Event("u", str(n), n) for n in range(10)])
    assert opener(keep=3).histories(["u"])[0].items == ["7", "8", "9"]
    assert len(opener(keep=None).histories(["u"])[0].items) == 10
    assert len(opener().histories(["u"])[0].items) == 10


def test_an_event_with_a_known_id_is_ignored(store: HistoryStore) -> None:
    first = Event("u", "a", 1.0, id="click-1")
    assert store.append([first, first]) == 1
    assert store.append([Event("u", "b", 2.0, id="click-1"), Event("u", "c", 3.0)]) == 1
    assert store.histories(["u"])[0].items == ["a", "c"]


def test_ids_of_different_users_are_independent(store: HistoryStore) -> None:
    assert store.append([Event("u", "a", 1.0, id="1"), Event("v", "a", 1.0, id="1")]) == 2


def test_equal_events_without_id_are_all_stored(store: HistoryStore) -> None:
    assert store.append([Event("u", "a", 1.0)] * 2) == 2
    assert store.histories(["u"])[0].items == ["a", "a"]


def test_merging_stores_only_what_is_not_there(store: HistoryStore) -> None:
    store.append([Event("u", "a", 1.0), Event("u", "b", 1.0, "buy", "7"), Event("u", "c")])
    merged = [
        Event("u", "a", 1.0),
        Event("u", "a", 2.0),
        Event("u", "a", 2.0),
        Event("u", "a", 1.0, "buy"),
        Event("u", "b", 1.0, "buy"),
        Event("u", "d", 9.0, id="7"),
        Event("u", "c"),
        Event("v", "a", 1.0),
    ]
    assert store.merge(merged) == 4
    assert store.merge([event for event in merged if event.time is not None]) == 0
    assert store.histories(["u"])[0].items == ["a", "b", "a", "a", "c", "c"]


def test_tokens_may_contain_anything_printable(store: HistoryStore) -> None:
    tokens = [
        "'; DROP TABLE events; --",
        "ü 日本 🎬",
        '["a","b"]',
        "a\tb\nc",
        "%s {}",
        "*",
        "0" * 1024,
    ]
    store.append([Event(token, token, 1.0, token, token) for token in tokens])
    for token, history in zip(tokens, store.histories(tokens), strict=True):
        assert history == History([token], [1.0], [token], token)
    assert sum(store.forget(token) for token in tokens) == len(tokens)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": float("nan")}, "event 2: the time is nan; it must be a finite number"),
        ({"time": 10**400}, "event 2: the time is 1000"),
        ({"time": True}, "event 2: the time is True"),
        ({"time": "now"}, "event 2: the time is 'now'"),
        ({"user": ""}, "event 2: the user is ''; it must be a text of 1 to 1,024 bytes"),
        ({"item": "a\0b"}, "event 2: the item is 'a\\x00b'"),
        ({"item": 7}, "event 2: the item is 7"),
        ({"type": "\ud800"}, "event 2: the type is '\\ud800'"),
        ({"id": "ü" * 600}, "event 2: the id is '\\xfc"),
    ],
)
def test_an_invalid_event_is_refused_and_nothing_stored(
    store: HistoryStore, change: dict[str, object], message: str
) -> None:
    events = [Event("u", "a", 1.0), dataclasses.replace(Event("u", "b", 1.0), **change)]
    for write in (store.append, store.merge):
        with pytest.raises(DataError) as raised:
            write(events)
        assert str(raised.value).startswith(message)
    assert store.histories(["u"])[0].items == []


def test_a_forgotten_user_is_gone_and_may_return(store: HistoryStore) -> None:
    event = Event("u", "a", 1.0, id="1")
    store.append([event, Event("u", "b"), Event("v", "a")])
    assert store.forget("u") == 2
    assert store.forget("u") == 0
    assert [history.items for history in store.histories(["u", "v"])] == [[], ["a"]]
    assert store.append([event]) == 1


def test_pruning_deletes_what_is_older_and_its_ids(store: HistoryStore) -> None:
    store.append([Event(f"u{n}", "a", n, id="1") for n in range(10)])
    store.append([Event("u1", "untimed"), Event("u1", "b", 5.0, id="2")])
    assert store.prune(5.0) == 5
    assert store.prune(5.0) == 0
    assert [len(history.items) for history in store.histories(["u1", "u4", "u5"])] == [2, 0, 1]
    assert store.append([Event("u1", "a", 8.0, id="1"), Event("u1", "b", 8.0, id="2")]) == 1
    with pytest.raises(DataError, match="give a finite number"):
        store.prune(float("nan"))


def test_a_store_tells_what_it_is(store: HistoryStore, kind: str) -> None:
    store.append([Event("u", "a"), Event("v", "a"), Event("v", "b")])
    store.forget("u")
    info = store.describe()
    assert (info.kind, info.read_only, info.keep, info.weakness) == (kind, False, 1000, None)
    assert info.n_events in (2, None)
    assert "secret-word" not in info.place


def test_a_closed_store_says_so(store: HistoryStore) -> None:
    store.close()
    store.close()
    for call in (
        lambda: store.histories(["u"]),
        lambda: store.append([Event("u", "a")]),
        lambda: store.forget("u"),
        store.describe,
    ):
        with pytest.raises(DataError, match="is closed; open it again"):
            call()


def test_what_is_appended_is_there_when_opened_again(opener: Opener) -> None:
    first = opener()
    first.append([Event("u", "a", 1.0)])
    first.close()
    assert opener().histories(["u"])[0].items == ["a"]


def test_another_opened_store_sees_an_append_at_once(opener: Opener) -> None:
    one, two = opener(), opener()
    for n in range(20):
        one.append([Event("u", str(n), n)])
        assert len(two.histories(["u"])[0].items) == n + 1


def test_a_call_of_many_events_stores_all_in_order(store: HistoryStore) -> None:
    n = 2 * AT_ONCE + 7
    assert store.append([Event("u", str(k)) for k in range(n)]) == n
    assert store.histories(["u"])[0].items == [str(k) for k in range(n - 1000, n)]


def test_threads_append_and_read_at_once(store: HistoryStore) -> None:
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(30):
                store.append([Event(name, str(n), n, id=str(n)), Event("all", f"{name}:{n}")])
                history = store.histories([name])[0]
                assert history.items == [str(k) for k in range(n + 1)]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"u{n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    everything = store.histories(["all"])[0].items
    assert sorted(everything) == sorted(f"u{k}:{n}" for k in range(12) for n in range(30))
    for k in range(12):
        mine = [item for item in everything if item.startswith(f"u{k}:")]
        assert mine == [f"u{k}:{n}" for n in range(30)]
