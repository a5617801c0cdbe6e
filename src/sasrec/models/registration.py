"""Check and register models that are defined outside this package."""

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
"""Groups of settings that every model has in addition to its own."""
NO_SETTINGS = {"preset", "model", "dataset", "config", "plugin"}
"""Reserved names, which have another meaning in settings files or on the command line."""


def register_model(model: type[NextItemModel]) -> type[NextItemModel]:
    """Register a model under its class name, so that it can be used like a built-in model.

    Call it as a function or use it as a decorator: ``@sasrec.register_model``.

    Args:
        model: A subclass of ``NextItemModel`` that defines ``Settings`` and whose constructor takes
            ``(settings, catalogue)``.

    Returns:
        The class.

    Raises:
        SettingsError: The class is invalid, or its name is already taken.
    """
    check_model(model, getattr(model, "__name__", repr(model)))
    MODELS.add(model.__name__, model, model.__module__)
    return model


def check_model(model: Any, name: str) -> None:
    """Raise an error if an object is not a valid model class.

    Args:
        model: The object to be registered.
        name: The name to register it under.

    Raises:
        SettingsError: The class is not a valid model; the text lists all problems.
    """
    if not (isinstance(model, type) and issubclass(model, NextItemModel)):
        raise SettingsError(f"{name} is not a model; derive a class from sasrec.NextItemModel")
    problems = [*_missing_parts(model), *_wrong_settings(model)]
    if name != model.__name__:
        problems.append(f"its class is named {model.__name__!r}; use the same name for both")
    if name in BASELINES or not name.isascii():
        problems.append(f"the name {name!r} is already taken or not ASCII; rename the class")
    if problems:
        raise SettingsError(f"{name} cannot be registered: {'; '.join(problems)}")


def _missing_parts(model: type[NextItemModel]) -> list[str]:
    """Return descriptions of the methods that a class lacks."""
    missing = []
    if model.encode is NextItemModel.encode:
        missing.append("it lacks encode(batch, at), which must return a state for each event")
    if not model.has_item_table() and model.score is NextItemModel.score:
        missing.append("it lacks item_table (item vectors) or score(hidden, items); define one")
    try:
        inspect.signature(model).bind("settings", "catalogue")
    except (TypeError, ValueError):
        missing.append("its __init__ does not take (settings, catalogue)")
    return missing


def _wrong_settings(model: type[NextItemModel]) -> list[str]:
    """Return descriptions of the mistakes in a model's settings and their defaults."""
    own = getattr(model, "Settings", None)
    if not (isinstance(own, type) and issubclass(own, Settings)):
        return ["it lacks Settings, a subclass of sasrec.Settings with its settings and defaults"]
    wrong = []
    required = [name for name, field in own.model_fields.items() if field.is_required()]
    if required:
        wrong.append(f"the setting {required[0]!r} has no default; add one")
    shared = {name for group in SHARED for name in group.model_fields}
    taken = [name for name in own.model_fields if name in shared | NO_SETTINGS | set(TRANSLATED)]
    if taken:
        wrong.append(f"the setting name {taken[0]!r} is already used for all models; rename it")
    unknown = [name for name in model.defaults if name not in shared | set(own.model_fields)]
    if unknown:
        wrong.append(f"its defaults contain {unknown[0]!r}, which is not a setting; remove it")
    return wrong
