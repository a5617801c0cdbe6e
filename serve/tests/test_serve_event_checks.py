"""Events that a model cannot use are refused or told when they are stored."""

from types import SimpleNamespace
from typing import Any

import pytest

from sasrec_serve.server.event_checks import check_times, event_remarks
from sasrec_serve.server.refusals import Refused
from sasrec_serve.stores.contract import Event


def model(*, needs_times: bool = True, unit: str | None = "seconds") -> Any:
    serving = SimpleNamespace(needs_times=needs_times, time_unit=unit)
    export = SimpleNamespace(serving=serving)
    return SimpleNamespace(export=export, event_types=(), items={"cup", "pot"})


@pytest.mark.parametrize("time", [1.7e12, 1.7e15, 20240531.0])
def test_times_of_another_unit_are_refused_before_they_are_stored(time: float) -> None:
    events = [Event("u", "cup", 1.7e9), Event("u", "cup"), Event("u", "pot", time)]
    with pytest.raises(Refused, match="nothing was stored: times such as") as refused:
        check_times(model(), events)
    assert (refused.value.status, refused.value.where) == (409, "body.events.2.time")


def test_times_that_the_model_does_not_compare_are_not_checked() -> None:
    events = [Event("u", "cup", 1.7e12)]
    check_times(model(needs_times=False), events)
    check_times(model(unit=None), events)
    check_times(model(), [Event("u", "cup", 1.7e9), Event("u", "cup", 5.0), Event("u", "cup")])


def test_events_without_times_are_told_if_the_model_uses_times() -> None:
    events = [Event("u", "cup"), Event("u", "pot", 1.7e9)]
    [remark] = event_remarks(model(), events)
    assert remark.startswith("1 event without a time: the model uses times, and ignores all times")
    assert event_remarks(model(needs_times=False), events) == []
    assert event_remarks(model(), events[1:]) == []
