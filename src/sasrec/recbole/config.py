"""RecBole's ``Config``: settings from files, a dict and the command line, read by their keys."""

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
    """RecBole's view of the settings of a run: a key, theirs or ours, to its value.

    As there, a key that is unknown is ``None``.
    """

    def __init__(
        self,
        model: str | None = None,
        dataset: str | None = None,
        config_file_list: Sequence[str | Path] | None = None,
        config_dict: Mapping[str, Any] | None = None,
    ) -> None:
        """Resolve settings from files, a dict and the command line, the last being strongest.

        Args:
            model: Name of the model; None takes the key ``model``.
            dataset: Name or path of the data; None takes the key ``dataset``.
            config_file_list: YAML files, a later one wins.
            config_dict: Keys and values.

        Raises:
            SettingsError: A key or value is wrong, or model or data are not named.
        """
        model = getattr(model, "__name__", model)  # RecBole takes a class, too
        if isinstance(config_file_list, str | Path):
            config_file_list = [config_file_list]
        layers = read_layers(config_file_list or [], [])[:-1]
        layers.append(Layer(Origin("python", "config_dict"), _literals(config_dict or {})))
        models = [layer.values["model"] for layer in layers if "model" in layer.values]
        layers.append(_command_line(str(model or [*(["SASRec"]), *models][-1])))
        named = {key: layer.values[key] for layer in layers for key in _NAMING & set(layer.values)}
        self.model = str(named.get("model") if model is None else model)
        self.dataset = str(named.get("dataset") if dataset is None else dataset)
        for key, value in (("model", self.model), ("dataset", self.dataset)):
            if value == "None":
                raise SettingsError(f"no {key} is named; give {key}='…', or --{key}=…")
        self._preset: str | None = "recbole"
        self._layers = [
            replace(layer, values={key: v for key, v in layer.values.items() if key not in _NAMING})
            for layer in layers
        ]
        self._resolve()
        if self.run.without_effect:
            logger.warning("without effect here: %s", ", ".join(self.run.without_effect))

    @classmethod
    def of(cls, run: RunSettings, dataset: str) -> Config:
        """Return the view of settings that are resolved already.

        Args:
            run: The settings.
            dataset: Name or path of the data.

        Returns:
            The view.
        """
        config = cls.__new__(cls)
        config.model, config.dataset, config._preset = run.model_name, dataset, None
        values = {name: value for group in run.groups().values() for name, value in group}
        config._layers = [Layer(PYTHON, values)]
        config._resolve()
        return config

    def _resolve(self) -> None:
        self.run: RunSettings = resolve_layers(self._layers, self.model, self._preset)
        written = {key: value for layer in self._layers for key, value in layer.values.items()}
        self._values = {**written, **as_recbole(self.run, self.model, self.dataset)}

    @property
    def final_config_dict(self) -> dict[str, Any]:
        """All keys and their values."""
        return dict(self._values)

    def __setitem__(self, key: str, value: Any) -> None:
        """Set a key; it wins over all that was said before."""
        if key in _NAMING:
            setattr(self, key, str(value))
        else:
            self._layers.append(Layer(Origin("python", f"config[{key!r}]"), {key: value}))
        self._resolve()

    def __repr__(self) -> str:
        """Return model, data, and every setting on a line."""
        groups = self.run.groups().items()
        lines = [f"model = {self.model}", f"dataset = {self.dataset}"]
        lines += [f"{name} = {value!r}" for _, group in groups for name, value in group]
        return "\n".join(lines)

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key, None if it is unknown."""
        return self._values.get(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a key is known."""
        return key in self._values

    def __iter__(self) -> Any:
        """Return an iterator over all known keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many keys are known."""
        return len(self._values)


_NAMING = {"model", "dataset"}


def _literals(values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise SettingsError(f"config_dict is a dict of keys and values, not {values!r}")
    return {
        str(key): literal(value) if isinstance(value, str) else value
        for key, value in values.items()
    }


SCRIPT_FLAGS = frozenset({"config_files", "params_file", "output_file", "display_file", "tool"})
"""What RecBole's own scripts take on the command line, which is no setting."""
_mentioned: set[str] = set()


def _command_line(model: str) -> Layer:
    """Return the ``--key=value`` words of the running script that are settings.

    Flags that the script may have of its own are passed over, with a line that says so; a slip of
    the pen in a setting is not.

    Args:
        model: Name of the model, unless the words name another.

    Returns:
        The layer; none in a notebook, whose command line is not the user's.
    """
    if "ipykernel" in Path(sys.argv[0]).name:
        return Layer(COMMAND_LINE, {})
    settings = [word for word in sys.argv[1:] if word.startswith("--") and "=" in word]
    for word in sys.argv[1:]:
        if word not in settings:
            _mention(f"the argument {word!r} is not --key=value and is passed over")
    layer = layer_from_options(settings)
    known = {*_NAMING}
    with suppress(SettingsError):  # an unknown model is told of later
        known |= known_keys(canonical_model(str(layer.values.get("model", model))))
    kept = {}
    for key, value in layer.values.items():
        if key in known or (key not in SCRIPT_FLAGS and did_you_mean(key, known)):
            kept[key] = value
        elif key not in SCRIPT_FLAGS:
            _mention(f"--{key} is no setting and is passed over")
    return replace(layer, values=kept)


def _mention(text: str) -> None:
    """Warn once; a search makes a ``Config`` for each trial."""
    if text not in _mentioned:
        _mentioned.add(text)
        logger.warning(text)


def log_to_stdout(level: str) -> None:
    """Show what this package logs, unless the script has set up logging itself.

    Args:
        level: Least importance shown.
    """
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stdout)
    logging.getLogger("sasrec").setLevel(level)


def init_logger(config: Config) -> None:
    """Show what this package logs, as RecBole's ``utils.init_logger``.

    Args:
        config: Its ``state`` is the least importance shown.
    """
    log_to_stdout(config.run.output.log_level)


def init_seed(seed: int, reproducibility: bool = True) -> None:
    """Seed the generators of Python, NumPy and torch, as RecBole's ``utils.init_seed``.

    A training seeds itself from its settings; this is for what a script does beside.

    Args:
        seed: From 0.
        reproducibility: Whether a GPU is to use only operations that repeat themselves.
    """
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        torch.use_deterministic_algorithms(reproducibility, warn_only=True)
