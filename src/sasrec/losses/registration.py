"""Registration: a loss from outside is checked and takes its place beside the built-in ones."""

from __future__ import annotations

from sasrec.errors import SettingsError
from sasrec.losses.contract import FullLoss, SampledLoss
from sasrec.settings.registry import LOSSES
from sasrec.settings.training import TrainingSettings


def register_loss(loss: FullLoss | SampledLoss) -> FullLoss | SampledLoss:
    """Make a loss known by its name, so that ``loss=NAME`` chooses it.

    Args:
        loss: A ``FullLoss`` or ``SampledLoss``.

    Returns:
        The loss.

    Raises:
        SettingsError: The loss lacks something, or its name is taken.
    """
    check_loss(loss, getattr(loss, "name", repr(loss)))
    LOSSES.add(loss.name, loss, loss.build.__module__)
    return loss


def check_loss(loss: object, name: str) -> None:
    """Refuse what is no loss the package can work with.

    Args:
        loss: What is to be registered.
        name: The name it is to have.

    Raises:
        SettingsError: Something does not fit.
    """
    if not isinstance(loss, FullLoss | SampledLoss):
        raise SettingsError(
            f"{name} is no loss: wrap the function in sasrec.SampledLoss (sasrec.FullLoss for a "
            "loss over the whole catalogue)"
        )
    if name != loss.name:
        raise SettingsError(f"the name {name!r} is not that of the loss, {loss.name!r}; use one")
    if not loss.name.isidentifier():
        raise SettingsError(f"{name!r} is no name for a loss; use letters, digits and _")
    if not callable(loss.build):
        raise SettingsError(
            f"loss {name}: build is no function of (settings, n_items) that returns the loss"
        )
    unknown = sorted(loss.uses - TrainingSettings.model_fields.keys())
    if unknown:
        raise SettingsError(f"loss {name} uses {unknown[0]!r}, which is no setting of training")
