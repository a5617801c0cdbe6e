"""Spaces of settings to search, in RecBole's ``hyper.test`` form: a parameter a line.

    learning_rate choice [0.01,0.005,0.001]
    hidden_dropout_prob uniform 0.1,0.5
    hidden_size quniform 32,128,32
    weight_decay loguniform -12,-4

The bounds of ``loguniform`` are natural logarithms: the value is exp(u), u between them. Values are
read as literals; nothing is executed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.files import settings_text
from sasrec.settings.literals import literal
from sasrec.settings.written import plain

logger = logging.getLogger(__name__)

BOUNDS = {"uniform": 2, "quniform": 3, "loguniform": 2}
"""Kinds of ranges to how many numbers they take; ``choice`` takes a list."""

SMALLEST_STEP = 1e-12
"""Smallest step of a range, as a share of its bounds."""
LARGEST_GRID = 10_000
"""Most combinations of an exhaustive search; each is kept in the storage beforehand."""
LARGEST = 1e15
"""Largest bound of a range; steps of such numbers are still exact."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting to search.

    Attributes:
        name: Of the setting.
        kind: ``choice``, ``uniform``, ``quniform`` or ``loguniform``.
        values: Its choices, or its bounds (and step).
        where: The place it was written in, in words.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    where: str = field(default="the space", compare=False)


def stepped(value: float, step: float) -> float:
    """Return a value rounded to a multiple of a step, a whole number as such.

    Args:
        value: Any.
        step: Above 0.

    Returns:
        ``round(value / step) * step``.
    """
    rounded = round(value / step) * step
    return int(rounded) if float(rounded).is_integer() else rounded


def read_space(path: str | Path) -> list[Parameter]:
    """Read a space from a file.

    Args:
        path: In the form above; comments (#) are passed over, and so are lines of fewer than three
                words, with a warning.

    Returns:
        Its parameters, in the order of the file.

    Raises:
        SettingsError: The file cannot be read, a line is wrong (the text names it), a parameter
            comes twice, or there is none.
    """
    found: dict[str, Parameter] = {}
    for number, line in enumerate(settings_text(path).splitlines(), start=1):
        words = line.split()
        where = f"{path}, line {number}"
        if len(words) < 3 or words[0].startswith("#"):
            if words and not words[0].startswith("#"):
                logger.warning(
                    "%s is passed over: %r is no parameter, such as 'n_layers choice [1,2]'",
                    where,
                    line.strip(),
                )
            continue
        if words[0] in found:
            raise SettingsError(f"{where}: {words[0]!r} stands above already; keep one")
        text = "".join(words[2:])
        values = literal(text if words[1] == "choice" else f"[{text}]", where)
        found[words[0]] = parameter(words[0], words[1], values, where)
    if not found:
        raise SettingsError(
            f"{path} names no parameter; write lines such as 'n_layers choice [1,2]'"
        )
    return list(found.values())


def space_of(
    params: Mapping[str, Mapping[str, Any]], where: str = "params_dict"
) -> list[Parameter]:
    """Return a space from RecBole's ``params_dict``, kind to name to values.

    Args:
        params: Such as ``{"choice": {"n_layers": [1, 2]}, "uniform": {"dropout": [0.1, 0.5]}}``.
        where: What to call it in an error text.

    Returns:
        Its parameters.

    Raises:
        SettingsError: A kind is unknown, values do not fit it, or a name comes twice.
    """
    how = f"{where} is {{'choice': {{'n_layers': [1, 2]}}, 'uniform': {{…}}}}"
    if not isinstance(params, Mapping) or not params:
        raise SettingsError(f"{how}, not {params!r}")
    for kind, named in params.items():
        if not isinstance(kind, str) or not isinstance(named, Mapping) or not named:
            raise SettingsError(f"{how}; under {kind!r} stands {named!r}")
    found = [
        parameter(str(name), kind, values, where)
        for kind, named in params.items()
        for name, values in named.items()
    ]
    names = [each.name for each in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SettingsError(f"{where}: {twice[0]!r} stands under two kinds; keep one")
    return found


def parameter(name: str, kind: str, values: Any, where: str) -> Parameter:
    """Return a checked parameter.

    Args:
        name: Of the setting.
        kind: As written.
        values: A list of choices, or of two or three numbers.
        where: What to call the place in an error text.

    Returns:
        The parameter.

    Raises:
        SettingsError: The kind is unknown, or the values do not fit it.
    """
    values = plain(values)
    if kind == "choice":
        if not isinstance(values, list | tuple) or not values:
            raise SettingsError(f"{where}: {name} is {values!r}; a choice is a list, such as [1,2]")
        return Parameter(name, kind, tuple(values), where)
    if kind not in BOUNDS:
        known = ["choice", *BOUNDS]
        raise SettingsError(
            f"{where}: unknown type {kind!r}{did_you_mean(kind, known)} (types: {', '.join(known)})"
        )
    count = BOUNDS[kind]
    numbers = values if isinstance(values, list | tuple) else [values]
    if len(numbers) != count or not all(type(number) in {int, float} for number in numbers):
        raise SettingsError(f"{where}: {name} is {values!r}; {kind} takes {count} numbers")
    largest = 700 if kind == "loguniform" else LARGEST  # exp(709) is the largest number there is
    if not all(abs(number) <= largest for number in numbers):
        raise SettingsError(f"{where}: {name} is {values!r}; bounds run to {largest:g}")
    if numbers[0] > numbers[1] or (count == 3 and numbers[2] <= 0):
        raise SettingsError(
            f"{where}: {name} is {values!r}; the lower end comes first, and a step is above 0"
        )
    if count == 3 and numbers[2] < max(abs(numbers[0]), abs(numbers[1]), 1) * SMALLEST_STEP:
        raise SettingsError(f"{where}: {name} is {values!r}; the step is too small to count")
    return Parameter(name, kind, tuple(numbers), where)


def check_grid(space: list[Parameter]) -> None:
    """Refuse an exhaustive search that would never end, or not in a lifetime.

    Args:
        space: What is searched.

    Raises:
        SettingsError: A parameter is a range, or there are too many combinations.
    """
    if ranges := [each.name for each in space if each.kind != "choice"]:
        raise SettingsError(
            f"{ranges[0]} is a range, which cannot be searched exhaustively; make it a choice, or "
            "choose another algo"
        )
    size = grid_size(space)
    if size > LARGEST_GRID:
        raise SettingsError(
            f"the space has {size:,} combinations, and an exhaustive search takes up to "
            f"{LARGEST_GRID:,}; choose another algo, or name fewer choices"
        )


def grid_size(space: list[Parameter]) -> int:
    """Return the number of combinations of the choices.

    Args:
        space: Ranges count once.

    Returns:
        From 1.
    """
    return math.prod(len(each.values) for each in space if each.kind == "choice")
