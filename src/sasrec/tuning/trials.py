"""Trials of a study that somebody else may have written: what is relied on is looked at first."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sasrec.errors import SettingsError

if TYPE_CHECKING:
    import optuna

OWNER = re.compile(r".*:\d{1,9}", re.DOTALL)
"""Name of a machine and number of a process."""


def check_study(study: optuna.Study, names: Sequence[str], where: str) -> None:
    """Refuse a study that is not as we make them, or has such a trial.

    Args:
        study: As opened.
        names: Of the settings that are searched.
        where: What to call the storage.

    Raises:
        SettingsError: It is.
    """
    if [each.name for each in study.directions] != ["MAXIMIZE"]:
        raise SettingsError(
            f"the study in the storage {where} does not look for a highest score; choose another "
            "--out, --study or --storage"
        )
    for trial in study.get_trials(deepcopy=False):
        if problem := _problem(trial, names):
            raise SettingsError(
                f"the storage {where} is damaged or was edited: trial {trial.number} has {problem};"
                " choose another --out, --study or --storage"
            )


def _problem(trial: optuna.trial.FrozenTrial, names: Sequence[str]) -> str:
    """Return what is not as it must be; empty if nothing is."""
    attributes, state = trial.user_attrs, trial.state.name
    for name in ("beat", "seconds"):
        if not _is_number(attributes.get(name, 0)):
            return f"{name!r} that is no number"
    owner, point = attributes.get("owner", ":0"), attributes.get("point", 0)
    if not isinstance(owner, str) or not OWNER.fullmatch(owner):
        return "an 'owner' that is no process"
    if type(point) is not int or point < 0:
        return "a 'point' that is no whole number"
    if not isinstance(attributes.get("error", ""), str):
        return "an 'error' that is no text"
    if not all(map(_is_number, trial.intermediate_values.values())):
        return "a score that is no number"
    if state in {"COMPLETE", "PRUNED", "FAIL"} and trial.datetime_complete is None:
        return "no time when it ended"
    if state == "COMPLETE" and not _is_number(trial.value):
        return "a final score that is no number"
    missing = [name for name in names if name not in trial.params]
    if state in {"COMPLETE", "PRUNED"} and missing:
        return f"no value of {missing[0]}"
    return ""


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and abs(value) < math.inf  # type: ignore[arg-type]
