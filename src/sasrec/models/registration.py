"""Registration: a model from outside is checked and takes its place beside the built-in ones."""

from __future__ import annotations

import inspect
from typing import Any

from sasrec.errors import SettingsError
from sasrec.models.contract import NextItemModel
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.output import OutputSettings
from sasrec.settings.recbole_keys import TRANSLATED
from sasrec.settings.registry import BASELINES, MODELS
from sasrec.settings.training import TrainingSettings

SHARED = (DataSettings, TrainingSettings, EvaluationSettings, OutputSettings)
"""The groups of settings that every model has beside its own."""
NO_SETTINGS = {"preset", "model", "dataset", "config", "plugin"}
"""Words that mean something else in a file of settings or on a command line."""


def register_model(model: type[NextItemModel]) -> type[NextItemModel]:
    """Make a model known by the name of its class, so that it is used like a built-in one.

    It is a plain call or a decorator: ``@sasrec.register_model``.

    Args:
        model: A class that derives from ``NextItemModel``, carries its ``Settings``, and is made
            with ``(settings, catalogue)``.

    Returns:
        The class.

    Raises:
        SettingsError: The class lacks something, or its name is taken.
    """
    check_model(model, getattr(model, "__name__", repr(model)))
    MODELS.add(model.__name__, model, model.__module__)
    return model


def check_model(model: Any, name: str) -> None:
    """Refuse a class that is no model the package can work with.

    Args:
        model: What is to be registered.
        name: The name it is to have.

    Raises:
        SettingsError: Something is missing; the text lists all of it.
    """
    if not (isinstance(model, type) and issubclass(model, NextItemModel)):
        raise SettingsError(f"{name} is no model: derive a class from sasrec.NextItemModel")
    missing = [*_missing_parts(model), *_wrong_settings(model)]
    if name != model.__name__:
        missing.append(f"the name {name!r} is not that of the class; give both one name")
    if name in BASELINES or not name.isascii():
        missing.append(f"the name {name!r} is taken or not in ASCII; rename the class")
    if missing:
        raise SettingsError(f"{name} cannot be registered: {'; '.join(missing)}")


def _missing_parts(model: type[NextItemModel]) -> list[str]:
    """Return what a class lacks, in words."""
    missing = []
    if model.encode is NextItemModel.encode:
        missing.append("it lacks encode(batch, at), which returns a state for each event")
    if not model.has_item_table() and model.score is NextItemModel.score:
        missing.append("it lacks item_table (item vectors) or score(hidden, items)")
    try:
        inspect.signature(model).bind("settings", "catalogue")
    except (TypeError, ValueError):
        missing.append("its __init__ does not take (settings, catalogue)")
    return missing


def _wrong_settings(model: type[NextItemModel]) -> list[str]:
    """Return what is wrong with a model's settings and their defaults, in words."""
    kind = getattr(model, "Settings", None)
    if not (isinstance(kind, type) and issubclass(kind, Settings)):
        return ["it lacks Settings, a class of sasrec.Settings with its sizes and their defaults"]
    wrong = []
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    if needed:
        wrong.append(f"the setting {needed[0]!r} has no default")
    shared = {name for group in SHARED for name in group.model_fields}
    taken = [name for name in kind.model_fields if name in shared | NO_SETTINGS | set(TRANSLATED)]
    if taken:
        wrong.append(f"the setting {taken[0]!r} is one that all models have; rename it")
    unknown = [name for name in model.defaults if name not in shared | set(kind.model_fields)]
    if unknown:
        wrong.append(f"its defaults name {unknown[0]!r}, which is no setting")
    return wrong
