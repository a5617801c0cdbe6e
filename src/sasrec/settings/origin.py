"""Where the value of a setting comes from: a kind that code decides by, and a place to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OriginKind = Literal[
    "paper", "preset", "adapted preset", "file", "command line", "python", "model", "checkpoint"
]
"""``paper``: what a model begins with whatever the preset. ``preset``: its fixed values; ``adapted
preset``: what it chooses for the data. ``python``: a mapping or keyword arguments. ``model``: the
settings of a saved model. ``checkpoint``: those of a training that was cut off."""
NOT_GIVEN = frozenset({"paper", "preset", "adapted preset", "model"})
"""Kinds of values that the user has not given for this run."""
WORDS = {
    "paper": "{} as in its paper",
    "preset": "preset {}",
    "adapted preset": "preset {}, for these data",
}
"""Kind to how its place is shown; other places are shown as they are."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a setting comes from.

    Attributes:
        kind: What decides how the value is treated.
        place: Name of the file, preset or model; empty where the kind says it all.
        line: Line of the file, from 1, or None.
        key: The key as written, if it is not our name of the setting.
    """

    kind: OriginKind
    place: str = ""
    line: int | None = None
    key: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether the user has given the value for this run."""
        return self.kind not in NOT_GIVEN

    @property
    def where(self) -> str:
        """The place in words, such as ``my.yaml, line 4`` or ``preset best``."""
        if not self.place:
            return "settings" if self.kind == "python" else self.kind
        text = WORDS.get(self.kind, "{}").format(self.place)
        return text if self.line is None else f"{text}, line {self.line}"

    @property
    def before(self) -> str:
        """The place at the beginning of an error text; empty where the user sees it anyway."""
        return f"{self.where}: " if self.place else ""

    def __str__(self) -> str:
        """Return place and key, such as ``my.yaml, line 4 as stopping_step``."""
        return self.where if self.key is None else f"{self.where} as {self.key}"


COMMAND_LINE = Origin("command line")
PYTHON = Origin("python")
