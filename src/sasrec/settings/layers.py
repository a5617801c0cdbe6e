"""Merges layers of settings: translates keys to our names; later layers override earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sasrec.errors import SettingsError, did_you_mean, nearest
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.files import Layer
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import PYTHON, Origin, OriginKind
from sasrec.settings.output import OutputSettings
from sasrec.settings.presets import PRESETS, model_defaults
from sasrec.settings.recbole_keys import TRANSLATED, WITHOUT_EFFECT, common_value
from sasrec.settings.registry import MODELS
from sasrec.settings.training import TrainingSettings

ARGUMENTS = {"model": "model", "dataset": "data"}
"""Keys of RecBole's files that are not settings here, to the option that replaces them."""


@dataclass(slots=True)
class MergedSettings:
    """The settings that result from merging layers.

    Attributes:
        values: Our name of each setting to its value, not yet checked.
        origins: Setting to where its value comes from.
        ignored: RecBole's keys that have no effect here.
        unreliable: Settings that a misspelt key was probably meant to set.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    unreliable: set[str] = field(default_factory=set)


def classes_of(model: str) -> dict[str, type[Settings]]:
    """Return the classes of all groups of settings for a model.

    Args:
        model: Name of the model.

    Returns:
        Name of the group to its class.
    """
    return {
        "data": DataSettings,
        "model": MODELS[model].Settings,
        "training": TrainingSettings,
        "evaluation": EvaluationSettings,
        "output": OutputSettings,
    }


def names_of(classes: Mapping[str, type[Settings]]) -> dict[str, str]:
    """Return all accepted names of the settings, ours and RecBole's.

    Args:
        classes: The result of ``classes_of``.

    Returns:
        Accepted name to our name.
    """
    names = {name: name for kind in classes.values() for name in kind.model_fields}
    for kind in classes.values():
        for name, rule in kind.model_fields.items():
            extra = rule.json_schema_extra
            if isinstance(extra, dict) and isinstance(alias := extra.get("recbole"), str):
                names[alias] = name
    return names


def with_preset(
    layers: Sequence[Layer], preset: str | None, model: str, mistakes: Mistakes
) -> tuple[str | None, list[Layer]]:
    """Return the preset's name, and the layers preceded by those of the model and the preset.

    Args:
        layers: Layers, in order of increasing priority; the key ``preset`` is removed from them.
        preset: Name of the preset if no layer contains the key ``preset``.
        model: Name of the model.
        mistakes: Receives a mistake if the preset is unknown or not for this model.

    Returns:
        The name of the preset or None, and all layers.
    """
    origin = PYTHON
    for layer in layers:
        if "preset" in layer.values:
            preset, origin = layer.values["preset"], layer.origin_of("preset")
    upper = [
        replace(layer, values={k: v for k, v in layer.values.items() if k != "preset"})
        for layer in layers
    ]
    lower = []
    if preset is not None:
        with mistakes.collected():
            _check_preset(preset, model, origin)
            lower = [Layer(Origin("preset", preset), PRESETS[preset].values)]
    kind: OriginKind = "paper" if model in MODELS.built_in else "plug-in"
    own = Layer(Origin(kind, model), model_defaults(model, preset))
    return preset, [own, *lower, *upper]


def _check_preset(preset: object, model: str, origin: Origin) -> None:
    """Reject a preset that is unknown, or not for this model.

    Args:
        preset: The preset, as given.
        model: Name of the model.
        origin: Where the preset was given.

    Raises:
        SettingsError: The preset is unknown, or not for this model.
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        raise SettingsError(
            f"{origin.prefix}unknown preset {preset!r}{did_you_mean(str(preset), PRESETS)} "
            f"(known: {', '.join(PRESETS)})"
        )
    if model != "SASRec" and preset != "recbole":
        raise SettingsError(
            f"{origin.prefix}preset {preset!r} is only for SASRec; for {model}, use no preset or "
            "'recbole'"
        )


