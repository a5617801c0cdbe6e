"""Settings about event types, such as view and purchase: input of a model, and its targets."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sasrec.settings.fields import Settings, Word, number_as_text

ALL_TYPES = ("all",)
"""Value of ``train_target_types`` for training on events of every type."""


def _names(value: Any) -> Any:
    """Return ``cart,purchase`` as a tuple; values of other types are checked by pydantic."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    if isinstance(value, set | frozenset):
        return tuple(sorted(value))
    return (number_as_text(value),) if isinstance(value, int | float) else value


TypeNames = Annotated[tuple[Word, ...] | None, BeforeValidator(_names)]


class EventTypeSettings(Settings):
    """Which column says what kind of event a row is."""

    type_column: Word | None = None
    """Column with the type of each event, such as view, cart or purchase. The model then knows the
    type of each event of a history, and predicts the next item for a given type. Only for SASRec
    and plug-in models that use types. None ignores types."""


class TargetTypeSettings(Settings):
    """Which types of events are to be predicted, and which count as seen."""

    target_types: TypeNames = Field(None, min_length=1)
    """With type_column: types of the events to be predicted, such as purchase; the others are only
    history. None predicts all events."""
    train_target_types: TypeNames = Field(None, min_length=1)
    """With type_column: types that training predicts, if they differ from those of validation and
    test; all predicts every event. None takes target_types."""
    seen_types: TypeNames = Field(None, min_length=1)
    """With type_column: rank a target only among items without an earlier event of these types by
    the user, such as purchase; like remove_seen, which removes the items of all earlier events, and
    like the rule seen_types of lists. None leaves it to remove_seen."""


def check_type_column(column: str | None, others: list[str]) -> None:
    """Reject a column of types that has another meaning too.

    Args:
        column: The column of types, or None.
        others: The columns of users, items and times.

    Raises:
        ValueError: The column is one of the others.
    """
    if column is not None and column in others:
        raise ValueError(
            f"type_column is {column!r}, which is also the column of users, items or times; choose "
            "another column"
        )


def settings_of_types(evaluation: TargetTypeSettings) -> list[str]:
    """Return the names of the given settings that choose events by their types.

    Args:
        evaluation: The types of targets, and of the events that count as seen.
    """
    return [key for key in TargetTypeSettings.model_fields if getattr(evaluation, key)]


def type_mistakes(data: EventTypeSettings, evaluation: TargetTypeSettings) -> list[str]:
    """Return what is wrong with the settings of event types together.

    Args:
        data: Has the column of types.
        evaluation: Has the types of targets, and of the events that count as seen.

    Returns:
        Error texts.
    """
    chosen = settings_of_types(evaluation)
    if data.type_column is None and chosen:
        return [f"{chosen[0]} needs the types of events; set type_column to the column with types"]
    return []
