"""The settings of an update: those of the training, and what the user gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sasrec.experiment.data_reading import NOT_ABOUT_READING, SAVED, TRAINING_RULES
from sasrec.recommender.recommender import Recommender
from sasrec.settings.content import WITHOUT_CONTENT
from sasrec.settings.files import Layer
from sasrec.settings.layers import classes_of, merge_layers, names_of
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import RunSettings, resolve_layers

GROUPS = ("data", "model", "training", "evaluation", "output")
FIXED = ("loss", "preset", *(NOT_ABOUT_READING - {"item_vectors"}))
"""Settings that an update cannot change, besides those of the network."""
BY_DATE, BY_RULE = ("test_from", "valid_from"), ("split",)


def settings_for_update(recommender: Recommender, layers: Sequence[Layer]) -> RunSettings:
    """Return the settings of an update.

    Args:
        recommender: The model.
        layers: Settings of data, training and evaluation that differ from those of the training; a
            later layer overrides an earlier one.

    Returns:
        The settings of the training, overridden by the layers; without what chose the events of the
        training, such as ``since``.

    Raises:
        SettingsError: A given setting is wrong, or cannot be changed.
    """  # raised in Mistakes.raise_all
    name = recommender.settings["model_name"]
    mistakes = Mistakes()
    accepted = [_changeable(layer, name, mistakes) for layer in layers]
    given = {key for layer in accepted for key in _names(layer, name)}
    found = []
    with mistakes.collected():
        run = resolve_layers(
            [Layer(SAVED, _saved(recommender, given)), *accepted], name, inputs="optional"
        )
        found.append(run)
    mistakes.raise_all()
    return found[0]


def _saved(recommender: Recommender, given: set[str]) -> dict[str, Any]:
    """Return the settings of the training that an update begins with."""
    saved = recommender.settings
    values = {key: value for group in GROUPS for key, value in saved[group].items()}
    values |= {**dict.fromkeys(TRAINING_RULES), **WITHOUT_CONTENT}
    if values.get("items_file") is not None:  # it names the items of that time
        values |= {"items_file": None, "item_columns": None}
    if given.intersection(BY_DATE) and "split" not in given:
        values.pop("split", None)
    if "split" in given:
        values |= dict.fromkeys(BY_DATE)
    return values


def _names(layer: Layer, model: str) -> set[str]:
    """Return our names of the settings in a layer."""
    return set(merge_layers([layer], names_of(classes_of(model)), Mistakes()).origins)


def _changeable(layer: Layer, model: str, mistakes: Mistakes) -> Layer:
    """Return a layer without settings that an update cannot change; each of them is a mistake.

    Args:
        layer: The layer, with keys as written.
        model: Name of the model.
        mistakes: Receives the settings that cannot be changed.

    Returns:
        The layer with the other settings.
    """
    fixed: Mapping[str, object] = {**MODELS[model].Settings.model_fields, **dict.fromkeys(FIXED)}
    rejected = {"preset"} & layer.values.keys()
    if rejected:
        mistakes.add(_text("preset"))
    for name, origin in merge_layers(
        [layer], names_of(classes_of(model)), Mistakes()
    ).origins.items():
        if name in fixed and name != "preset":
            key = origin.key or name
            mistakes.add(_text(f"--{key}" if origin.kind == "command line" else key))
            rejected.add(key)
    return replace(layer, values={k: v for k, v in layer.values.items() if k not in rejected})


def _text(key: str) -> str:
    return (
        f"{key} was fixed when the model was trained, and an update cannot change it; remove it, "
        "or train another model"
    )
