"""From what people wrote to typed settings: keys are renamed, layers laid over each other, checked.

The order is fixed, and each step happens once: aliases become our names within each layer, a later
layer wins over an earlier one, and only the outcome is validated. Mistakes of all steps are told
together, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sasrec.errors import SettingsError
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.fields import Settings
from sasrec.settings.files import Layer
from sasrec.settings.layers import classes_of, laid, names_of, on_preset
from sasrec.settings.metric_names import OF_LISTS, OF_WHOLE_RANKINGS, check_names, split_key
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import PYTHON, Origin
from sasrec.settings.output import OutputSettings
from sasrec.settings.plugins import KEY, parts_from_outside
from sasrec.settings.presets import PRESETS, DataFacts
from sasrec.settings.recbole_keys import TRANSLATED, WITHOUT_EFFECT
from sasrec.settings.registry import MODELS
from sasrec.settings.training import TrainingSettings, no_item_vectors
from sasrec.settings.validate import Checks, validated
from sasrec.settings.without_effect import idle


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
        origins: Setting to where its value comes from; absent for defaults.
        without_effect: Keys that were given and mean nothing here, or nothing beside the others.
        preset: Name of the settings it began with, or None.
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
        return {name: values[name] for name, origin in self.origins.items() if origin.is_given}


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
        SettingsError: A key is unknown, given under two names, or has a value out of range; if
            there are several mistakes, a ``SeveralMistakesError`` tells them all.
    """
    if not isinstance(values, Mapping | None):
        raise SettingsError(f"settings are a dict of names to values, not {values!r}")
    return resolve_layers([Layer(PYTHON, values or {})], model, preset)


def known_keys(model: str = "SASRec") -> set[str]:
    """Return every key that means something, or is known to mean nothing.

    Args:
        model: Name of the model.

    Returns:
        Our names and RecBole's.
    """
    return {*names_of(classes_of(model)), *TRANSLATED, *WITHOUT_EFFECT, "preset"}


def our_name(key: str, model: str = "SASRec") -> str | None:
    """Return our name of a setting, given by ours or RecBole's.

    Args:
        key: As written.
        model: Name of the model.

    Returns:
        The name; None for keys that are no single setting, or unknown.
    """
    return names_of(classes_of(model)).get(key)


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
            range; or the preset is unknown. If there are several mistakes, a
            ``SeveralMistakesError`` tells them all.
    """
    classes = classes_of(model)
    names = names_of(classes)
    mistakes = Mistakes()
    preset, layers = on_preset(layers, preset, model, mistakes)
    found = laid(layers, names, mistakes)
    doubtful = found.doubtful if preset in (None, *PRESETS) else set(names.values())
    checks = Checks(found.origins, names, mistakes, doubtful)
    groups = _checked(classes, found.values, checks)
    run = RunSettings(
        model,
        **groups,  # type: ignore[arg-type]  # each group has its class
        origins=found.origins,
        preset=preset,
    )
    _check_together(run, checks)
    mistakes.tell()
    given = {name: origin.key or name for name, origin in run.origins.items() if origin.is_given}
    unheard = {*found.unheard, *idle(given, run.data, run.training, run.evaluation)}
    return replace(run, without_effect=tuple(sorted(unheard)))


def _checked(
    classes: Mapping[str, type[Settings]], values: Mapping[str, Any], checks: Checks
) -> dict[str, Settings]:
    """Return each group with its values checked.

    Args:
        classes: Name of the group to its class.
        values: Setting, of any group, to value.
        checks: Where mistakes go.

    Returns:
        Name to group.

    Raises:
        SettingsError: A group cannot be made at all.
    """
    groups = {}
    for name, kind in classes.items():
        own = {key: value for key, value in values.items() if key in kind.model_fields}
        group = validated(kind, own, checks)
        if group is not None:
            groups[name] = group
    if len(groups) < len(classes):
        checks.mistakes.tell()
    return groups


def adapted(run: RunSettings, facts: DataFacts) -> RunSettings:
    """Return the settings with what their preset makes of the data; the user's own values stay.

    Args:
        run: All settings.
        facts: What the data are like.

    Returns:
        The settings; the same ones if their preset looks at no data.

    Raises:
        SettingsError: A value of the user's does not go together with one found.
    """  # by Mistakes.tell
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
        found["n_heads"] = 1  # the user's width has no such share
    origins = run.origins | dict.fromkeys(found, Origin("adapted preset", run.preset or ""))
    classes = {name: type(group) for name, group in run.groups().items()}
    checks = Checks(origins, names_of(classes), Mistakes())
    before = {name: value for group in run.groups().values() for name, value in group}
    groups = _checked(classes, before | found, checks)
    checks.mistakes.tell()
    return replace(run, **groups, origins=origins)  # type: ignore[arg-type]  # each group has its class


def _check_together(run: RunSettings, checks: Checks) -> None:
    """Look for mistakes that lie between groups.

    Args:
        run: All settings.
        checks: Where mistakes go.
    """
    _check_metrics(run, checks)
    by_product = MODELS[run.model_name].has_item_table()
    if run.training.loss_traits.needs_item_vectors and not by_product:
        checks.contradiction(no_item_vectors(run.model_name, run.training.loss))


def _check_metrics(run: RunSettings, checks: Checks) -> None:
    """Look for metrics that are unknown or do not go with the protocol.

    Args:
        run: All settings.
        checks: Where mistakes go.
    """
    its = run.evaluation
    for key, metrics, check in (
        ("metrics", its.metrics, lambda name: check_names([name])),
        ("valid_metric", (its.valid_metric,), split_key),
    ):
        for name in metrics:
            try:
                check(name)
            except SettingsError as error:
                checks.mistakes.add(f"{run.origins.get(key, PYTHON).before}{error}")
    watched = its.valid_metric.partition("@")[0]
    sampled = {its.candidates, its.validated_against} != {"full"}
    whole = [name for name in (*its.metrics, watched) if name in {*OF_LISTS, *OF_WHOLE_RANKINGS}]
    if sampled and whole and its.sampled_by == "case":
        checks.contradiction(
            f"{whole[0]} is about the ranking of all items; it needs full ranking, mode 'full' (or "
            "sampled_by='user', which measures it among the candidates, as RecBole does)"
        )
