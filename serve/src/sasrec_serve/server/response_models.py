"""The bodies of answers, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A JSON object of an answer."""

    model_config = ConfigDict(extra="forbid")


class ListedItem(Answer):
    """An item of a list.

    Attributes:
        item: The item.
        title: Its title; null if it has none.
        score: Comparable within one list only; null for a candidate the model has not learned.
    """

    item: str
    title: str | None
    score: float | None


class RecommendedList(Answer):
    """The list for one history.

    Attributes:
        user: The user of the history; null if unknown.
        items: The items, best first.
        unknown: Events that were skipped, because the model does not know their items.
        by_popularity: Whether these are the most popular items, because the model could not use
            the history.
        untrained: Items of the list that the model has not learned.
        filled_up: Last items of the list, if rules left too few.
        remarks: What of the history was ignored; missing if nothing was.
    """

    user: str | None
    items: list[ListedItem]
    unknown: list[str]
    by_popularity: bool
    untrained: list[str]
    filled_up: list[str]
    remarks: list[str] = []


class Lists(Answer):
    """Recommended lists.

    Attributes:
        lists: One for each history, in the same order.
        model: Digest of the model that computed all of them.
        remarks: What to know about the rules of the request; missing if there is nothing.
    """

    lists: list[RecommendedList]
    model: str
    remarks: list[str] = []


class SimilarList(Answer):
    """Items similar to one item.

    Attributes:
        item: The item.
        items: The most similar items; scores are cosines of their vectors.
    """

    item: str
    items: list[ListedItem]


class SimilarLists(Answer):
    """Similar items.

    Attributes:
        lists: One for each item, in the same order.
        model: Digest of the model.
    """

    lists: list[SimilarList]
    model: str


class ExplainedEvent(Answer):
    """An event of a history.

    Attributes:
        item: The item of the event.
        title: Its title; null if it has none.
        adds: The score minus the score without this event; null where one of them is an event
            count, because the model cannot use the history.
    """

    item: str
    title: str | None
    adds: float | None


class Explanation(Answer):
    """What each event adds to the score of an item.

    Attributes:
        item: The item.
        title: Its title; null if it has none.
        score: Its score; null if the model has not learned it.
        events: The explained events, oldest first.
    """

    item: str
    title: str | None
    score: float | None
    events: list[ExplainedEvent]


class Explanations(Answer):
    """Explained scores.

    Attributes:
        explanations: One for each item.
        by_popularity: Whether scores are event counts, because the model cannot use the history.
        earlier_events: Number of events before those that are explained.
        remarks: What of the history was ignored.
        model: Digest of the model.
    """

    explanations: list[Explanation]
    by_popularity: bool
    earlier_events: int
    remarks: list[str]
    model: str


class NamedItem(Answer):
    """An item.

    Attributes:
        item: The item.
        title: Its title; null if it has none.
    """

    item: str
    title: str | None


class FoundItems(Answer):
    """Items that were found.

    Attributes:
        items: The items, most popular first.
        found: How many items were found, counted up to 1,000.
        model: Digest of the model.
    """

    items: list[NamedItem]
    found: int
    model: str


class ShownEvent(Answer):
    """An event of a stored history.

    Attributes:
        item: The item.
        title: Its title; null if unknown.
        time: The time; null if unknown.
        type: The type; null if unknown.
    """

    item: str
    title: str | None
    time: float | None
    type: str | None


class StoredHistory(Answer):
    """The history of a user in the store.

    Attributes:
        user: The user.
        events: The latest events, oldest first.
    """

    user: str
    events: list[ShownEvent]


class StoredEvents(Answer):
    """The result of storing events.

    Attributes:
        stored: Number of new events, which are safe on disk now.
        remarks: What the model cannot use of them; missing if it can use everything.
    """

    stored: int
    remarks: list[str] | None = None


class ModelCard(Answer):
    """What is served, and what may be asked.

    Attributes:
        model: Digest of the model.
        kind: Name of the model, such as "SASRec".
        n_items: Number of items.
        n_users: Number of users the model has learned; 0 if it uses none.
        max_history: Number of latest events that the model uses.
        event_types: Types of events that the model knows.
        exported: When the model was exported.
        loaded: When this server loaded it.
        versions: Version of sasrec that exported it and of this server.
        card: Data, settings, metrics and versions of the training.
        item_columns: Columns of items that rules can use.
        rules: Names of the sets of rules of this server.
        default_rules: Names of the sets that apply unless a request says otherwise.
        recall: Share of the best ten items that the search finds; 1 unless it is approximate.
        limits: Limits of requests.
        has_store: Whether histories are kept, so that users can be named.
    """

    model: str
    kind: str
    n_items: int
    n_users: int
    max_history: int
    event_types: list[str]
    exported: str
    loaded: str
    versions: dict[str, str]
    card: dict[str, Any]
    item_columns: list[str]
    rules: list[str]
    default_rules: list[str]
    recall: float
    limits: dict[str, float]
    has_store: bool


class Health(Answer):
    """That the process answers.

    Attributes:
        status: Always "ok".
    """

    status: str


class Readiness(Answer):
    """Whether requests are answered.

    Attributes:
        ready: Whether they are.
        model: Digest of the model.
        refused: Since when the newest export is refused; null if it is served.
    """

    ready: bool
    model: str
    refused: str | None


class Reloaded(Answer):
    """What a look for a new export found.

    Attributes:
        outcome: "swapped" or "unchanged".
        model: Digest of the model that is served now.
    """

    outcome: str
    model: str


class ErrorBody(Answer):
    """Why a request is not answered.

    Attributes:
        error: What is wrong and how to fix it.
        where: The part of the request; null if it is the whole.
    """

    error: str
    where: str | None
