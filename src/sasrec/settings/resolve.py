"""Turns settings as written by the user into typed, checked settings.

Each step happens once, in this order: RecBole's keys are translated to our names within each
layer, later layers override earlier ones, and only the result is validated. The mistakes of all
steps are collected and reported together at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sasrec.errors import SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.event_types import type_mistakes
from sasrec.settings.fields import Settings
from sasrec.settings.files import Layer
from sasrec.settings.inputs import Inputs, input_mistakes
from sasrec.settings.layers import classes_of, merge_layers, names_of, with_preset
from sasrec.settings.metric_checks import check_metrics
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import PYTHON, Origin
from sasrec.settings.output import OutputSettings
from sasrec.settings.plugins import PLUGINS_KEY, external_parts, suffix_of
from sasrec.settings.presets import PRESETS, DataFacts
from sasrec.settings.recbole_keys import TRANSLATED, WITHOUT_EFFECT
from sasrec.settings.registry import MODELS
from sasrec.settings.training import TrainingSettings, no_item_vectors
from sasrec.settings.validate import Checks, validated
from sasrec.settings.without_effect import keys_without_effect


@dataclass(frozen=True, slots=True)
class RunSettings:
    """All settings of one run, by group.

    Attributes:
        model_name: Name of the model.
        data: Data settings.
        model: The model's own settings.
        training: Training settings.
        evaluation: Evaluation settings.
        output: Output settings.
        origins: Setting to where its value comes from; settings with default values are absent.
        without_effect: Keys that were given but have no effect, at all or with the other settings.
        preset: Name of the preset, or None.
    """

    model_name: str
    data: DataSettings
    model: Settings
    training: TrainingSettings
    evaluation: EvaluationSettings
    output: OutputSettings = field(default_factory=OutputSettings)
    origins: dict[str, Origin] = field(default_factory=dict, compare=False)
    without_effect: tuple[str, ...] = field(default=(), compare=False)
    preset: str | None = None

    def groups(self) -> dict[str, Settings]:
        """Return the groups of settings by name."""
        return {
            "data": self.data,
            "model": self.model,
            "training": self.training,
            "evaluation": self.evaluation,
            "output": self.output,
        }

    def as_json(self, source: str = "") -> dict[str, Any]:
        """Return all settings as JSON-compatible values.

        Args:
            source: Name or path of the data; if a plug-in reads them, it is listed too.
        """
        groups = {name: _plain(group) for name, group in self.groups().items()}
        parts = external_parts({**self.parts(), "reader": [suffix_of(source)]})
        named = {"model_name": self.model_name, "preset": self.preset}
        return {**named, **({PLUGINS_KEY: parts} if parts else {}), **groups}

    def parts(self) -> dict[str, list[str]]:
        """Return the names of the parts that a plug-in may provide, by kind."""
        watched = self.evaluation.valid_metric.partition("@")[0]
        return {
            "model": [self.model_name],
            "loss": [self.training.loss],
            "metric": [*self.evaluation.metrics, watched],
        }

    def given(self) -> dict[str, Any]:
        """Return the settings given by the user, by our names and as JSON-compatible values."""
        values = {
            key: value for group in self.groups().values() for key, value in _plain(group).items()
        }
        return {name: values[name] for name, origin in self.origins.items() if origin.is_given}


def _plain(group: Settings) -> dict[str, Any]:
    """Return settings as JSON-compatible values; infinity, which JSON lacks, as text."""
    values = group.model_dump(mode="json")
    return {key: "inf" if value == math.inf else value for key, value in values.items()}


def resolve_settings(
    values: Mapping[str, Any] | None = None, model: str = "SASRec", preset: str | None = None
) -> RunSettings:
    """Sort settings into their groups and check them.

    Our names and RecBole's are both accepted, such as ``batch_size`` and ``train_batch_size``.

    Args:
        values: Setting to value; absent settings get their default.
        model: Name of the model.
        preset: Name of the preset if the values do not contain the key ``preset``.

    Returns:
        The settings.

    Raises:
        SettingsError: A key is unknown, given under two names, or has a value out of range; if
            there are several mistakes, a ``SeveralMistakesError`` with all of them.
    """
    if not isinstance(values, Mapping | None):
        raise SettingsError(f"settings must be a dict of names to values, not {values!r}")
    return resolve_layers([Layer(PYTHON, values or {})], model, preset)


def known_keys(model: str = "SASRec") -> set[str]:
    """Return all keys that are accepted for a model, including those without effect.

    Args:
        model: Name of the model.

    Returns:
        Our names and RecBole's.
    """
    return {*names_of(classes_of(model)), *TRANSLATED, *WITHOUT_EFFECT, "preset"}


def our_name(key: str, model: str = "SASRec") -> str | None:
    """Return our name of a setting.

    Args:
        key: Our name or RecBole's.
        model: Name of the model.

    Returns:
        Our name; None for keys that are unknown or stand for several settings.
    """
    return names_of(classes_of(model)).get(key)


def resolve_layers(
    layers: Sequence[Layer],
    model: str = "SASRec",
    preset: str | None = None,
    *,
    inputs: Inputs = "required",
) -> RunSettings:
    """Merge settings from several sources and check the result.

    Args:
        layers: Layers, in order of increasing priority.
        model: Name of the model.
        preset: Name of the preset if no layer contains the key ``preset``; None uses the defaults.
        inputs: Whether the model must be able to use the content of items and the types of events
            that the settings name.

    Returns:
        The settings, with the origin of each value.

    Raises:
        SettingsError: A key is unknown, given under two names in one layer, or has a value out of
            range; or the preset is unknown. If there are several mistakes, a
            ``SeveralMistakesError`` with all of them.
    """
    classes = classes_of(model)
    names = names_of(classes)
    mistakes = Mistakes()
    preset, layers = with_preset(layers, preset, model, mistakes)
    found = merge_layers(layers, names, mistakes)
    unreliable = found.unreliable if preset in (None, *PRESETS) else set(names.values())
    checks = Checks(found.origins, names, mistakes, unreliable)
    groups = _checked(classes, found.values, checks)
    run = RunSettings(
        model,
        **groups,  # type: ignore[arg-type]  # each group has its class
        origins=found.origins,
        preset=preset,
    )
    _check_together(run, checks, inputs)
    mistakes.raise_all()
    given = {name: origin.key or name for name, origin in run.origins.items() if origin.is_given}
    ignored = {*found.ignored, *keys_without_effect(given, run.data, run.training, run.evaluation)}
    return replace(run, without_effect=tuple(sorted(ignored)))


def _checked(
    classes: Mapping[str, type[Settings]], values: Mapping[str, Any], checks: Checks
) -> dict[str, Settings]:
    """Return the groups of settings with checked values.

    Args:
        classes: Name of the group to its class.
        values: Setting, of any group, to value.
        checks: Receives the mistakes.

    Returns:
        Name of the group to its settings.

    Raises:
        SettingsError: A group cannot be created, not even with default values.
    """
    groups = {}
    for name, kind in classes.items():
        own = {key: value for key, value in values.items() if key in kind.model_fields}
        group = validated(kind, own, checks)
        if group is not None:
            groups[name] = group
    if len(groups) < len(classes):
        checks.mistakes.raise_all()
    return groups


def adapted(run: RunSettings, facts: DataFacts) -> RunSettings:
    """Return the settings with the values that their preset chooses for the data.

    Values given by the user are kept.

    Args:
        run: All settings.
        facts: Facts about the training data.

    Returns:
        The settings; unchanged if their preset does not depend on the data.

    Raises:
        SettingsError: A value given by the user contradicts a value chosen by the preset.
    """  # raised in Mistakes.raise_all
    adapt = PRESETS[run.preset].adapt if run.preset is not None else None
    if adapt is None:
        return run
    found = {
        name: value
        for name, value in adapt(facts).items()
        if name not in run.origins or run.origins[name].kind in {"preset", "adapted preset"}
    }
    width = found.get("hidden_size", getattr(run.model, "hidden_size", 1))
    if width % found.get("n_heads", 1):
        found["n_heads"] = 1  # the user's width is not a multiple of the preset's n_heads
    origins = run.origins | dict.fromkeys(found, Origin("adapted preset", run.preset or ""))
    classes = {name: type(group) for name, group in run.groups().items()}
    checks = Checks(origins, names_of(classes), Mistakes())
    before = {name: value for group in run.groups().values() for name, value in group}
    groups = _checked(classes, before | found, checks)
    checks.mistakes.raise_all()
    return replace(run, **groups, origins=origins)  # type: ignore[arg-type]  # each group has its class


def _check_together(run: RunSettings, checks: Checks, inputs: Inputs) -> None:
    """Check settings of different groups against each other.

    Args:
        run: All settings.
        checks: Receives the mistakes.
        inputs: Whether the model must be able to use all inputs.
    """
    check_metrics(run.evaluation, checks)
    model = MODELS[run.model_name]
    for text in type_mistakes(run.data, run.evaluation):
        checks.add_contradiction(text)
    if inputs == "required":
        for text in input_mistakes(run.data, run.model_name, model):
            checks.add_contradiction(text)
    by_product = model.has_item_table()
    if run.training.loss_traits.needs_item_vectors and not by_product:
        checks.add_contradiction(no_item_vectors(run.model_name, run.training.loss))
