"""From what people wrote to typed settings: keys are renamed, layers laid over each other, checked.

The order is fixed, and each step happens once: aliases become our names within each layer, a later
layer wins over an earlier one, and only the outcome is validated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.files import Layer
from sasrec.settings.metric_names import OF_LISTS, OF_WHOLE_RANKINGS, check_names, split_key
from sasrec.settings.output import OutputSettings
from sasrec.settings.plugins import KEY, parts_from_outside
from sasrec.settings.presets import PRESETS, DataFacts, own_settings
from sasrec.settings.recbole_keys import TRANSLATED, WITHOUT_EFFECT, agreed
from sasrec.settings.registry import MODELS
from sasrec.settings.training import TrainingSettings, no_item_vectors
from sasrec.settings.without_effect import idle

IN_WORDS = {
    "missing": "it lacks a value",
    "string_type": "it needs a text",
    "too_long": "it takes at most {max_length} values, not {actual_length}",
    "too_short": "it needs at least {min_length} values, not {actual_length}",
    "tuple_type": "it needs a list, in square brackets",
}
"""Kind of pydantic's error to what to say of it, where its own words are those of programmers."""
ELSEWHERE = {
    "model": "; models are named by --model, and 'sasrec run_recbole' takes RecBole's files as is",
    "dataset": "; data are named by --data, and 'sasrec run_recbole' takes RecBole's files as is",
}
"""Keys of RecBole's files that are no settings here, to what to do with them."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """All settings of one run, by group.

    Attributes:
        model_name: Name of the model.
        data: Data.
        model: The model's own settings.
        training: Training.
        evaluation: Evaluation.
        output: What is written, and where.
        origins: Name of a setting to where its value was written; absent for defaults.
        without_effect: Keys that were given and mean nothing here, or nothing beside the others.
        preset: Name of the settings it began with, or None.
    """

    model_name: str
    data: DataSettings
    model: Settings
    training: TrainingSettings
    evaluation: EvaluationSettings
    output: OutputSettings = field(default_factory=OutputSettings)
    origins: dict[str, str] = field(default_factory=dict, compare=False)
    without_effect: tuple[str, ...] = field(default=(), compare=False)
    preset: str | None = None

    def groups(self) -> dict[str, Settings]:
        """Return the groups by name."""
        return {
            "data": self.data,
            "model": self.model,
            "training": self.training,
            "evaluation": self.evaluation,
            "output": self.output,
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything in types JSON has."""
        groups = {name: _plain(group) for name, group in self.groups().items()}
        parts = parts_from_outside(self.parts())
        named = {"model_name": self.model_name, "preset": self.preset}
        return {**named, **({KEY: parts} if parts else {}), **groups}

    def parts(self) -> dict[str, list[str]]:
        """Return the names of the parts that a plug-in may have brought, by kind."""
        watched = self.evaluation.valid_metric.partition("@")[0]
        return {
            "model": [self.model_name],
            "loss": [self.training.loss],
            "metric": [*self.evaluation.metrics, watched],
        }

    def given(self) -> dict[str, Any]:
        """Return the settings somebody has given, by our names and in types JSON has."""
        values = {
            key: value for group in self.groups().values() for key, value in _plain(group).items()
        }
        return {key: values[key] for key in _given(self.origins, self.model_name)}


def _given(origins: Mapping[str, str], model: str) -> list[str]:
    """Return the settings that somebody gives now, not a preset or a trained model."""
    others = ("preset ", f"{model} as in", "the model's ")
    return [name for name, origin in origins.items() if not origin.startswith(others)]


def _plain(group: Settings) -> dict[str, Any]:
    """Return settings in types JSON has; infinity, which it lacks, as text."""
    values = group.model_dump(mode="json")
    return {key: "inf" if value == math.inf else value for key, value in values.items()}


def resolve_settings(
    values: Mapping[str, Any] | None = None, model: str = "SASRec", preset: str | None = None
) -> RunSettings:
    """Sort flat values into their groups and check them.

    Our names and RecBole's are both understood, as ``batch_size`` and ``train_batch_size``.

    Args:
        values: Setting to value; what is absent takes its default.
        model: Name of the model.
        preset: Name of settings to begin with where the values have no key ``preset``.

    Returns:
        The settings.

    Raises:
        SettingsError: A key is unknown, given under two names, or has a value out of range.
    """
    if not isinstance(values, Mapping | None):
        raise SettingsError(f"settings are a dict of names to values, not {values!r}")
    return resolve_layers([Layer("settings", values or {})], model, preset)


def known_keys(model: str = "SASRec") -> set[str]:
    """Return every key that means something, or is known to mean nothing.

    Args:
        model: Name of the model.

    Returns:
        Our names and RecBole's.
    """
    return {*_names(_classes(model)), *TRANSLATED, *WITHOUT_EFFECT, "preset"}


