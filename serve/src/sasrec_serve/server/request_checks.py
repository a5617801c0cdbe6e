"""Turning a parsed body into one of the request models, or into one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sasrec_serve.server.limits import Limits
from sasrec_serve.server.refusals import Refused
from sasrec_serve.server.request_models import (
    Body,
    ForHistories,
    ForHistory,
    ForUser,
    ForUsers,
    HistoryEvent,
    HistoryOfUser,
    ListBody,
    StoredEvent,
)
from sasrec_serve.wording import did_you_mean

Model = TypeVar("Model", bound=Body)
KINDS: dict[str, type[ListBody]] = {
    "history": ForHistory,
    "histories": ForHistories,
    "users": ForUsers,
    "user": ForUser,
}
"""By the field that says for whom lists are wanted; ``history`` may be joined by ``user``."""
FIELDS_OF: dict[str, type[Body]] = {"events": StoredEvent}
"""Fields of the objects in a list of a body, by its name; otherwise ``HistoryEvent``."""


def checked(model: type[Model], value: Any) -> Model:
    """Return a body as the model that describes it.

    Args:
        model: The model.
        value: The parsed JSON.

    Returns:
        The body.

    Raises:
        Refused: With status 422: the value does not fit the model.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        refusal = _refusal(model, error)
    raise refusal


def checked_lists(value: Any) -> ListBody:
    """Return a body of /recommend.

    Args:
        value: The parsed JSON.

    Returns:
        The body, as the model of its kind.

    Raises:
        Refused: With status 422: the value is not such a body.
    """
    if not isinstance(value, dict):
        raise Refused(422, 'the body must be an object, such as {"history": []}', "body")
    kinds = [kind for kind in KINDS if kind in value]
    if kinds == ["history", "user"]:
        kinds = ["history"]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        raise Refused(
            422, f"give one of history, histories, user or users; the body has {found}", "body"
        )
    return checked(KINDS[kinds[0]], value)


def check_limits(body: ListBody, limits: Limits) -> None:
    """Check how much a body of /recommend asks for.

    Args:
        body: The body.
        limits: The limits.

    Raises:
        Refused: With status 422: it asks for too much.
    """
    check_number("k", body.k, limits.k)
    check_length("candidates", body.candidates, limits.candidates)
    check_length("exclude", body.exclude, limits.candidates)
    if isinstance(body, ForHistory):
        check_length("history", body.history, limits.events)
    elif isinstance(body, ForUsers):
        check_length("users", body.users, limits.histories)
    elif isinstance(body, ForHistories):
        check_length("histories", body.histories, limits.histories)
        for number, each in enumerate(body.histories):
            events = each.events if isinstance(each, HistoryOfUser) else each
            check_length(f"histories.{number}", events, limits.events)


def check_number(name: str, value: int, most: int) -> None:
    """Check a number against its limit.

    Args:
        name: The field.
        value: The number.
        most: The limit.

    Raises:
        Refused: With status 422: the number is larger.
    """
    if value > most:
        shown = f"{value:,}" if value < 10**12 else "too large"
        raise Refused(
            422, f"{name} is {shown}; this server allows at most {most:,}", f"body.{name}"
        )


def check_length(name: str, values: Sequence[object] | None, most: int) -> None:
    """Check the length of a list against its limit.

    Args:
        name: The field.
        values: The list; None counts as empty.
        most: The limit.

    Raises:
        Refused: With status 422: the list is longer.
    """
    if values is not None and len(values) > most:
        raise Refused(
            422,
            f"{name} has {len(values):,} entries; this server allows at most {most:,}",
            f"body.{name}",
        )


def _refusal(model: type[Body], error: ValidationError) -> Refused:
    """Return the first mistake of a body as a refusal; of alternatives, the one that fits best."""
    mistakes = error.errors(include_url=False)
    first = max(mistakes, key=lambda mistake: len(mistake["loc"]))
    is_unknown = first["type"] == "extra_forbidden"
    named = first["loc"][-1:] if is_unknown else ()  # may be named like an alternative
    rest = first["loc"][: len(first["loc"]) - len(named)]
    path = [_word(part) for part in (*(p for p in rest if not _is_choice(p)), *named)]
    where = ".".join(["body", *path])
    if is_unknown:
        return Refused(
            422,
            f"{'.'.join(path)} is not a field of this request{_known(model, path)}",
            where,
        )
    return Refused(422, f"{'.'.join(path) or 'the body'}: {_message(model, first)}", where)


def _known(model: type[Body], path: Sequence[str]) -> str:
    """Return the fields that an unknown one could have meant."""
    fields = (
        FIELDS_OF.get(path[0], HistoryEvent).model_fields if len(path) > 1 else model.model_fields
    )
    return f"{did_you_mean(path[-1], fields)} (fields: {', '.join(fields)})"


def _message(model: type[Body], mistake: ErrorDetails) -> str:
    """Return what is wrong with a value in words of JSON; ids are often sent as numbers."""
    value, kind = mistake["input"], mistake["type"]
    if kind == "missing":
        return "field required"
    if kind == "string_type" and isinstance(value, int) and not isinstance(value, bool):
        return f'input should be a valid string, in quotes: "{_word(value)}"'
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        fields = model.model_fields if not mistake["loc"] else {}
        shown = f" with the fields {', '.join(fields)}" if fields else ""
        return f"input should be an object{shown}"
    return mistake["msg"][0].lower() + mistake["msg"][1:]


def _is_choice(part: int | str) -> bool:
    """Return whether part of a path names an alternative, which is no field: ``list[str]``."""
    return isinstance(part, str) and (part.startswith(("list[", "dict[")) or part in _CHOICES)


def _word(part: int | str) -> str:
    shown = ascii(part)[1:-1] if isinstance(part, str) else str(part)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_CHOICES = {"str", "HistoryEvent", "HistoryOfUser", "float", "constrained-str"}
