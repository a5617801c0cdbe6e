"""What a client should know about events that it stores: what the model cannot use of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.server.refusals import Refused
from sasrec_serve.times import check_unit
from sasrec_serve.wording import counted, did_you_mean

if TYPE_CHECKING:
    from sasrec_serve.recommender import Recommender
    from sasrec_serve.stores.contract import Event


def check_times(recommender: Recommender, events: Sequence[Event]) -> None:
    """Check that the times of events are in the unit of the model's.

    A stored time in another unit would make every later request for the user fail.

    Args:
        recommender: The model.
        events: The events.

    Raises:
        Refused: With status 409: they are not.
    """
    serving = recommender.export.serving
    if not serving.needs_times:
        return
    for number, event in enumerate(events):
        if event.time is None:
            continue
        try:
            check_unit([np.array([event.time])], serving.time_unit)
        except DataError as error:
            text = str(error).removeprefix("times of histories: ")
            raise Refused(
                409, f"nothing was stored: {text}", f"body.events.{number}.time"
            ) from error


def event_remarks(recommender: Recommender, events: Sequence[Event]) -> list[str]:
    """Return what the model cannot use of events, with counts.

    Args:
        recommender: The model.
        events: The events.
    """
    found = (
        _untimed(recommender, events),
        _types(recommender, events),
        _items(recommender, events),
    )
    return [remark for remark in found if remark]


def _untimed(recommender: Recommender, events: Sequence[Event]) -> str:
    n_untimed = sum(event.time is None for event in events)
    if not n_untimed or not recommender.export.serving.needs_times:
        return ""
    return (
        f"{counted(n_untimed, 'event')} without a time: the model uses times, and ignores all "
        "times of a user who has an event without one; send a time with every event"
    )


def _types(recommender: Recommender, events: Sequence[Event]) -> str:
    known = list(recommender.event_types)
    strange = [event.type for event in events if event.type is None or event.type not in known]
    if not strange or not known:
        return ""
    named = next((name for name in strange if name is not None), None)
    shown = "" if named is None else f", such as {named[:60]!a}{did_you_mean(named[:60], known)}"
    return (
        f"{counted(len(strange), 'event')} without a type that the model knows{shown} "
        f"(types: {', '.join(known)})"
    )


def _items(recommender: Recommender, events: Sequence[Event]) -> str:
    strange = [event.item for event in events if event.item not in recommender.items]
    if not strange:
        return ""
    return (
        f"{counted(len(strange), 'event')} with an item that the model does not know, such as "
        f"{strange[0][:60]!a}: this model skips it, and a later one may know it"
    )