def merge_layers(
    layers: Sequence[Layer], names: Mapping[str, str], mistakes: Mistakes
) -> MergedSettings:
    """Merge layers of settings.

    Args:
        layers: Layers, in order of increasing priority.
        names: Accepted name of a setting to our name.
        mistakes: Receives keys that are unknown, given twice, or cannot be translated.

    Returns:
        Values, not yet checked, and where they come from.
    """
    merged = MergedSettings()
    for layer in _without_overridden(layers):
        mistakes.add_all(layer.mistakes)
        if layer.mistakes and layer.origin.kind == "file":
            merged.unreliable |= set(names.values())  # the file may set any of them
        part = _translated(layer, names, mistakes)
        merged.values |= part.values
        merged.origins |= part.origins
        merged.ignored |= part.ignored
        merged.unreliable |= part.unreliable
    return merged


def _without_overridden(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers without keys in ``TRANSLATED`` that a later layer sets as well.

    Each of these keys stands for several settings. As in RecBole, a later value replaces the
    whole key; the earlier value is ignored.
    """
    kept: list[Layer] = []
    replaced: set[str] = set()
    for layer in reversed(layers):
        values = {key: value for key, value in layer.values.items() if key not in replaced}
        kept.append(replace(layer, values=values))
        replaced |= TRANSLATED.keys() & values.keys()
    return kept[::-1]


def _translated(layer: Layer, names: Mapping[str, str], mistakes: Mistakes) -> MergedSettings:
    """Translate the keys of one layer to our names.

    Args:
        layer: The layer, with keys as written.
        names: Accepted name of a setting to our name.
        mistakes: Receives keys that are unknown, given twice, or cannot be translated.

    Returns:
        Our names and their values.
    """
    found = MergedSettings()
    for key, value in layer.values.items():
        origin = layer.origin_of(str(key))
        if key in TRANSLATED:
            try:
                pairs = TRANSLATED[key](value)
            except SettingsError as error:
                mistakes.add(f"{origin.prefix}{error}")
            else:
                _set(found, pairs, str(key), origin, mistakes)
        elif key in names:
            _set(found, {names[key]: value}, str(key), origin, mistakes)
        elif key in WITHOUT_EFFECT:
            found.ignored.add(key)
        else:
            known = {*names, *TRANSLATED, *WITHOUT_EFFECT, *layer.other_keys}
            hint = _hint(str(key), sorted(known), layer.options)
            is_shown = origin.place or origin.kind == "command line"
            where = f" {origin.within}" if is_shown else ""
            mistakes.add(f"unknown key {key!r}{where}{hint}")
            if (meant := nearest(str(key), names)) is not None:
                found.unreliable.add(names[meant])
    return found


def _hint(key: str, known: Sequence[str], options: Sequence[str]) -> str:
    """Return what the user may have meant by an unknown key.

    Args:
        key: The key.
        known: All keys of settings.
        options: Options of the command, such as ``--quiet``; empty if there is no command.

    Returns:
        The hint, to be appended to an error text; empty if no known key is similar.
    """
    if key in ARGUMENTS:
        option = next((each for each in options if each.startswith(f"--{ARGUMENTS[key]}")), None)
        if options and option is None:
            return ""
        option = option or f"--{ARGUMENTS[key]}"
        return (
            f"; choose the {ARGUMENTS[key]} with {option}, or run RecBole's files with 'sasrec "
            "recbole run'"
        )
    by_name = {each.removeprefix("--"): each for each in options}
    meant = nearest(key, [*by_name, *known])
    if meant is None or meant in known or meant not in by_name:
        return did_you_mean(key, known)
    return f"; did you mean {by_name[meant]}?"


def _set(
    found: MergedSettings, pairs: Mapping[str, Any], key: str, origin: Origin, mistakes: Mistakes
) -> None:
    """Set the settings of a key, unless another key of the layer set them to another value."""
    for name, value in pairs.items():
        values: tuple[Any, ...] = (value,)
        if name in found.values:
            other = found.origins[name].key or name
            same = {key, other} & TRANSLATED.keys()
            values = common_value(name, found.values[name], value) if same else ()
            if not values:
                mistakes.add(f"{origin.prefix}{other!r} and {key!r} are the same setting; keep one")
                continue
        [found.values[name]] = values
        found.origins[name] = replace(origin, key=None if key == name else key)
