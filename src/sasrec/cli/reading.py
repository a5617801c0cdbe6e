"""Settings of data given to commands with a trained model, such as ``--user-column=customer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from sasrec.cli.options import own_options
from sasrec.errors import SettingsError

if TYPE_CHECKING:
    from sasrec.recommender.recommender import Recommender
    from sasrec.settings.files import Layer


def reading_layers(context: typer.Context, *, needed_by: str | None = None) -> list[Layer]:
    """Return the settings of data among the words of a command line.

    Args:
        context: Context of the command, with the ``--key=value`` words.
        needed_by: If the command reads no data, the options with which it would; otherwise None.

    Returns:
        One layer; its mistakes are reported when it is used.

    Raises:
        SettingsError: The command reads no data, and a setting is given.
    """
    from sasrec.settings.files import layers_with_mistakes, raise_mistakes

    layers = layers_with_mistakes([], context.args, own_options(context))
    if needed_by is not None and context.args:
        raise_mistakes(layers)
        key = next(iter(layers[0].values)).replace("_", "-")
        raise SettingsError(
            f"--{key} only changes how data are read, and no data are read here; add {needed_by}, "
            f"or remove --{key}"
        )
    return layers


def checked_settings(
    recommender: Recommender, data: str | None, layers: list[Layer]
) -> dict[str, Any]:
    """Return the settings given, once their mistakes are told with the options that have them.

    Args:
        recommender: The model.
        data: The data; None for those of the training.
        layers: From ``reading_layers``.

    Returns:
        Setting to value.
    """
    from sasrec.experiment.data_reading import settings_for

    settings_for(recommender, data, layers)
    return {key: value for layer in layers for key, value in layer.values.items()}
