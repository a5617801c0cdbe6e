"""Where the value of a setting comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OriginKind = Literal[
    "paper",
    "plug-in",
    "preset",
    "adapted preset",
    "file",
    "command line",
    "python",
    "model",
    "checkpoint",
    "update",
]
"""``paper``: defaults of a built-in model, taken from its paper. ``plug-in``: defaults of a model
that a plug-in adds. ``preset``: fixed values of a preset.
``adapted preset``: values that a preset chooses for the data. ``python``: a mapping or keyword
arguments. ``model``: settings of a saved model. ``checkpoint``: settings of an interrupted
training. ``update``: values that an update chooses from the amounts of events."""
NOT_BY_USER = frozenset({"paper", "plug-in", "preset", "adapted preset", "model"})
"""Origins of values that the user did not give for this run."""
FORMATS = {
    "paper": "{} as in its paper",
    "plug-in": "default of {}",
    "preset": "preset {}",
    "adapted preset": "preset {}, for these data",
}
"""Kind to the format of its place in texts; places of other kinds are shown unchanged."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a setting comes from.

    Attributes:
        kind: Kind of the source.
        place: Name of the file, preset or model; empty if the kind alone identifies the source.
        line: Line of the file, counted from 1, or None.
        key: The key as written, if it differs from our name of the setting, otherwise None.
    """

    kind: OriginKind
    place: str = ""
    line: int | None = None
    key: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether the user gave the value for this run."""
        return self.kind not in NOT_BY_USER

    @property
    def where(self) -> str:
        """The source as text, such as ``my.yaml, line 4`` or ``preset best``."""
        if not self.place:
            return "settings" if self.kind == "python" else self.kind
        text = FORMATS.get(self.kind, "{}").format(self.place)
        return text if self.line is None else f"{text}, line {self.line}"

    @property
    def within(self) -> str:
        """The source after a preposition, such as ``in my.yaml, line 4``."""
        return f"on the {self.where}" if self.kind == "command line" else f"in {self.where}"

    @property
    def prefix(self) -> str:
        """The prefix for an error text, such as ``my.yaml, line 4: ``; empty without a place."""
        return f"{self.where}: " if self.place else ""

    def __str__(self) -> str:
        """Return source and key, such as ``my.yaml, line 4 as stopping_step``."""
        return self.where if self.key is None else f"{self.where} as {self.key}"


COMMAND_LINE = Origin("command line")
PYTHON = Origin("python")
