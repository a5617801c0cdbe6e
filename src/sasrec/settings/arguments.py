"""Checks of arguments of the Python functions, so that a wrong type is explained in words."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path

from sasrec.errors import SettingsError


def path_argument(name: str, value: object) -> Path:
    """Return an argument that must be a path.

    Args:
        name: Name of the argument.
        value: Its value.

    Returns:
        The path, with ``~`` resolved.

    Raises:
        SettingsError: The value is not a path, or its ``~`` is an unknown user.
    """
    if not isinstance(value, str | os.PathLike):
        raise SettingsError(f"{name} is {value!r}; it must be a path, as text or Path")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"{name} is {str(value)!r}, but there is no such user") from error


def whole_number(name: str, value: object, *, least: int) -> int:
    """Return an argument that must be a whole number.

    Args:
        name: Name of the argument.
        value: Its value.
        least: The lowest number that is allowed.

    Returns:
        The number.

    Raises:
        SettingsError: The value is not a whole number, or too low.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SettingsError(f"{name} is {value!r}; it must be a whole number of at least {least}")
    return int(value)
