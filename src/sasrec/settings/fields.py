"""Building blocks for groups of settings.

The string below each field is its documentation. ``recbole(...)`` gives the field's name in
RecBole, if it has one. A model's own settings are defined next to the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from sasrec.settings.written import spelling


class Settings(BaseModel):
    """An immutable group of settings; unknown keys are rejected and values are checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


Activation = Literal["gelu", "relu", "swish", "tanh", "sigmoid"]
"""Names of activation functions, spelled as in RecBole."""
Norm = Literal["layer", "rms"]
"""Kinds of normalisation."""


def check_heads(width: int, heads: int) -> None:
    """Reject a width that cannot be divided evenly between attention heads.

    Args:
        width: Width of hidden states.
        heads: Number of heads.

    Raises:
        ValueError: The width is not a multiple of the number of heads.
    """
    if width % heads:
        below, above = width // heads * heads, (width // heads + 1) * heads
        near = f"{below} or {above}" if below else str(above)
        raise ValueError(
            f"hidden_size {width} cannot be shared by n_heads {heads}; "
            f"choose a multiple of {heads}, such as {near}"
        )


def recbole(name: str) -> dict[str, Any]:
    """Return the field metadata that says what RecBole calls a setting.

    Args:
        name: RecBole's key, such as ``train_batch_size``.

    Returns:
        Metadata for ``Field(json_schema_extra=...)``.
    """
    return {"recbole": name}


def number_as_text(value: Any) -> Any:
    """Return a number as the text it was parsed from; return other values unchanged."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return spelling(value) if is_number else value


def ignore_case(change: Callable[[str], str]) -> BeforeValidator:
    """Return a validator that converts texts to one letter case, so that case is ignored."""
    return BeforeValidator(lambda value: change(value) if isinstance(value, str) else value)


def written_as(pattern: str, form: str) -> AfterValidator:
    """Return a validator for text of a certain form, which error texts describe in words.

    Args:
        pattern: Regular expression that the whole text must match.
        form: The form in words, to complete the sentence "it must …".

    Returns:
        The validator, for ``Annotated[str, ...]``.
    """

    def checked(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"it must {form}")
        return value

    return AfterValidator(checked)


Word = Annotated[str, BeforeValidator(number_as_text), StringConstraints(min_length=1)]
"""Text that is not empty; a number is turned into text with its original spelling."""