def our_name(key: str, model: str = "SASRec") -> str | None:
    """Return our name of a setting, given by ours or RecBole's.

    Args:
        key: As written.
        model: Name of the model.

    Returns:
        The name; None for keys that are no single setting, or unknown.
    """
    return _names(_classes(model)).get(key)


def resolve_layers(
    layers: Sequence[Layer], model: str = "SASRec", preset: str | None = None
) -> RunSettings:
    """Lay settings from several places over each other and check the outcome.

    Args:
        layers: From the weakest to the strongest.
        model: Name of the model.
        preset: Name of settings to begin with where no layer has a key ``preset``; None begins
            with the defaults.

    Returns:
        The settings, with where each came from.

    Raises:
        SettingsError: A key is unknown, given under two names in one layer, or has a value out of
            range; or the preset is unknown.
    """
    classes = _classes(model)
    owners = {name: group for group, kind in classes.items() for name in kind.model_fields}
    names = _names(classes)
    preset, layers = _on_preset(layers, preset, model)
    layers = [Layer(f"{model} as in its paper", own_settings(model, preset)), *layers]
    layers = _without_overridden(layers)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    written: dict[str, str] = {}
    unheard: set[str] = set()
    for layer in layers:
        renamed = _renamed(layer, names, unheard)
        values |= {name: value for name, (value, _) in renamed.items()}
        written |= {name: key for name, (_, key) in renamed.items()}
        origins |= {
            name: layer.place_of(key) + (f" as {key}" if key != name else "")
            for name, (_, key) in renamed.items()
        }
    checked = {
        group: _validated(
            kind, {n: v for n, v in values.items() if owners[n] == group}, written, origins
        )
        for group, kind in classes.items()
    }
    run = RunSettings(
        model,
        **checked,  # type: ignore[arg-type]  # each group has its class
        origins=origins,
        preset=preset,
    )
    given = {name: written[name] for name in _given(origins, model)}
    unheard.update(idle(given, run.data, run.training, run.evaluation))
    _check_evaluation(run)
    if run.training.loss_traits.needs_item_vectors and not MODELS[model].has_item_table():
        raise SettingsError(no_item_vectors(model, run.training.loss))
    return replace(run, without_effect=tuple(sorted(unheard)))


def adapted(run: RunSettings, facts: DataFacts) -> RunSettings:
    """Return the settings with what their preset makes of the data; the user's own values stay.

    Args:
        run: All settings.
        facts: What the data are like.

    Returns:
        The settings; the same ones if their preset looks at no data.

    Raises:
        SettingsError: A value of the user's does not go together with one found.
    """  # by _validated
    adapt = PRESETS[run.preset].adapt if run.preset is not None else None
    if adapt is None:
        return run
    place = f"preset {run.preset}, for these data"
    found = {
        name: value
        for name, value in adapt(facts).items()
        if run.origins.get(name, place).startswith(f"preset {run.preset}")
    }
    width = found.get("hidden_size", getattr(run.model, "hidden_size", 1))
    if width % found.get("n_heads", 1):
        found["n_heads"] = 1  # the user's width has no such share
    origins = run.origins | dict.fromkeys(found, place)
    groups = {
        name: _validated(
            type(group),
            {**dict(group), **{k: v for k, v in found.items() if k in type(group).model_fields}},
            {},
            origins,
        )
        for name, group in run.groups().items()
    }
    return replace(run, **groups, origins=origins)  # type: ignore[arg-type]  # each group has its class


def _check_evaluation(run: RunSettings) -> None:
    """Refuse metrics that are unknown or do not go with the protocol.

    Args:
        run: All settings.

    Raises:
        SettingsError: There is such a metric.
    """
    check_names(run.evaluation.metrics)
    watched, _ = split_key(run.evaluation.valid_metric)
    sampled = {run.evaluation.candidates, run.evaluation.validated_against} != {"full"}
    whole = {*OF_LISTS, *OF_WHOLE_RANKINGS}
    odd = [name for name in (*run.evaluation.metrics, watched) if name in whole]
    if sampled and odd and run.evaluation.sampled_by == "case":
        raise SettingsError(
            f"{odd[0]} is about the ranking of all items; it needs full ranking, mode 'full' (or "
            "sampled_by='user', which measures it among the candidates, as RecBole does)"
        )


def _classes(model: str) -> dict[str, type[Settings]]:
    return {
        "data": DataSettings,
        "model": MODELS[model].Settings,
        "training": TrainingSettings,
        "evaluation": EvaluationSettings,
        "output": OutputSettings,
    }


