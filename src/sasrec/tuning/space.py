"""Search spaces, in RecBole's ``hyper.test`` format with one parameter per line.

    learning_rate choice [0.01,0.005,0.001]
    hidden_dropout_prob uniform 0.1,0.5
    hidden_size quniform 32,128,32
    weight_decay loguniform -12,-4

The bounds of ``loguniform`` are natural logarithms: the value is exp(u) with u between them. Values
are parsed as literals; nothing is executed.
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
"""Kind of range to its number of values; ``choice`` takes a list instead."""

SMALLEST_STEP = 1e-12
"""Smallest step of a range, relative to its larger bound."""
LARGEST_GRID = 10_000
"""Maximum number of combinations of an exhaustive search; all are stored before it starts."""
LARGEST = 1e15
"""Largest bound of a range; floats up to this size still represent steps exactly."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting to search.

    Attributes:
        name: Name of the setting.
        kind: ``choice``, ``uniform``, ``quniform`` or ``loguniform``.
        values: The choices, or the bounds (and step).
        where: Where the parameter was defined, for error texts.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    where: str = field(default="the space", compare=False)


def stepped(value: float, step: float) -> float:
    """Return a value rounded to a multiple of a step.

    Args:
        value: The value.
        step: The step, above 0.

    Returns:
        ``round(value / step) * step``, as an int if it is a whole number.
    """
    rounded = round(value / step) * step
    return int(rounded) if float(rounded).is_integer() else rounded


def read_space(path: str | Path) -> list[Parameter]:
    """Read a space from a file.

    Args:
        path: A file in the format above. Comments (#) are ignored; lines with fewer than three
            words are ignored with a warning.

    Returns:
        The parameters, in the order of the file.

    Raises:
        SettingsError: The file cannot be read, a line is invalid, a parameter occurs twice, or
            there is no parameter.
    """
    found: dict[str, Parameter] = {}
    for number, line in enumerate(settings_text(path).splitlines(), start=1):
        words = line.split()
        where = f"{path}, line {number}"
        if len(words) < 3 or words[0].startswith("#"):
            if words and not words[0].startswith("#"):
                logger.warning(
                    "%s is ignored: %r is not a parameter, such as 'n_layers choice [1,2]'",
                    where,
                    line.strip(),
                )
            continue
        if words[0] in found:
            raise SettingsError(f"{where}: {words[0]!r} is already defined above; keep one")
        text = "".join(words[2:])
        values = literal(text if words[1] == "choice" else f"[{text}]", where)
        found[words[0]] = parameter(words[0], words[1], values, where)
    if not found:
        raise SettingsError(
            f"{path} contains no parameters; write lines such as 'n_layers choice [1,2]'"
        )
    return list(found.values())


def space_of(
    params: Mapping[str, Mapping[str, Any]], where: str = "params_dict"
) -> list[Parameter]:
    """Return a space from RecBole's ``params_dict``, kind to name to values.

    Args:
        params: Such as ``{"choice": {"n_layers": [1, 2]}, "uniform": {"dropout": [0.1, 0.5]}}``.
        where: Name of the space in error texts.

    Returns:
        The parameters.

    Raises:
        SettingsError: A kind is unknown, values do not fit their kind, or a name occurs twice.
    """
    how = f"{where} must be like {{'choice': {{'n_layers': [1, 2]}}, 'uniform': {{…}}}}"
    if not isinstance(params, Mapping) or not params:
        raise SettingsError(f"{how}, not {params!r}")
    for kind, named in params.items():
        if not isinstance(kind, str) or not isinstance(named, Mapping) or not named:
            raise SettingsError(f"{how}, but under {kind!r} it has {named!r}")
    found = [
        parameter(str(name), kind, values, where)
        for kind, named in params.items()
        for name, values in named.items()
    ]
    names = [each.name for each in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SettingsError(f"{where}: {twice[0]!r} occurs under two kinds; keep one")
    return found


def parameter(name: str, kind: str, values: Any, where: str) -> Parameter:
    """Return a checked parameter.

    Args:
        name: Name of the setting.
        kind: The kind, as written.
        values: A list of choices, or a list of two or three numbers.
        where: Where the parameter was defined, for error texts.

    Returns:
        The parameter.

    Raises:
        SettingsError: The kind is unknown, or the values do not fit it.
    """
    values = plain(values)
    if kind == "choice":
        if not isinstance(values, list | tuple) or not values:
            raise SettingsError(
                f"{where}: {name} is {values!r}; choice needs a list, such as [1,2]"
            )
        return Parameter(name, kind, tuple(values), where)
    if kind not in BOUNDS:
        known = ["choice", *BOUNDS]
        raise SettingsError(
            f"{where}: unknown type {kind!r}{did_you_mean(kind, known)} (types: {', '.join(known)})"
        )
    count = BOUNDS[kind]
    numbers = values if isinstance(values, list | tuple) else [values]
    if len(numbers) != count or not all(type(number) in {int, float} for number in numbers):
        raise SettingsError(f"{where}: {name} is {values!r}; {kind} needs {count} numbers")
    largest = 700 if kind == "loguniform" else LARGEST  # exp(710) overflows
    if not all(abs(number) <= largest for number in numbers):
        raise SettingsError(f"{where}: {name} is {values!r}; bounds must be at most {largest:g}")
    if numbers[0] > numbers[1] or (count == 3 and numbers[2] <= 0):
        raise SettingsError(
            f"{where}: {name} is {values!r}; give the lower bound first, and a step above 0"
        )
    if count == 3 and numbers[2] < max(abs(numbers[0]), abs(numbers[1]), 1) * SMALLEST_STEP:
        raise SettingsError(
            f"{where}: {name} is {values!r}; the step is too small for these bounds"
        )
    return Parameter(name, kind, tuple(numbers), where)


def check_grid(space: list[Parameter]) -> None:
    """Reject a space that cannot be searched exhaustively.

    Args:
        space: The parameters to search.

    Raises:
        SettingsError: A parameter is a range, or there are too many combinations.
    """
    if ranges := [each.name for each in space if each.kind != "choice"]:
        raise SettingsError(
            f"{ranges[0]} is a range, which cannot be searched exhaustively; change it to a "
            "choice, or use another algo"
        )
    size = grid_size(space)
    if size > LARGEST_GRID:
        raise SettingsError(
            f"the space has {size:,} combinations, but an exhaustive search allows at most "
            f"{LARGEST_GRID:,}; use another algo, or give fewer choices"
        )


def grid_size(space: list[Parameter]) -> int:
    """Return the number of combinations of the choices.

    Args:
        space: The parameters; ranges are not counted.

    Returns:
        The number, at least 1.
    """
    return math.prod(len(each.values) for each in space if each.kind == "choice")
