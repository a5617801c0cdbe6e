"""The type of event that a model is asked to predict, and the types of given events, as numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from sasrec_serve.errors import DataError
from sasrec_serve.tokens import token_of
from sasrec_serve.wording import counted, did_you_mean

logger = logging.getLogger(__name__)
ANY_TYPE = "any"
"""Word for an event of any type."""


def asked_number(next_type: str | None, event_types: Sequence[str], default: int) -> int:
    """Return the number of the type that a model is asked to predict.

    Args:
        next_type: Name of the type, or ``any``; None takes the default.
        event_types: The types that the model knows, number 1 first.
        default: Number of the type that the model was evaluated on.

    Returns:
        The number; 0 for any type.

    Raises:
        DataError: The model does not know the type.
    """
    names = list(event_types)
    if next_type is None:
        return default
    if next_type in names:
        return names.index(next_type) + 1
    if next_type == ANY_TYPE:
        return 0
    if not names:
        raise DataError(
            f"next_type is {next_type!r}, but this model uses no event types; train one with "
            "type_column"
        )
    raise DataError(
        f"next_type is {next_type!r}, which the model does not know"
        f"{did_you_mean(str(next_type), names)} (types: {', '.join(names)}, or {ANY_TYPE})"
    )


def type_lists(
    types: Sequence[Sequence[str | None] | None], lengths: list[int]
) -> list[list[str | None] | None]:
    """Return the types of the events of each history.

    Args:
        types: Names of types; None for an unknown type, or for a history without types.
        lengths: Events in each history.

    Returns:
        The types as text.

    Raises:
        DataError: Types are not a list of texts, or there is not one for each event.
    """
    found: list[list[str | None] | None] = []
    for each, length in zip(types, lengths, strict=True):
        if isinstance(each, str) or not isinstance(each, Iterable | None):
            raise DataError(
                f"the types of a history must be a list, such as ['view', 'purchase'], not {each!r}"
            )
        names = None if each is None else [_type_name(name) for name in each]
        if names is not None and len(names) != length:
            raise DataError("types do not match the histories; give one type for each event")
        found.append(names)
    return found


def _type_name(name: object) -> str | None:
    """Return the name of a type as text.

    Raises:
        DataError: It is neither text nor a whole number.
    """
    try:
        return None if name is None else token_of(name)
    except ValueError as error:
        raise DataError(
            f"types must be a list of texts or whole numbers, and {name!r} is neither"
        ) from error


def numbered_types(
    types: Sequence[Sequence[str | None] | None],
    lengths: Sequence[int],
    event_types: Sequence[str],
) -> list[np.ndarray]:
    """Return the types of some histories as numbers; types the model does not know are logged.

    Args:
        types: Names of the types of each history; None if they are unknown.
        lengths: Number of events of each history.
        event_types: The types that the model knows, number 1 first.

    Returns:
        int64 arrays, one for each history; 0 for an unknown type.
    """
    number = {name: index for index, name in enumerate(event_types, start=1)}
    strange: list[str] = []
    found = []
    for names, length in zip(types, lengths, strict=True):
        given = [None] * length if names is None else names
        strange += [name for name in given if name is not None and name not in number]
        found.append(np.array([number.get(name or "", 0) for name in given], dtype=np.int64))
    if strange:
        logger.warning(
            "%s of types that the model does not know, such as %r; it knows %s",
            counted(len(strange), "event"),
            strange[0],
            ", ".join(event_types),
        )
    return found
