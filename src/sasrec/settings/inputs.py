"""Inputs that only some models can use: the content of items and the types of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from sasrec.settings.data import DataSettings
from sasrec.settings.event_types import TargetTypeSettings, settings_of_types

Inputs = Literal["required", "optional"]
"""Whether a model must be able to use the inputs that the settings name. They are optional where
several models learn from the same data: the models that cannot use them learn without."""


class Uses(Protocol):
    """What a class of models says about its inputs."""

    uses_types: bool
    uses_content: bool


def unused_inputs(data: DataSettings, model: Uses) -> tuple[str, ...]:
    """Return the settings of inputs that a model cannot use.

    Args:
        data: Which inputs there are.
        model: Class of the model, or what it says about its inputs.

    Returns:
        Of ``type_column``, ``content_columns`` and ``item_vectors`` those that are set and that
        the model cannot use.
    """
    unused = []
    if data.type_column is not None and not model.uses_types:
        unused.append("type_column")
    if data.has_content and not model.uses_content:
        unused += ["content_columns"] if data.content_columns else []
        unused += ["item_vectors"] if data.item_vectors is not None else []
    return tuple(unused)


def input_mistakes(data: DataSettings, name: str, model: Uses) -> list[str]:
    """Return error texts for inputs that a model, which is trained alone, cannot use.

    Args:
        data: Which inputs there are.
        name: Name of the model.
        model: Class of the model, or what it says about its inputs.

    Returns:
        Error texts.
    """
    unused = unused_inputs(data, model)
    texts = []
    if "type_column" in unused:
        texts.append(
            f"{name} cannot use event types (type_column is {data.type_column!r}); choose SASRec, "
            "or remove type_column"
        )
    if content := [key for key in unused if key != "type_column"]:
        texts.append(
            f"{name} learns from events only and cannot use {content[0]}; choose SASRec, or "
            f"remove {content[0]}"
        )
    return texts


def wasted_inputs(
    data: DataSettings,
    evaluation: TargetTypeSettings,
    models: Mapping[str, Uses],
) -> list[str]:
    """Return error texts for inputs that none of several models can use.

    Args:
        data: Which inputs there are.
        evaluation: Types of targets and of seen events, for which any model needs ``type_column``.
        models: Name to class of the models that are trained on the same data.

    Returns:
        Error texts.
    """
    common = [set(unused_inputs(data, model)) for model in models.values()]
    nobody = set.intersection(*common) if common else set()
    if settings_of_types(evaluation):
        nobody.discard("type_column")
    return [
        f"none of the models to train ({', '.join(models)}) can use {key}; add SASRec, or remove "
        f"{key}"
        for key in ("type_column", "content_columns", "item_vectors")
        if key in nobody
    ]