def _on_preset(
    layers: Sequence[Layer], preset: str | None, model: str
) -> tuple[str | None, list[Layer]]:
    """Return the preset's name, and the layers upon that of the preset, if one is named.

    Args:
        layers: From the weakest to the strongest; their key ``preset`` is taken out.
        preset: Its name where no layer says.
        model: Name of the model.

    Returns:
        The name or None, and the layers.

    Raises:
        SettingsError: The preset is unknown, or not for this model.
    """
    named = [layer.values["preset"] for layer in layers if "preset" in layer.values]
    preset = named[-1] if named else preset
    plain = [
        replace(layer, values={k: v for k, v in layer.values.items() if k != "preset"})
        for layer in layers
    ]
    if preset is None:
        return None, plain
    if not isinstance(preset, str) or preset not in PRESETS:
        raise SettingsError(
            f"unknown preset {preset!r}{did_you_mean(str(preset), PRESETS)} "
            f"(known: {', '.join(PRESETS)})"
        )
    if model != "SASRec" and preset != "recbole":
        raise SettingsError(f"preset {preset!r} is for SASRec; {model} takes none, or 'recbole'")
    return preset, [Layer(f"preset {preset}", PRESETS[preset].values), *plain]


def _without_overridden(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers without keys of several settings that a later layer has as well.

    As in RecBole, such a key is replaced as a whole; what it said before is not looked at.
    """
    kept: list[Layer] = []
    replaced: set[str] = set()
    for layer in reversed(layers):
        values = {key: value for key, value in layer.values.items() if key not in replaced}
        kept.append(replace(layer, values=values))
        replaced |= TRANSLATED.keys() & values.keys()
    return kept[::-1]


def _names(classes: Mapping[str, type[Settings]]) -> dict[str, str]:
    """Return every name a setting may be given by, ours and RecBole's, to ours."""
    names = {name: name for kind in classes.values() for name in kind.model_fields}
    for kind in classes.values():
        for name, rule in kind.model_fields.items():
            extra = rule.json_schema_extra
            if isinstance(extra, dict) and isinstance(alias := extra.get("recbole"), str):
                names[alias] = name
    return names


def _renamed(
    layer: Layer, names: Mapping[str, str], unheard: set[str]
) -> dict[str, tuple[Any, str]]:
    """Return our names to value and key as written; keys without effect are added to ``unheard``.

    Args:
        layer: Keys as written.
        names: Every name a setting may be given by, to ours.
        unheard: Where keys without effect go.

    Returns:
        Our name to value and key.

    Raises:
        SettingsError: A key is unknown, or names a setting that another key names too.
    """
    found: dict[str, tuple[Any, str]] = {}
    for key, value in layer.values.items():
        at = "" if layer.where in {"settings", "command line"} else f"{layer.place_of(str(key))}: "
        if key in TRANSLATED:
            try:
                pairs = TRANSLATED[key](value)
            except SettingsError as error:
                raise SettingsError(f"{at}{error}") from error
        elif key in names:
            pairs = {names[key]: value}
        elif key in WITHOUT_EFFECT:
            unheard.add(key)
            continue
        else:
            place = "" if layer.where == "settings" else f" in {layer.place_of(str(key))}"
            hint = ELSEWHERE.get(str(key))
            if hint is None:
                hint = did_you_mean(str(key), [*names, *TRANSLATED, *WITHOUT_EFFECT])
            raise SettingsError(f"unknown key {key!r}{place}{hint}")
        for name, each in pairs.items():
            values: tuple[Any, ...] = (each,)
            if name in found:
                earlier, other = found[name]
                values = agreed(name, earlier, each) if {key, other} & TRANSLATED.keys() else ()
            if not values:
                raise SettingsError(
                    f"{at}{found[name][1]!r} and {key!r} are the same setting; keep one"
                )
            found[name] = (values[0], str(key))
    return found


def _validated(
    kind: type[Settings],
    values: dict[str, Any],
    written: Mapping[str, str],
    origins: Mapping[str, str],
) -> Settings:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] in IN_WORDS:
            message = IN_WORDS[first["type"]].format_map(first.get("ctx", {}))
        if not first["loc"]:
            raise SettingsError(message) from None
        name = str(first["loc"][0])
        choices = first.get("ctx", {}).get("expected", "").replace("'", "").replace(" or ", ", ")
        hint = did_you_mean(str(first["input"]), filter(None, choices.split(", ")))
        place = origins.get(name, "settings").removesuffix(f" as {written.get(name)}")
        where = "" if place in {"settings", "command line"} else f"{place}: "
        raise SettingsError(
            f"{where}{written.get(name, name)} is {_shortened(first['input'])}: {message}{hint}"
        ) from None


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text):,} characters)"
