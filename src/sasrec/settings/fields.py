"""Fields: what every group of settings is made of.

Each field carries its documentation in the string under it, and its name in RecBole, where it has
one, as ``recbole(...)``. A model's own settings stand beside the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from sasrec.settings.written import spelling


class Settings(BaseModel):
    """A closed, frozen group of settings: unknown keys are refused, values are checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


Activation = Literal["gelu", "relu", "swish", "tanh", "sigmoid"]
"""Names of activations, as RecBole spells them."""
Norm = Literal["layer", "rms"]
"""Names of normalisations."""


def check_heads(width: int, heads: int) -> None:
    """Refuse a width that attention heads cannot share.

    Args:
        width: Of hidden states.
        heads: Number of heads.

    Raises:
        ValueError: It is no multiple.
    """
    if width % heads:
        below, above = width // heads * heads, (width // heads + 1) * heads
        near = f"{below} or {above}" if below else str(above)
        raise ValueError(
            f"hidden_size {width} cannot be shared by n_heads {heads}; "
            f"choose a multiple of {heads}, such as {near}"
        )


def recbole(name: str) -> dict[str, Any]:
    """Return the field metadata that gives a setting its second name, the one RecBole uses.

    Args:
        name: RecBole's key, such as ``train_batch_size``.

    Returns:
        Metadata for ``Field(json_schema_extra=...)``.
    """
    return {"recbole": name}


def worded(value: Any) -> Any:
    """Return a number as the text it was before it was read as a literal."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return spelling(value) if is_number else value


def in_case(change: Callable[[str], str]) -> BeforeValidator:
    """Return a validator that forgives upper and lower case, as RecBole does."""
    return BeforeValidator(lambda value: change(value) if isinstance(value, str) else value)


Word = Annotated[str, BeforeValidator(worded), StringConstraints(min_length=1)]
"""A text that is not empty; a number is taken as it was written."""
