"""Checks the values of each group of settings and turns pydantic's errors into plain messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sasrec.errors import did_you_mean
from sasrec.settings.fields import Settings
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import PYTHON, Origin
from sasrec.settings.requirements import message_of

MAX_SHOWN_CHARACTERS = 200
"""Maximum characters of a wrong value that are shown in an error text."""


@dataclass(slots=True)
class Checks:
    """Context for checking values and reporting mistakes.

    Attributes:
        origins: Setting to where its value comes from.
        names: Accepted name of a setting to our name.
        mistakes: Receives the mistakes.
        unreliable: Settings whose value is wrong, or was given under a misspelt key. Contradictions
            that involve one of them are not reported, because they may disappear once it is fixed.
    """

    origins: Mapping[str, Origin]
    names: Mapping[str, str]
    mistakes: Mistakes
    unreliable: set[str] = field(default_factory=set)

    def add_contradiction(self, text: str) -> set[str]:
        """Add a mistake that involves several settings, with the files that contain them.

        Args:
            text: Error text, which contains the names of the settings.

        Returns:
            Our names of the settings in the text.
        """
        words = set(re.findall(r"\w+", text))
        named = {self.names[word] for word in words & self.names.keys()}
        named |= {name for name, origin in self.origins.items() if origin.key in words}
        if not named & self.unreliable:
            given = [self.origins[name] for name in named & self.origins.keys()]
            files = sorted({each.where for each in given if each.kind == "file"})
            self.mistakes.add(f"{' and '.join(files)}: {text}" if files else text)
        return named


def validated(kind: type[Settings], values: Mapping[str, Any], checks: Checks) -> Settings | None:
    """Return a group of settings with checked values.

    Values that are wrong or contradict each other are replaced by the defaults, so that the other
    values are checked as well.

    Args:
        kind: Class of the group.
        values: Setting to value.
        checks: Receives the mistakes.

    Returns:
        The group, which may only be used if there was no mistake; None if even the defaults are
        wrong.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        wrong = _add_mistakes(error, checks)
    right = {name: value for name, value in values.items() if name not in wrong}
    return validated(kind, right, checks) if len(right) < len(values) else None


def mistake_in_value(kind: type[Settings], name: str, value: object, origin: Origin) -> str | None:
    """Return what is wrong with the value of one setting, whatever the other settings are.

    Args:
        kind: Class of the group.
        name: Our name of the setting.
        value: The value.
        origin: Where the value comes from.

    Returns:
        The error text, or None if the value is right.
    """
    try:
        kind(**{name: value})
    except ValidationError as error:
        errors = [each for each in error.errors() if each["loc"]]
        return _mistake(name, errors, origin) if errors else None
    return None


def _add_mistakes(error: ValidationError, checks: Checks) -> set[str]:
    """Add the mistakes of a pydantic error to ``checks``.

    Args:
        error: The error that a group raised.
        checks: Receives the mistakes.

    Returns:
        The settings that are wrong, or contradict each other.
    """
    wrong: set[str] = set()
    by_setting: dict[str, list[ErrorDetails]] = {}
    for each in error.errors():
        if each["loc"]:
            by_setting.setdefault(str(each["loc"][0]), []).append(each)
        else:
            wrong |= checks.add_contradiction(message_of([each]))
    for name, errors in by_setting.items():
        checks.mistakes.add(_mistake(name, errors, checks.origins.get(name, PYTHON)))
    checks.unreliable |= wrong | by_setting.keys()
    return wrong | by_setting.keys()


def _mistake(name: str, errors: Sequence[ErrorDetails], origin: Origin) -> str:
    """Return the error text for a setting with a wrong value.

    Args:
        name: Our name of the setting.
        errors: Its errors; of a list, only the first wrong value is reported.
        origin: Where the value comes from.

    Returns:
        Where, which setting, the wrong value, and what it must be.
    """
    first = errors[0]
    same_value = [each for each in errors if each["input"] is first["input"]]
    choices = first.get("ctx", {}).get("expected", "").replace("'", "")
    meant = filter(None, choices.replace(" or ", ", ").split(", "))
    hint = did_you_mean(str(first["input"]), meant)
    text = f"{_shortened(first['input'])}: {message_of(same_value)}{hint}"
    return f"{origin.prefix}{origin.key or name} is {text}"


def _shortened(value: object) -> str:
    text = repr(value)
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    return f"{text[:MAX_SHOWN_CHARACTERS]}… ({len(text):,} characters)"
