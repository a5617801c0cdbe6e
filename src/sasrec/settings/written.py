"""Numbers that remember how they were spelled, such as ``010`` or ``1.10``.

A settings file or command line does not say whether a value is a number or text. A number with an
unusual spelling therefore remembers its text, for settings that need text, such as the code of a
shop or the name of a column.
"""

from __future__ import annotations

from typing import Any, Self


class WrittenInt(int):
    """An integer with an unusual spelling, such as ``010`` or ``0x1F``.

    Attributes:
        text: The spelling.
    """

    text: str

    def __new__(cls, value: int, text: str) -> Self:
        """Return a number that equals ``value`` and remembers its spelling."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs to rebuild the number."""
        return type(self), (int(self), self.text)


class WrittenFloat(float):
    """A float with an unusual spelling, such as ``1e-3`` or ``1.10``.

    Attributes:
        text: The spelling.
    """

    text: str

    def __new__(cls, value: float, text: str) -> Self:
        """Return a number that equals ``value`` and remembers its spelling."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs to rebuild the number."""
        return type(self), (float(self), self.text)


def with_spelling(value: int | float, text: str) -> int | float:
    """Return a number that remembers its spelling, if that differs from Python's own.

    Args:
        value: The number.
        text: How it was spelled.

    Returns:
        The number; a plain int or float if ``repr`` gives the same text.
    """
    if repr(value) == text:
        return value
    return WrittenInt(value, text) if isinstance(value, int) else WrittenFloat(value, text)


def spelling(value: object) -> str:
    """Return a value as text, with its original spelling if it remembers one.

    Args:
        value: Any value.

    Returns:
        Its original spelling, or ``str(value)``.
    """
    return value.text if isinstance(value, WrittenInt | WrittenFloat) else str(value)


def plain(value: Any) -> Any:
    """Return a value in which numbers no longer remember their spelling.

    Args:
        value: Any value, including nested lists, tuples and dicts.

    Returns:
        The same value with plain ints and floats.
    """
    if isinstance(value, WrittenInt):
        return int(value)
    if isinstance(value, WrittenFloat):
        return float(value)
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    return value
