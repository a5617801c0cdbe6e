"""Values of settings are checked, group by group; what pydantic says of them is put in words."""

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

IN_WORDS = {
    "missing": "it lacks a value",
    "string_type": "it needs a text",
    "too_long": "it takes at most {max_length} values, not {actual_length}",
    "too_short": "it needs at least {min_length} values, not {actual_length}",
    "tuple_type": "it needs a list, in square brackets",
}
"""Kind of pydantic's error to what to say of it, where its own words are those of programmers."""
LONGEST_VALUE = 200
"""Characters of a wrong value that an error text repeats."""


@dataclass(slots=True)
class Checks:
    """What is needed to check values and to say what is wrong with them.

    Attributes:
        origins: Setting to where its value comes from.
        names: Every name a setting may be given by, to ours.
        mistakes: Where mistakes go.
        doubtful: Settings whose value is wrong or was given under a misspelt key. A contradiction
            that names one of them may be none, and is not told.
    """

    origins: Mapping[str, Origin]
    names: Mapping[str, str]
    mistakes: Mistakes
    doubtful: set[str] = field(default_factory=set)

    def contradiction(self, text: str) -> set[str]:
        """Keep a mistake that lies between several settings, with the files they stand in.

        Args:
            text: What is wrong, naming the settings.

        Returns:
            The settings it names.
        """
        words = set(re.findall(r"\w+", text))
        named = {self.names[word] for word in words & self.names.keys()}
        named |= {name for name, origin in self.origins.items() if origin.key in words}
        if not named & self.doubtful:
            given = [self.origins[name] for name in named & self.origins.keys()]
            places = sorted({each.where for each in given if each.kind == "file"})
            self.mistakes.add(f"{' and '.join(places)}: {text}" if places else text)
        return named


def validated(kind: type[Settings], values: Mapping[str, Any], checks: Checks) -> Settings | None:
    """Return a group of settings with its values checked.

    Values that are wrong, or contradict each other, give way to the defaults, so that the others
    are checked as well.

    Args:
        kind: Class of the group.
        values: Setting to value.
        checks: Where mistakes go.

    Returns:
        The group, of use only if there was no mistake; None if even the defaults are wrong.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        wrong = _told(error, checks)
    right = {name: value for name, value in values.items() if name not in wrong}
    return validated(kind, right, checks) if len(right) < len(values) else None


def _told(error: ValidationError, checks: Checks) -> set[str]:
    """Tell what is wrong.

    Args:
        error: Of a group.
        checks: Where mistakes go.

    Returns:
        The settings that are wrong, or contradict each other.
    """
    wrong: set[str] = set()
    for each in error.errors():
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] in IN_WORDS:
            message = IN_WORDS[each["type"]].format_map(each.get("ctx", {}))
        if not each["loc"]:
            wrong |= checks.contradiction(message)
        elif (name := str(each["loc"][0])) not in wrong:  # of a list, the first wrong value
            wrong.add(name)
            choices = each.get("ctx", {}).get("expected", "").replace("'", "")
            meant = filter(None, choices.replace(" or ", ", ").split(", "))
            hint = did_you_mean(str(each["input"]), meant)
            origin = checks.origins.get(name, PYTHON)
            text = f"{origin.key or name} is {_shortened(each['input'])}: {message}{hint}"
            checks.mistakes.add(origin.before + text)
    checks.doubtful |= wrong
    return wrong


def _shortened(value: object) -> str:
    text = repr(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"
