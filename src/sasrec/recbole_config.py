"""RecBole's ``Config``: settings from files, a dict and the command line, read by their keys."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sasrec.config_files import Layer, key_words, literal, yaml_file
from sasrec.configuration import RunSettings, resolve_layers
from sasrec.errors import SettingsError
from sasrec.training.device import pick_device

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
        layers = [yaml_file(path) for path in config_file_list or []]
        layers.append(Layer("config_dict", _literals(config_dict or {})))
        layers.append(_command_line())
        named = {key: layer.values[key] for layer in layers for key in _NAMING & set(layer.values)}
        self.model = str(named.get("model") if model is None else model)
        self.dataset = str(named.get("dataset") if dataset is None else dataset)
        for key, value in (("model", self.model), ("dataset", self.dataset)):
            if value == "None":
                raise SettingsError(f"no {key} is named; give {key}='…', or --{key}=…")
        plain = [
            Layer(
                layer.where,
                {key: value for key, value in layer.values.items() if key not in _NAMING},
                layer.lines,
            )
            for layer in layers
        ]
        self.run: RunSettings = resolve_layers(plain, self.model, "recbole")
        if self.run.without_effect:
            logger.warning("without effect here: %s", ", ".join(self.run.without_effect))
        self._values = as_recbole(self.run, self.model, self.dataset)
        for layer in plain:
            self._values |= layer.values

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
        config.model, config.dataset, config.run = run.model_name, dataset, run
        config._values = as_recbole(run, run.model_name, dataset)
        return config

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


def _command_line() -> Layer:
    """Return the ``--key=value`` words of the running script; others are passed over.

    Returns:
        The layer.
    """
    settings = []
    for word in sys.argv[1:]:
        if word.startswith("--") and "=" in word:
            settings.append(word)
        else:
            logger.warning("the argument %r is not --key=value and is passed over", word)
    return key_words(settings)


def as_recbole(run: RunSettings, model: str, dataset: str) -> dict[str, Any]:
    """Return every setting under our name and, where it has one, under RecBole's.

    Args:
        run: The settings.
        model: Name of the model.
        dataset: Name of the data.

    Returns:
        Key to value.
    """
    values: dict[str, Any] = {"model": model, "dataset": dataset}
    for group in run.groups().values():
        for name, rule in type(group).model_fields.items():
            value = getattr(group, name)
            values[name] = list(value) if isinstance(value, tuple) else value
            extra = rule.json_schema_extra
            if isinstance(extra, dict) and isinstance(alias := extra.get("recbole"), str):
                values[alias] = values[name]
    split = {
        "leave_one_out": {"LS": run.evaluation.leave_out},
        "ratio": {"RS": list(run.evaluation.ratios)},
        "time": {"TS": list(run.evaluation.ratios)},
    }[run.evaluation.split]
    values["device"] = pick_device(run.training.device, run.training.gpu_id)
    values["eval_args"] = {
        "split": split,
        "group_by": "user" if run.evaluation.ratio_by == "user" else None,
        "order": "TO",
        "mode": {"valid": run.evaluation.validated_against, "test": run.evaluation.candidates},
    }
    return values
