"""The bodies of requests: their fields, types and limits."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME = r"^[^\u0000]+$"
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=NAME)]
"""Names of users, items and types that are stored: up to 1,024 bytes, without NUL."""


def _whole(value: object) -> object:
    """Return 10 for 10.0, which is the same number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]


class Body(BaseModel):
    """A JSON object without unknown fields; texts are not taken for numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class HistoryEvent(Body):
    """One event of a history.

    Attributes:
        item: The item.
        time: In the unit of the training data, such as seconds since 1970; null if unknown.
        type: Such as "purchase"; null if unknown.
    """

    item: str
    time: Annotated[float, Field(ge=-1e18, le=1e18)] | None = None
    type: str | None = None


Events = Annotated[
    list[str] | list[HistoryEvent],
    Field(description="Oldest first: items, or objects if times or types are known."),
]


class HistoryOfUser(Body):
    """A history together with its user.

    Attributes:
        events: The events, oldest first.
        user: The user, for models that learn users; null if unknown.
    """

    events: Events
    user: str | None = None


class ListBody(Body):
    """What all bodies of /recommend have.

    Attributes:
        k: Number of items in a list; fewer are returned if fewer are allowed.
        candidates: Recommend only these items; null allows all that the model has learned.
        exclude: Never recommend these items.
        exclude_seen: Leave out the items of the history.
        rules: The name of a set of rules of this server, or a list of names; or rules, which may
            have the names of sets under "sets". null takes the default sets.
        next_type: The type of event to predict, such as "purchase"; null takes the default.
    """

    k: Count = 10
    candidates: Annotated[list[str], Field(min_length=1)] | None = None
    exclude: list[str] | None = None
    exclude_seen: bool = True
    rules: str | list[str] | dict[str, Any] | None = None
    next_type: str | None = None


class ForHistory(ListBody):
    """A list for one history.

    Attributes:
        history: The events, oldest first.
        user: The user, for models that learn users; null if unknown.
    """

    history: Events
    user: str | None = None


class ForHistories(ListBody):
    """A list for each history.

    Attributes:
        histories: Histories, or objects with a history and its user.
    """

    histories: list[Events | HistoryOfUser]


class ForUser(ListBody):
    """A list for a user whose history is in the store.

    Attributes:
        user: The user.
    """

    user: Name


class ForUsers(ListBody):
    """A list for each user; their histories are in the store.

    Attributes:
        users: The users.
    """

    users: list[Name]


class SimilarBody(Body):
    """Items to which similar ones are wanted.

    Attributes:
        items: The items.
        k: Number of similar items for each.
    """

    items: list[str]
    k: Count = 10


class ExplainBody(Body):
    """A history and the items whose scores are to be explained.

    Attributes:
        history: The events, oldest first.
        items: The items.
        user: The user, for models that learn users; null if unknown.
        next_type: The type of event to predict; null takes the default.
    """

    history: Events
    items: Annotated[list[str], Field(min_length=1)]
    user: str | None = None
    next_type: str | None = None


class StoredEvent(Body):
    """An event to store.

    Attributes:
        user: The user.
        item: The item.
        time: In the unit of the training data; null if unknown.
        type: Such as "purchase"; null if unknown.
        id: A name of the event; a second event of the user with the same id is ignored.
    """

    user: Name
    item: Name
    time: Annotated[float, Field(ge=-1e18, le=1e18)] | None = None
    type: Name | None = None
    id: Name | None = None


class EventsBody(Body):
    """Events to store.

    Attributes:
        events: In order of arrival.
    """

    events: list[StoredEvent]
