"""Checks the trials of an existing study, which another program may have written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sasrec.errors import SettingsError

if TYPE_CHECKING:
    import optuna

OWNER = re.compile(r".*:\d{1,9}", re.DOTALL)
"""Host name and process id."""


def check_study(study: optuna.Study, names: Sequence[str], where: str) -> None:
    """Reject a study that this package cannot have written.

    Args:
        study: The opened study.
        names: Names of the searched settings.
        where: The storage as shown in error texts.

    Raises:
        SettingsError: The study or one of its trials is invalid.
    """
    if [each.name for each in study.directions] != ["MAXIMIZE"]:
        raise SettingsError(
            f"the study in the storage {where} does not maximise its score; choose another "
            "--out, --study or --storage"
        )
    for trial in study.get_trials(deepcopy=False):
        if problem := _problem(trial, names):
            raise SettingsError(
                f"the storage {where} is damaged or was edited: trial {trial.number} has {problem};"
                " choose another --out, --study or --storage"
            )


def _problem(trial: optuna.trial.FrozenTrial, names: Sequence[str]) -> str:
    """Return what is wrong with a trial; empty if nothing is wrong."""
    attributes, state = trial.user_attrs, trial.state.name
    for name in ("beat", "seconds"):
        if not _is_number(attributes.get(name, 0)):
            return f"a {name!r} that is not a number"
    owner, point = attributes.get("owner", ":0"), attributes.get("point", 0)
    if not isinstance(owner, str) or not OWNER.fullmatch(owner):
        return "an 'owner' that is not a process"
    if type(point) is not int or point < 0:
        return "a 'point' that is not a valid integer"
    if not isinstance(attributes.get("error", ""), str):
        return "an 'error' that is not text"
    if not all(map(_is_number, trial.intermediate_values.values())):
        return "a score that is not a number"
    if state in {"COMPLETE", "PRUNED", "FAIL"} and trial.datetime_complete is None:
        return "no end time"
    if state == "COMPLETE" and not _is_number(trial.value):
        return "a final score that is not a number"
    missing = [name for name in names if name not in trial.params]
    if state in {"COMPLETE", "PRUNED"} and missing:
        return f"no value for {missing[0]}"
    return ""


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and abs(value) < math.inf  # type: ignore[arg-type]
