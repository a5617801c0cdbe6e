"""Check and register losses that are defined outside this package."""

from __future__ import annotations

from sasrec.errors import SettingsError
from sasrec.losses.contract import FullLoss, SampledLoss
from sasrec.settings.registry import LOSSES
from sasrec.settings.training import TrainingSettings


def register_loss(loss: FullLoss | SampledLoss) -> FullLoss | SampledLoss:
    """Register a loss under its name, so that ``loss=NAME`` selects it.

    Args:
        loss: A ``FullLoss`` or ``SampledLoss``.

    Returns:
        The loss.

    Raises:
        SettingsError: The loss is invalid, or its name is already taken.
    """
    check_loss(loss, getattr(loss, "name", repr(loss)))
    LOSSES.add(loss.name, loss, loss.build.__module__)
    return loss


def check_loss(loss: object, name: str) -> None:
    """Raise an error if an object is not a valid loss.

    Args:
        loss: The object to be registered.
        name: The name to register it under.

    Raises:
        SettingsError: The object is not a valid loss, or has another name.
    """
    if not isinstance(loss, FullLoss | SampledLoss):
        raise SettingsError(
            f"{name} is not a loss; wrap the function in sasrec.SampledLoss (sasrec.FullLoss for a "
            "loss over the whole catalogue)"
        )
    if name != loss.name:
        raise SettingsError(
            f"the loss is registered as {name!r}, but its name is {loss.name!r}; use the same name"
        )
    if not loss.name.isidentifier():
        raise SettingsError(
            f"{name!r} cannot be the name of a loss; use letters, digits and _, not starting with "
            "a digit"
        )
    if not callable(loss.build):
        raise SettingsError(
            f"loss {name}: build is not a function; it must take (settings, n_items) and return "
            "the loss function"
        )
    unknown = sorted(loss.uses - TrainingSettings.model_fields.keys())
    if unknown:
        raise SettingsError(
            f"loss {name} uses {unknown[0]!r}, which is not a training setting; remove it from uses"
        )
