"""Random sequences of calls have the same outcome as on a plain dict."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from store_servers import Opener, slow

from sasrec_serve.histories import History
from sasrec_serve.stores.contract import Event, HistoryStore

KEEP = 4
USERS = ["a", "b", "ü\t\n", "%"]
EVENTS = st.lists(
    st.builds(
        Event,
        user=st.sampled_from(USERS),
        item=st.sampled_from(["i", "j", "\t", '"']),
        time=st.sampled_from([None, -1.0, 0.0, -0.0, 1, 1.5, 2.0, 1e300]),
        type=st.sampled_from([None, "buy", "null"]),
        id=st.sampled_from([None, None, "1", "2", "3"]),
    ),
    max_size=6,
)


class Model:
    """The same as a store, as simply as possible."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, events: list[Event]) -> int:
        return sum(self._add(event) for event in events if not self._has_id(event))

    def merge(self, events: list[Event]) -> int:
        count, seen = 0, {_content(event) for event in self.events if event.time is not None}
        added: set[object] = set()
        for event in events:
            is_known = event.time is not None and _content(event) in seen | added
            if event.time is not None:
                added.add(_content(event))
            count += 0 if is_known or self._has_id(event) else self._add(event)
        return count

    def forget(self, user: str) -> int:
        return self._keep([event for event in self.events if event.user != user])

    def prune(self, before: float) -> int:
        return self._keep([e for e in self.events if e.time is None or e.time >= before])

    def history(self, user: str) -> History:
        mine = [event for event in self.events if event.user == user]
        mine.sort(key=lambda e: float("inf") if e.time is None else e.time)
        mine = mine[-KEEP:]
        times = [event.time for event in mine if event.time is not None]
        types = [event.type for event in mine]
        return History(
            [event.item for event in mine],
            times if mine and len(times) == len(mine) else None,
            types if any(types) else None,
            user,
        )

    def _has_id(self, event: Event) -> bool:
        return event.id is not None and any(
            (old.user, old.id) == (event.user, event.id) for old in self.events
        )

    def _add(self, event: Event) -> int:
        self.events.append(event)
        return 1

    def _keep(self, events: list[Event]) -> int:
        before, self.events = len(self.events), events
        return before - len(events)


def _content(event: Event) -> tuple[object, ...]:
    return (event.user, event.item, event.time, event.type)


def machine(store: HistoryStore) -> type[RuleBasedStateMachine]:
    """Return calls of a store, which is emptied first."""

    class Calls(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.store = Model(), store
            for user in USERS:
                store.forget(user)

        @rule(events=EVENTS)
        def append(self, events: list[Event]) -> None:
            assert self.store.append(events) == self.model.append(events)

        @rule(events=EVENTS)
        def merge(self, events: list[Event]) -> None:
            assert self.store.merge(events) == self.model.merge(events)

        @rule(user=st.sampled_from(USERS))
        def forget(self, user: str) -> None:
            assert self.store.forget(user) == self.model.forget(user)

        @rule(before=st.sampled_from([-1.0, 0.0, 1.5, 1e300]))
        def prune(self, before: float) -> None:
            assert self.store.prune(before) == self.model.prune(before)

        @invariant()
        def histories_are_equal(self) -> None:
            assert self.store.histories(USERS) == [self.model.history(user) for user in USERS]
            assert self.store.describe().n_events in (len(self.model.events), None)

    return Calls


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", ["sqlite", slow("redis"), slow("postgresql")])
def test_a_store_behaves_like_a_plain_model(opener: Opener) -> None:
    calls = machine(opener(keep=KEEP))
    run_state_machine_as_test(calls, settings=settings(deadline=None, stateful_step_count=15))
