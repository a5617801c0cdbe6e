"""Loading: a model folder becomes a ``Recommender`` again. Nothing in it is executed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch.overrides import TorchFunctionMode

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import ModelError, SasrecError
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.registration import register_model
from sasrec.recommender.contents import Contents, read_folder
from sasrec.recommender.folder import SETTINGS, WEIGHTS
from sasrec.recommender.recommender import Recommender
from sasrec.recommender.vocabulary_file import vocabulary_from_json
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.plugins import KEY, require_parts
from sasrec.settings.registry import MODELS
from sasrec.system.device import pick_device

DAMAGE = (
    SasrecError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RuntimeError,
)
"""What understanding the contents of an edited folder may raise."""


def load(
    folder: str | Path, *, device: str = "cpu", models: Sequence[type[NextItemModel]] = ()
) -> Recommender:
    """Read a model folder.

    A model from outside is taken from ``models``, from what is registered (``register_model``,
    ``load_plugin``), or from installed packages; the folder only names it.

    Args:
        folder: Written by ``Recommender.save``.
        device: Where the model shall compute, ``cpu``, ``cuda`` or ``auto``.
        models: Classes the folder may be of, beside those that are known.

    Returns:
        The recommender.

    Raises:
        ModelError: The folder is no model, is damaged, comes from a newer version, or is of a
            plug-in that is not here.
        SettingsError: One of ``models`` does not fit or has the name of another model.
        DeviceError: A GPU was asked for and there is none.
    """  # DeviceError by pick_device, SettingsError by register_model
    if not isinstance(folder, str | os.PathLike):
        raise ModelError(f"{folder!r} names no model folder; give its path as text or Path")
    path = Path(folder).expanduser()
    for each in models:
        register_model(each)
    contents = read_folder(path)
    require_parts(contents.settings.get(KEY, []), ["model"], path)
    try:
        vocabulary = vocabulary_from_json(contents.vocabulary)
        items, users = vocabulary.items, vocabulary.users or Vocabulary([])
        model = _build(contents, n_items=len(items), n_users=len(users))
    except DAMAGE as error:
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
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return " ".join(str(error).split())[:300]


class _LeftBlank(TorchFunctionMode):
    """Leaves new weights as they are: they get their values from the file.

    Random numbers on the meta device would load a compiler, which takes a second. And a network
    with far more parts than the file has weights is given up on the way: it cannot fit, and may
    have been made to take all memory and time.
    """

    FILLS = frozenset({"normal_", "uniform_", "zero_", "fill_"})
    MAKES = frozenset({"empty", "zeros", "ones"})
    MOST, A_WEIGHT = 100, 10
    """Tensors made on the way; any model of ours makes less than 2 for each of its weights."""

    def __init__(self, n_weights: int) -> None:
        """Expect a network.

        Args:
            n_weights: How many tensors the file has.
        """
        super().__init__()
        self._left = self.MOST + self.A_WEIGHT * n_weights

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given, name = kwargs or {}, getattr(func, "__name__", "")
        self._left -= name in self.MAKES
        if self._left < 0 and name in self.MAKES:  # elsewhere PyTorch may be tidying up
            raise ModelError(f"{SETTINGS} asks for far more weights than {WEIGHTS} has")
        if name in self.FILLS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _build(contents: Contents, *, n_items: int, n_users: int) -> NextItemModel:
    settings = contents.settings
    name = settings["model_name"]
    kind: type[NextItemModel] = MODELS[name]
    group = kind.Settings(**settings["model"])
    data = DataSettings(**settings["data"])
    settings["data"]["max_history"]  # is asked for later
    EvaluationSettings(**settings["evaluation"])  # both are used later, so they are checked now
    catalogue = Catalogue(n_items, n_users, data.max_history)
    if MODELS.provider(name) is None:
        model = _without_weights(kind, group, catalogue, contents)
    else:
        model = _from_outside(kind, group, catalogue, contents)
    model.load_state_dict(contents.weights, assign=True)
    return model


def _without_weights(
    kind: type[NextItemModel], group: Settings, catalogue: Catalogue, contents: Contents
) -> NextItemModel:
    """Return a model that takes its weights from a file, once it is sure that they fit.

    Sizes that do not fit the weights cost no memory.

    Raises:
        ModelError: Weights are missing, of another shape or type, or not finite.
    """
    with torch.device("meta"), _LeftBlank(len(contents.weights)):
        model = kind(group, catalogue)
    for key, expected in model.state_dict().items():
        found = contents.weights.get(key)
        if found is None or found.shape != expected.shape:
            shape = "is missing" if found is None else f"has shape {list(found.shape)}"
            raise ModelError(
                f"the weight {key!r} {shape}, where {SETTINGS} asks for {list(expected.shape)}"
            )
        if found.dtype != expected.dtype:
            raise ModelError(f"the weight {key!r} is of type {found.dtype}, not {expected.dtype}")
        # NumPy looks alone; PyTorch would start threads, which a forked process does without.
        if found.is_floating_point() and not np.isfinite(found.numpy()).all():
            raise ModelError(f"the weight {key!r} holds values that are no finite numbers")
    return model


def _from_outside(
    kind: type[NextItemModel], group: Settings, catalogue: Catalogue, contents: Contents
) -> NextItemModel:
    """Return a model of a plug-in, which may hold more than weights, such as masks it has computed.

    Raises:
        ModelError: As ``_without_weights``.
    """
    with suppress(NotImplementedError, RuntimeError):  # what it computes may need real values
        _without_weights(kind, group, catalogue, contents)
    with torch.random.fork_rng(devices=[]):
        return kind(group, catalogue)
