"""RecBole's ``Config``: a mapping of settings from files, a dict and the command line."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sasrec.errors import SettingsError, did_you_mean
from sasrec.recbole.view import as_recbole
from sasrec.settings.files import Layer, layer_from_options, read_layers
from sasrec.settings.literals import literal
from sasrec.settings.origin import COMMAND_LINE, PYTHON, Origin
from sasrec.settings.registry import canonical_model
from sasrec.settings.resolve import RunSettings, known_keys, resolve_layers

logger = logging.getLogger(__name__)


class Config(Mapping[str, Any]):
    """The settings of a run as RecBole's ``Config``: RecBole's and sasrec's keys to values.

    As in RecBole, the value of an unknown key is ``None``.
    """

    def __init__(
        self,
        model: str | None = None,
        dataset: str | None = None,
        config_file_list: Sequence[str | Path] | None = None,
        config_dict: Mapping[str, Any] | None = None,
    ) -> None:
        """Resolve settings from files, a dict and the command line; later override earlier ones.

        Args:
            model: Name of the model; None takes the key ``model``.
            dataset: Name or path of the data; None takes the key ``dataset``.
            config_file_list: YAML files; later ones override earlier ones.
            config_dict: Keys and values.

        Raises:
            SettingsError: A key or value is wrong, or there is no model or no data.
        """
        model = getattr(model, "__name__", model)  # RecBole also accepts a class
        if isinstance(config_file_list, str | Path):
            config_file_list = [config_file_list]
        layers = read_layers(config_file_list or [], [])[:-1]
        layers.append(Layer(Origin("python", "config_dict"), _literals(config_dict or {})))
        models = [layer.values["model"] for layer in layers if "model" in layer.values]
        layers.append(_command_line(str(model or [*(["SASRec"]), *models][-1])))
        names = {
            key: layer.values[key]
            for layer in layers
            for key in _MODEL_AND_DATA & set(layer.values)
        }
        self.model = str(names.get("model") if model is None else model)
        self.dataset = str(names.get("dataset") if dataset is None else dataset)
        for key, value in (("model", self.model), ("dataset", self.dataset)):
            if value == "None":
                raise SettingsError(f"no {key} is given; add {key}='…' or --{key}=…")
        self._preset: str | None = "recbole"
        self._layers = [
            replace(
                layer,
                values={key: v for key, v in layer.values.items() if key not in _MODEL_AND_DATA},
            )
            for layer in layers
        ]
        self._resolve()
        if self.run.without_effect:
            logger.warning("settings without effect: %s", ", ".join(self.run.without_effect))

    @classmethod
    def of(cls, run: RunSettings, dataset: str) -> Config:
        """Return a ``Config`` of settings that are already resolved.

        Args:
            run: The settings.
            dataset: Name or path of the data.

        Returns:
            The ``Config``.
        """
        config = cls.__new__(cls)
        config.model, config.dataset, config._preset = run.model_name, dataset, None
        values = {name: value for group in run.groups().values() for name, value in group}
        config._layers = [Layer(PYTHON, values)]
        config._resolve()
        return config

    def _resolve(self) -> None:
        self.run: RunSettings = resolve_layers(self._layers, self.model, self._preset)
        given = {key: value for layer in self._layers for key, value in layer.values.items()}
        self._values = {**given, **as_recbole(self.run, self.model, self.dataset)}

    @property
    def final_config_dict(self) -> dict[str, Any]:
        """All keys and values as a dict."""
        return dict(self._values)

    def __setitem__(self, key: str, value: Any) -> None:
        """Set a key; this overrides files, dict and command line."""
        if key in _MODEL_AND_DATA:
            setattr(self, key, str(value))
        else:
            self._layers.append(Layer(Origin("python", f"config[{key!r}]"), {key: value}))
        self._resolve()

    def __repr__(self) -> str:
        """Return model, data and all settings, one per line."""
        groups = self.run.groups().items()
        lines = [f"model = {self.model}", f"dataset = {self.dataset}"]
        lines += [f"{name} = {value!r}" for _, group in groups for name, value in group]
        return "\n".join(lines)

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key; None if the key is unknown."""
        return self._values.get(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a key is known."""
        return key in self._values

    def __iter__(self) -> Any:
        """Return an iterator over all known keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of known keys."""
        return len(self._values)


_MODEL_AND_DATA = {"model", "dataset"}


def _literals(values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise SettingsError(f"config_dict is {values!r}; give a dict of keys and values")
    return {
        str(key): literal(value) if isinstance(value, str) else value
        for key, value in values.items()
    }


SCRIPT_FLAGS = frozenset({"config_files", "params_file", "output_file", "display_file", "tool"})
"""Options of RecBole's own scripts that are not settings."""
_warnings: set[str] = set()


def _command_line(model: str) -> Layer:
    """Return the settings among the ``--key=value`` words of the running script.

    Other words may be options of the script itself, so they are skipped with a warning, unless
    they look like a misspelled setting.

    Args:
        model: Name of the model, unless the words give another.

    Returns:
        The layer; empty in a notebook, because the user did not write its command line.
    """
    if "ipykernel" in Path(sys.argv[0]).name:
        return Layer(COMMAND_LINE, {})
    settings = [word for word in sys.argv[1:] if word.startswith("--") and "=" in word]
    for word in sys.argv[1:]:
        if word not in settings:
            _warn_once(f"the argument {word!r} is ignored: it is not --key=value")
    layer = layer_from_options(settings)
    known = {*_MODEL_AND_DATA}
    with suppress(SettingsError):  # an unknown model is reported later
        known |= known_keys(canonical_model(str(layer.values.get("model", model))))
    kept = {}
    for key, value in layer.values.items():
        if key in known or (key not in SCRIPT_FLAGS and did_you_mean(key, known)):
            kept[key] = value
        elif key not in SCRIPT_FLAGS:
            _warn_once(f"--{key} is ignored: it is not a setting")
    return replace(layer, values=kept)


def _warn_once(text: str) -> None:
    """Log a warning only once, because a search makes a ``Config`` for each trial."""
    if text not in _warnings:
        _warnings.add(text)
        logger.warning(text)


def log_to_stdout(level: str) -> None:
    """Print the log of this package, unless the script has configured logging itself.

    Args:
        level: Lowest log level shown.
    """
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stdout)
    logging.getLogger("sasrec").setLevel(level)


def init_logger(config: Config) -> None:
    """Print the log of this package, as RecBole's ``utils.init_logger``.

    Args:
        config: Its key ``state`` is the lowest log level shown.
    """
    log_to_stdout(config.run.output.log_level)


def init_seed(seed: int, reproducibility: bool = True) -> None:
    """Seed the random generators of Python, NumPy and torch, as RecBole's ``utils.init_seed``.

    Training uses the seed in its settings; this is for other random numbers of a script.

    Args:
        seed: The seed, from 0.
        reproducibility: Use only deterministic algorithms on a GPU.
    """
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(reproducibility, warn_only=True)
