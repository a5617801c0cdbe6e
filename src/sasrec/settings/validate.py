"""Checks the values of each group of settings and turns pydantic's errors into plain messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from sasrec.errors import did_you_mean
from sasrec.settings.fields import Settings
from sasrec.settings.mistakes import Mistakes
from sasrec.settings.origin import PYTHON, Origin

MESSAGES = {
    "missing": "a value is missing",
    "string_type": "it must be text",
    "too_long": "it must have at most {max_length} values, not {actual_length}",
    "too_short": "it must have at least {min_length} values, not {actual_length}",
    "tuple_type": "it must be a list, in square brackets",
}
"""Type of a pydantic error to our message, where pydantic's own message is too technical."""
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


def _add_mistakes(error: ValidationError, checks: Checks) -> set[str]:
    """Add the mistakes of a pydantic error to ``checks``.

    Args:
        error: The error that a group raised.
        checks: Receives the mistakes.

    Returns:
        The settings that are wrong, or contradict each other.
    """
    wrong: set[str] = set()
    for each in error.errors():
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] in MESSAGES:
            message = MESSAGES[each["type"]].format_map(each.get("ctx", {}))
        if not each["loc"]:
            wrong |= checks.add_contradiction(message)
        elif (name := str(each["loc"][0])) not in wrong:  # in a list, only the first wrong value
            wrong.add(name)
            choices = each.get("ctx", {}).get("expected", "").replace("'", "")
            meant = filter(None, choices.replace(" or ", ", ").split(", "))
            hint = did_you_mean(str(each["input"]), meant)
            origin = checks.origins.get(name, PYTHON)
            text = f"{origin.key or name} is {_shortened(each['input'])}: {message}{hint}"
            checks.mistakes.add(origin.prefix + text)
    checks.unreliable |= wrong
    return wrong


def _shortened(value: object) -> str:
    text = repr(value)
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    return f"{text[:MAX_SHOWN_CHARACTERS]}… ({len(text):,} characters)"
