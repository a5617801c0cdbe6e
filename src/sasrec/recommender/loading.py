"""Loading a saved model. Nothing in its folder is executed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch.overrides import TorchFunctionMode

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import ModelError, SasrecError, SettingsError
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.registration import register_model
from sasrec.recommender.columns_file import item_columns_from_json
from sasrec.recommender.content_file import content_from_json
from sasrec.recommender.content_tensors import check_content, content_sizes
from sasrec.recommender.contents import Contents, read_folder
from sasrec.recommender.folder import SETTINGS, VOCABULARY, WEIGHTS
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.vocabulary_file import vocabulary_from_json
from sasrec.settings.attribution import attributed
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.plugins import PLUGINS_KEY, require_parts
from sasrec.settings.registry import MODELS
from sasrec.system.device import pick_device

DAMAGE_ERRORS = (
    SasrecError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RuntimeError,
)
"""Exceptions that a damaged or edited folder may cause."""


def load(
    folder: str | Path, *, device: str = "cpu", models: Sequence[type[NextItemModel]] = ()
) -> Recommender:
    """Load a saved model.

    The class of a plug-in model must be given in ``models``, registered (``register_model``,
    ``load_plugin``), or in an installed package; the folder contains only its name.

    Args:
        folder: A folder written by ``Recommender.save``.
        device: Device to compute on: ``cpu``, ``cuda`` or ``auto``.
        models: Model classes to register first.

    Returns:
        The recommender.

    Raises:
        ModelError: The folder is not a model, is damaged, comes from a newer version, or needs a
            plug-in that is not available.
        SettingsError: ``models`` is not a list, or a class in it is not a valid model or has a
            name that is taken.
        DeviceError: A GPU was requested and there is none.
    """  # DeviceError from pick_device, SettingsError from register_model
    if not isinstance(folder, str | os.PathLike):
        raise ModelError(f"{folder!r} is not a path; give the model folder as text or Path")
    if not isinstance(models, Iterable):
        raise SettingsError(f"models is {models!r}; it must be a list of model classes")
    path = Path(folder).expanduser()
    for each in models:
        register_model(each)
    contents = read_folder(path)
    require_parts(contents.settings.get(PLUGINS_KEY, []), ["model"], path)
    try:
        vocabulary = vocabulary_from_json(contents.vocabulary)
        items, users = vocabulary.items, vocabulary.users or Vocabulary([])
        columns = item_columns_from_json(contents.item_columns, items)
        content = content_from_json(contents.content)
        model = _build(contents, (len(items), len(users), len(vocabulary.event_types)))
    except DAMAGE_ERRORS as error:
        raise ModelError(f"{path} is damaged or was edited: {_reason(error)}") from error
    model.to(pick_device(device)).eval()
    cleanings = DataSettings(**contents.settings["data"]).clean_tokens
    users = users.cleaning(cleanings)
    return Recommender(
        model=model,
        items=items.cleaning(cleanings),
        counts=vocabulary.counts,
        titles=vocabulary.titles,
        users=users if model.uses_users else None,
        settings=contents.settings,
        metrics=contents.metrics,
        environment=contents.environment,
        recent=vocabulary.recent,
        learned=vocabulary.learned,
        people=vocabulary.learned_users if model.uses_users else None,
        item_columns=columns,
        event_types=vocabulary.event_types,
        content=content,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return " ".join(str(error).split())[:300]


class _Uninitialised(TorchFunctionMode):
    """Skips the initialisation of new weights, whose values are then read from the file.

    On the meta device, drawing random numbers would load a compiler, which takes a second. This
    also stops the construction of a network with far more weights than the file: it cannot fit,
    and the folder may have been edited to exhaust memory and time.
    """

    INITIALISERS = frozenset({"normal_", "uniform_", "zero_", "fill_"})
    CREATORS = frozenset({"empty", "zeros", "ones"})
    ALLOWED, ALLOWED_PER_WEIGHT = 100, 10
    """Tensors that may be created; models of this package create fewer than 2 for each weight."""

    def __init__(self, n_weights: int) -> None:
        """Allow a network of a given size.

        Args:
            n_weights: Number of tensors in the file.
        """
        super().__init__()
        self._left = self.ALLOWED + self.ALLOWED_PER_WEIGHT * n_weights

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given, name = kwargs or {}, getattr(func, "__name__", "")
        self._left -= name in self.CREATORS
        if self._left < 0 and name in self.CREATORS:  # other functions may be cleanup code
            raise ModelError(f"{SETTINGS} describes far more weights than {WEIGHTS} has")
        if name in self.INITIALISERS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _build(contents: Contents, sizes: tuple[int, int, int]) -> NextItemModel:
    """Return the network for some numbers of items, users and event types, with its weights."""
    n_items, n_users, n_types = sizes
    settings = contents.settings
    name = settings["model_name"]
    model_class: type[NextItemModel] = MODELS[name]
    group = model_class.Settings(**settings["model"])
    data = DataSettings(**settings["data"])
    # These two are used later; a missing or invalid value must be reported now.
    settings["data"]["max_history"]
    EvaluationSettings(**settings["evaluation"])
    columns = content_from_json(contents.content)
    content = content_sizes(columns, contents.weights, n_items)
    catalogue = Catalogue(n_items, n_users, data.max_history, n_types, content)
    if MODELS.provider(name) is None:
        model = _checked_network(model_class, group, catalogue, contents)
    else:
        model = _plugin_network(model_class, group, catalogue, contents)
    model.load_state_dict(contents.weights, assign=True)
    check_content(model, columns)
    return model


def _checked_network(
    model_class: type[NextItemModel], group: Settings, catalogue: Catalogue, contents: Contents
) -> NextItemModel:
    """Return a network without weights, after checking that those of the folder fit it.

    It is built on the meta device, so that edited sizes cannot allocate memory.

    Raises:
        ModelError: A weight is missing, has another shape or type, or is NaN or infinite.
    """
    with torch.device("meta"), _Uninitialised(len(contents.weights)):
        model = model_class(group, catalogue)
    for key, expected in model.state_dict().items():
        found = contents.weights.get(key)
        if found is None or found.shape != expected.shape:
            shape = "is missing" if found is None else f"has shape {list(found.shape)}"
            raise ModelError(
                f"the weight {key!r} {shape}, but {SETTINGS} and {VOCABULARY} require the shape "
                f"{list(expected.shape)}"
            )
        if found.dtype != expected.dtype:
            raise ModelError(f"the weight {key!r} is of type {found.dtype}, not {expected.dtype}")
        # NumPy, because PyTorch would start threads, which do not survive a fork.
        if found.is_floating_point() and not np.isfinite(found.numpy()).all():
            raise ModelError(f"the weight {key!r} contains NaN or infinity")
    return model


def _plugin_network(
    model_class: type[NextItemModel], group: Settings, catalogue: Catalogue, contents: Contents
) -> NextItemModel:
    """Return a plug-in model with initialised weights and the other tensors it computes.

    Raises:
        ModelError: As for ``_checked_network``.
    """
    with attributed(MODELS, contents.settings["model_name"], "cannot be created"):
        with suppress(NotImplementedError, RuntimeError):  # it may not work on "meta"
            _checked_network(model_class, group, catalogue, contents)
        with torch.random.fork_rng(devices=[]):
            return model_class(group, catalogue)
