"""The endpoints that ask the model or the store."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sasrec_serve.errors import DataError
from sasrec_serve.histories import History
from sasrec_serve.server.answering import written
from sasrec_serve.server.asks import SimilarAsk, explain_ask, list_ask
from sasrec_serve.server.event_checks import check_times, event_remarks
from sasrec_serve.server.json_bodies import parsed
from sasrec_serve.server.messages import Reply, Request, whole_number
from sasrec_serve.server.metrics import CONTENT_TYPE
from sasrec_serve.server.refusals import Refused
from sasrec_serve.server.request_checks import (
    check_length,
    check_limits,
    check_number,
    checked,
    checked_lists,
)
from sasrec_serve.server.request_models import (
    EventsBody,
    ExplainBody,
    ForHistory,
    ForUser,
    ForUsers,
    SimilarBody,
)
from sasrec_serve.server.services import Services

if TYPE_CHECKING:
    from sasrec_serve.stores.contract import HistoryStore

SEARCH_LIMIT = 100
LONGEST_SEARCH = 200
NO_STORE = (
    "this server has no store of histories, so users cannot be named; send the history, or start "
    "it with --store"
)


class Endpoints:
    """The endpoints; each takes a request and returns an answer, or raises ``Refused``."""

    def __init__(self, services: Services) -> None:
        """Keep what they use.

        Args:
            services: The model, the store and the limits.
        """
        self.services = services
        self._is_reloading = False

    async def recommend(self, request: Request) -> Reply:
        """Return lists for histories or users."""
        body = checked_lists(parsed(request.body))
        check_limits(body, self.services.limits)
        stored: list[History] = []
        if isinstance(body, ForUsers):
            stored = await self._histories(body.users)
        elif isinstance(body, ForUser) and not isinstance(body, ForHistory):
            stored = await self._histories([body.user])
        return Reply(await self.services.batcher.submit(list_ask(body, stored)))

    async def similar(self, request: Request) -> Reply:
        """Return the items most similar to each of some items."""
        body, limits = checked(SimilarBody, parsed(request.body)), self.services.limits
        check_number("k", body.k, limits.k)
        check_length("items", body.items, limits.histories)
        return Reply(await self.services.batcher.submit(SimilarAsk(body.items, body.k)))

    async def explain(self, request: Request) -> Reply:
        """Return what each event of a history adds to the scores of items."""
        body, limits = checked(ExplainBody, parsed(request.body)), self.services.limits
        check_length("history", body.history, limits.events)
        check_length("items", body.items, limits.k)
        return Reply(await self.services.batcher.submit(explain_ask(body, limits.explained)))

    async def items(self, request: Request) -> Reply:
        """Return items whose title or token has all words of a search.

        Raises:
            Refused: The search is too long.
        """
        parameters = request.parameters(["search", "limit"])
        limit = whole_number(parameters, "limit", 20, most=SEARCH_LIMIT)
        query, served = parameters.get("search", ""), self.services.slot.current
        if len(query) > LONGEST_SEARCH:
            raise Refused(422, f"search is longer than {LONGEST_SEARCH} characters", "query.search")
        items, found = await self.services.threads.run(partial(served.search.find, query, limit))
        titles = served.recommender.titles
        entries = [{"item": item, "title": titles.get(item)} for item in items]
        return Reply(written({"items": entries, "found": found, "model": served.digest}))

    async def history(self, request: Request) -> Reply:
        """Return the stored history of a user.

        Raises:
            Refused: No user is named.
        """
        user = request.parameters(["user"]).get("user", "")
        if not 1 <= len(user) <= 256 or "\0" in user:
            raise Refused(
                422, "give the user, of 1 to 256 characters: /history?user=u1", "query.user"
            )
        [history] = await self._histories([user])
        titles = self.services.slot.current.recommender.titles
        unknown = [None] * len(history.items)
        events = zip(history.items, history.times or unknown, history.types or unknown, strict=True)
        return Reply(
            written(
                {
                    "user": user,
                    "events": [
                        {"item": item, "title": titles.get(item), "time": time, "type": kind}
                        for item, time, kind in events
                    ],
                }
            )
        )

    async def events(self, request: Request) -> Reply:
        """Return how many events were new; when the answer is sent, they are safe."""
        from sasrec_serve.stores.contract import Event

        store = self._store()
        body = checked(EventsBody, parsed(request.body))
        check_length("events", body.events, self.services.limits.events)
        new = [Event(each.user, each.item, each.time, each.type, each.id) for each in body.events]
        recommender = self.services.slot.current.recommender
        check_times(recommender, new)
        stored = await self.services.store_threads.run(partial(_stored, store, new))
        remarks = event_remarks(recommender, new)
        return Reply(written({"stored": stored} | ({"remarks": remarks} if remarks else {})))

    async def model(self, request: Request) -> Reply:
        """Return what is served, and what may be asked."""
        request.parameters([])
        services, served = self.services, self.services.slot.current
        recommender = served.recommender
        manifest = recommender.export.manifest
        return Reply(
            written(
                {
                    "model": served.digest,
                    "kind": recommender.export.serving.model,
                    "n_items": len(recommender.items),
                    "n_users": len(recommender.users) if recommender.users else 0,
                    "max_history": recommender.max_history,
                    "event_types": list(recommender.event_types),
                    "exported": manifest.written,
                    "loaded": _date(served.loaded),
                    "versions": {"sasrec": manifest.version, "sasrec-serve": _own_version()},
                    "card": _finite(recommender.card),
                    "item_columns": list(recommender.export.item_columns),
                    "rules": list(served.rules.switches.sets),
                    "default_rules": list(served.rules.switches.default),
                    "recall": recommender.recall,
                    "limits": asdict(services.limits),
                    "has_store": services.store is not None,
                }
            )
        )

    async def health(self, request: Request) -> Reply:
        """Return that the process answers."""
        return Reply(b'{"status":"ok"}')

    async def ready(self, request: Request) -> Reply:
        """Return whether requests are answered, and whether the newest export is refused."""
        slot, is_stopping = self.services.slot, self.services.is_stopping
        refused = None if slot.refusal is None else _date(slot.refusal.at)
        body = {"ready": not is_stopping, "model": slot.current.digest, "refused": refused}
        return Reply(written(body), 503 if is_stopping else 200)

    async def metrics(self, request: Request) -> Reply:
        """Return all metrics as text."""
        return Reply(self.services.metrics.written(), content_type=CONTENT_TYPE.encode())

    async def reload(self, request: Request) -> Reply:
        """Return whether there is a new export; it is served if it can be loaded.

        Raises:
            Refused: It cannot be loaded, or one is being loaded.
        """
        if self._is_reloading:  # each would hold a thread, and load the same
            raise Refused(503, "an export is being loaded; try again in 1 s", retry_seconds=1)
        self._is_reloading, slot = True, self.services.slot
        try:
            outcome = await self.services.threads.run(partial(slot.check, again=True))
        finally:
            self._is_reloading = False
        self.services.reload_others()
        if outcome == "refused" and slot.refusal is not None:
            raise Refused(409, f"the earlier model is still served: {slot.refusal.reason}")
        return Reply(written({"outcome": outcome, "model": slot.current.digest}))

    def _store(self) -> HistoryStore:
        if self.services.store is None:
            raise Refused(404, NO_STORE)
        return self.services.store

    async def _histories(self, users: list[str]) -> list[History]:
        store = self._store()
        return await self.services.store_threads.run(partial(_loaded, store, users))


def _loaded(store: HistoryStore, users: list[str]) -> list[History]:
    from sasrec_serve.errors import StoreUnavailable

    try:
        return store.histories(users)
    except StoreUnavailable as error:
        raise Refused(503, str(error), retry_seconds=1) from error
    except DataError as error:
        raise Refused(409, str(error)) from error


def _stored(store: HistoryStore, new: list[Any]) -> int:
    from sasrec_serve.errors import StoreUnavailable

    try:
        return store.append(new)
    except StoreUnavailable as error:
        raise Refused(503, str(error), retry_seconds=1) from error
    except DataError as error:
        raise Refused(409, str(error)) from error


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _own_version() -> str:
    try:
        return version("sasrec-serve")
    except PackageNotFoundError:
        return "unknown"


def _finite(value: Any) -> Any:
    """Return a value with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value - value != 0 else value
