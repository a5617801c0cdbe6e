"""What a checked request asks a model for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sasrec_serve.histories import History
from sasrec_serve.server.refusals import Refused
from sasrec_serve.server.request_models import (
    ExplainBody,
    ForHistories,
    ForHistory,
    HistoryEvent,
    HistoryOfUser,
    ListBody,
)

SETS = "sets"
"""Beside the rules of a request: names of the sets that apply too."""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What the lists of one request may contain; requests with equal options share a batch.

    Attributes:
        k: Number of items in a list.
        exclude_seen: Whether to leave out the items of the history.
        candidates: The only items allowed; None allows all.
        exclude: Items that are left out.
        sets: Names of the sets of rules; None for the default ones.
        own_rules: Rules of the request itself; None for none.
        next_type: The type of event to predict; None for the default.
    """

    k: int = 10
    exclude_seen: bool = True
    candidates: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    sets: tuple[str, ...] | None = None
    own_rules: dict[str, Any] | None = None
    next_type: str | None = None

    @property
    def shared_key(self) -> tuple[object, ...] | None:
        """Equal for options that one batch can have; None for options of their own."""
        if self.candidates is not None or self.exclude or self.own_rules is not None:
            return None
        return (self.exclude_seen, self.next_type, self.sets)


@dataclass(frozen=True, slots=True)
class ListAsk:
    """Asks for a list for each history.

    Attributes:
        histories: The histories.
        options: What the lists may contain.
        remarks: For each history, what was ignored; empty if nothing was.
    """

    histories: Sequence[History]
    options: ListOptions
    remarks: Sequence[Sequence[str]] = ()

    @property
    def n_histories(self) -> int:
        """Number of histories to compute."""
        return len(self.histories)


@dataclass(frozen=True, slots=True)
class SimilarAsk:
    """Asks for the items most similar to each of some items.

    Attributes:
        items: The items.
        k: Number of similar items for each.
    """

    items: Sequence[str]
    k: int

    @property
    def n_histories(self) -> int:
        """Number of histories that would take as long."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class ExplainAsk:
    """Asks what each event of a history adds to the scores of some items.

    Attributes:
        history: The history.
        items: The items.
        next_type: The type of event to predict; None for the default.
        most: Number of latest events to compute this for.
        remarks: What was ignored.
    """

    history: History
    items: Sequence[str]
    next_type: str | None
    most: int
    remarks: Sequence[str] = field(default=())

    @property
    def n_histories(self) -> int:
        """Number of histories to compute: one without each event, and the whole."""
        return min(len(self.history.items), self.most) + 1


Ask: TypeAlias = ListAsk | SimilarAsk | ExplainAsk


def list_ask(body: ListBody, stored: Sequence[History]) -> ListAsk:
    """Return what a body of /recommend asks for.

    Args:
        body: The body.
        stored: The histories of its users, if it names users.

    Returns:
        The ask.
    """
    histories = list(stored)
    remarks: list[tuple[str, ...]] = [()] * len(stored)
    if isinstance(body, ForHistory):
        history, remark = history_of(body.history, body.user)
        histories, remarks = [history], [remark]
    elif isinstance(body, ForHistories):
        pairs = [
            history_of(each.events, each.user)
            if isinstance(each, HistoryOfUser)
            else history_of(each, None)
            for each in body.histories
        ]
        histories, remarks = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return ListAsk(histories, _options(body), remarks)


def explain_ask(body: ExplainBody, most: int) -> ExplainAsk:
    """Return what a body of /explain asks for.

    Args:
        body: The body.
        most: Number of latest events to explain.

    Returns:
        The ask.
    """
    history, remarks = history_of(body.history, body.user)
    return ExplainAsk(history, body.items, body.next_type, most, remarks)


def history_of(
    events: list[str] | list[HistoryEvent], user: str | None
) -> tuple[History, tuple[str, ...]]:
    """Return a history, and what of it is ignored.

    Args:
        events: Items, or events with times and types.
        user: The user.

    Returns:
        The history, with times only if all events have one; and a remark if only some have.
    """
    if not events or isinstance(events[0], str):
        return History(events, user=user), ()  # type: ignore[arg-type]  # all of one kind
    given = [event for event in events if isinstance(event, HistoryEvent)]
    times = [event.time for event in given if event.time is not None]
    types = [event.type for event in given]
    remarks: tuple[str, ...] = ()
    if times and len(times) < len(given):
        missing = len(given) - len(times)
        remarks = (f"times are ignored, because {missing} of {len(given)} events have none",)
    return (
        History(
            [event.item for event in given],
            times if len(times) == len(given) else None,
            types if any(each is not None for each in types) else None,
            user,
        ),
        remarks,
    )


def _options(body: ListBody) -> ListOptions:
    sets, own = _rules(body.rules)
    return ListOptions(
        k=body.k,
        exclude_seen=body.exclude_seen,
        candidates=body.candidates,
        exclude=body.exclude or (),
        sets=sets,
        own_rules=own,
        next_type=body.next_type,
    )


def _rules(
    given: str | list[str] | dict[str, Any] | None,
) -> tuple[tuple[str, ...] | None, dict[str, Any] | None]:
    """Return the names of sets and the rules of its own that a request has.

    Raises:
        Refused: With status 422: ``sets`` is not a list of names.
    """
    if isinstance(given, str):
        return (given,), None
    if not isinstance(given, dict):
        return None if given is None else tuple(given), None
    own = {name: value for name, value in given.items() if name != SETS}
    sets = given.get(SETS)
    if sets is not None and not (
        isinstance(sets, list) and all(isinstance(name, str) for name in sets)
    ):
        raise Refused(422, f"rules.{SETS} must be a list of names", f"body.rules.{SETS}")
    return None if sets is None else tuple(sets), own or None
