"""``content.json`` of a model folder: how the content of items was turned into numbers."""

from __future__ import annotations

import math
from typing import Any

from sasrec.data.content.columns import ContentColumn
from sasrec.errors import ModelError

KINDS = ("categories", "number", "vector")


def content_as_json(columns: tuple[ContentColumn, ...]) -> dict[str, Any]:
    """Return how content was turned into numbers, in types JSON has.

    Args:
        columns: The content columns.
    """
    return {"columns": [column.as_json() for column in columns]}


def content_from_json(content: dict[str, Any]) -> tuple[ContentColumn, ...]:
    """Return how content was turned into numbers, from its JSON.

    Args:
        content: What ``content_as_json`` returned; empty for a model without content.

    Raises:
        ModelError: A value has the wrong type.
    """  # raised by _column
    return tuple(_column(each) for each in content.get("columns", []))


def _column(content: Any) -> ContentColumn:
    """Return a column from its JSON.

    Raises:
        ModelError: A value has the wrong type.
    """
    name, kind = content["name"], content["kind"]
    values, centre, scale = content["values"], content["centre"], content["scale"]
    if not isinstance(name, str) or kind not in KINDS:
        raise ModelError("a content column has no valid name or kind")
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ModelError(f"the content column {name!r} has a value that is not text")
    for text in (name, *values):
        text.encode()  # raises for lone surrogates, which could not be printed
    numbers = [*centre, scale]
    if not all(type(each) in (int, float) and math.isfinite(each) for each in numbers) or not scale:
        raise ModelError(f"the content column {name!r} has a mean or scale that is no number")
    return ContentColumn(name, kind, tuple(values), tuple(map(float, centre)), float(scale))
