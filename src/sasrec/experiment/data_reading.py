"""How data for a trained model are read: as in training, unless other settings are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sasrec.recommender.recommender import Recommender
from sasrec.settings.content import WITHOUT_CONTENT
from sasrec.settings.data import DataSettings
from sasrec.settings.files import Layer
from sasrec.settings.layers import classes_of, merge_layers, names_of
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import Origin
from sasrec.settings.resolve import resolve_layers

if TYPE_CHECKING:
    from sasrec.data.sources import Source

SAVED = Origin("model", "the model's settings.json")
"""Origin of the settings that a saved model was trained with."""
GIVEN = Origin("python", "the settings given")
"""Origin of settings that a Python call gives besides those of the model."""
TRAINING_RULES = (
    *("since", "until", "max_user_events"),
    *("user_interactions", "item_interactions"),
)
"""Settings of data that choose what to train on; they do not apply to other data."""
NOT_ABOUT_READING = {*WITHOUT_CONTENT, "max_history"}
"""Settings of data that a trained model cannot change."""


def data_settings_of(recommender: Recommender) -> dict[str, Any]:
    """Return the data settings of a model without those about content, which it has learned.

    Args:
        recommender: The model.
    """
    return _without_content(recommender.settings)


def _without_content(saved: Mapping[str, Any]) -> dict[str, Any]:
    return {**saved["data"], **WITHOUT_CONTENT}


def settings_for(
    recommender: Recommender, data: Source | None, layers: Sequence[Layer] = ()
) -> DataSettings:
    """Return how to read data for lists and vectors.

    Args:
        recommender: A loaded model.
        data: A name, a path or a data frame; None uses the data the model was trained on.
        layers: Settings of data that differ from those of the training, such as names of columns; a
            later layer overrides an earlier one.

    Returns:
        The settings of the training, overridden by the layers; for other data, without limits on
        dates and numbers of events, which are rules for training only.

    Raises:
        SettingsError: A given setting is wrong, or does not change how data are read.
    """  # raised in Mistakes.raise_all
    return settings_from(recommender.settings, layers, is_other=data is not None)


def settings_from(
    trained_with: Mapping[str, Any], layers: Sequence[Layer] = (), *, is_other: bool
) -> DataSettings:
    """Return how to read data, from the settings in a model folder.

    Args:
        trained_with: Settings of the training, by group.
        layers: As for ``settings_for``.
        is_other: Whether the data are others than those of the training.

    Returns:
        As ``settings_for``.

    Raises:
        SettingsError: A given setting is wrong, or does not change how data are read.
    """  # raised in Mistakes.raise_all
    saved = _without_content(trained_with)
    if is_other:
        saved |= dict.fromkeys(TRAINING_RULES)
    if not any(layer.values or layer.mistakes for layer in layers):
        return DataSettings(**saved)
    mistakes = Mistakes()
    model = trained_with["model_name"]
    accepted = [_about_reading(layer, model, mistakes) for layer in layers]
    found = []
    with mistakes.collected():
        run = resolve_layers([Layer(SAVED, saved), *accepted], model, inputs="optional")
        found.append(run.data)
    mistakes.raise_all()
    return found[0]


def _about_reading(layer: Layer, model: str, mistakes: Mistakes) -> Layer:
    """Return a layer without settings that do not change how data are read.

    Args:
        layer: The layer, with keys as written.
        model: Name of the model.
        mistakes: Receives the other settings.

    Returns:
        The layer with the settings of data.
    """
    names = names_of(classes_of(model))
    used = DataSettings.model_fields.keys() - NOT_ABOUT_READING
    rejected = set()
    for name, origin in merge_layers([layer], names, Mistakes()).origins.items():
        if name not in used:
            key = origin.key or name
            shown = f"--{key}" if origin.kind == "command line" else f"{key!r}"
            mistakes.add(
                f"{shown} does not change how data are read; with a trained model, only settings "
                "of data can be given, such as user_column"
            )
            rejected.add(key)
    return replace(layer, values={k: v for k, v in layer.values.items() if k not in rejected})
