"""Which settings a search may vary, and the built-in search space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sasrec.errors import did_you_mean
from sasrec.experiment.prepared import Prepared
from sasrec.settings.fields import Settings
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import Origin
from sasrec.settings.recbole_keys import WITHOUT_EFFECT
from sasrec.settings.resolve import known_keys, our_name, resolve_settings
from sasrec.settings.validate import mistake_in_value
from sasrec.tuning.space import Parameter, parameter

PREPARED_GROUPS = ("data", "evaluation", "output")
"""Groups of settings that a search cannot vary, except for ``max_history``: they are applied once,
before all trials."""
NOT_SEARCHABLE = {"eval_args", "repeatable", "use_gpu", *WITHOUT_EFFECT}
"""RecBole's keys that a search cannot vary."""


def check_names(
    space: Sequence[Parameter], model: str, fixed: Mapping[str, Any] | None = None
) -> None:
    """Reject parameters that are not settings, cannot be varied, or have a fixed value as well.

    Args:
        space: The parameters to search.
        model: Name of the model.
        fixed: Settings that all trials have in common, by our names.

    Raises:
        SettingsError: A parameter is unknown, cannot be varied, is also in ``fixed``, or has a
            choice that its setting does not accept.
    """  # raised in Mistakes.raise_all
    known, given = known_keys(model), dict(fixed or {})
    groups = resolve_settings(model=model).groups()
    mistakes = Mistakes()
    prepared = {name for group in PREPARED_GROUPS for name in type(groups[group]).model_fields}
    for each in space:
        meant = our_name(each.name, model)
        if meant in given:
            mistakes.add(
                f"{each.where}: {each.name!r} is in the search space, but is also set to "
                f"{given[meant]!r}; remove one"
            )
        if (each.name in NOT_SEARCHABLE and meant is None) or meant in prepared - {"max_history"}:
            mistakes.add(
                f"{each.where}: {each.name!r} cannot be searched: it has no effect, or is applied "
                "once before all trials; remove it from the space, or give it as a setting"
            )
        if each.name not in known:
            mistakes.add(
                f"{each.where}: {each.name!r} is not a setting{did_you_mean(each.name, known)}"
            )
        elif each.kind == "choice" and meant is not None:
            mistakes.add_all(_wrong_choices(each, meant, groups.values()))
    mistakes.raise_all()


def _wrong_choices(choice: Parameter, name: str, groups: Iterable[Settings]) -> list[str]:
    """Return the error texts of the values of a choice that its setting does not accept."""
    kinds = [type(group) for group in groups if name in type(group).model_fields]
    origin = Origin("file", choice.where, key=None if choice.name == name else choice.name)
    found = [mistake_in_value(kinds[0], name, value, origin) for value in choice.values]
    return [text for text in found if text is not None]


def built_in_space(prepared: Prepared, fixed: Mapping[str, Any]) -> list[Parameter]:
    """Return a search space for SASRec around the values that its preset chooses for the data.

    Args:
        prepared: The data set, with settings adapted to it.
        fixed: Settings that are not searched.

    Returns:
        The parameters.
    """
    run = prepared.run
    sizes: dict[str, Any] = run.model.model_dump()
    width, layers = sizes["hidden_size"], sizes["n_layers"]
    where = "the built-in space"
    choices: dict[str, list[Any]] = {
        "hidden_size": [width, 2 * width],
        "n_layers": sorted({1, layers, layers + 1}),
        "n_heads": [1, 2],
        "max_history": sorted({run.data.max_history, 2 * run.data.max_history}),
        "temperature": [0.07, 0.1, 0.14],
        "label_smoothing": [0.0, 0.1],
        "event_dropout_prob": [0.0, 0.1, 0.2],
    }
    if run.data.has_content:
        choices |= {"content_mix": ["sum", "gate"], "id_dropout_prob": [0.0, 0.1, 0.2]}
    ranges = {
        "learning_rate": ("loguniform", [-7.6, -5.3]),  # 0.0005 to 0.005
        "hidden_dropout_prob": ("uniform", [0.1, 0.6]),
        "attn_dropout_prob": ("uniform", [0.0, 0.5]),
    }
    space = [parameter(name, "choice", values, where) for name, values in choices.items()]
    space += [parameter(name, kind, ends, where) for name, (kind, ends) in ranges.items()]
    return [each for each in space if each.name not in fixed]
