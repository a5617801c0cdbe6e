"""Written numbers: numbers that keep the spelling somebody gave them, such as ``010`` or ``1.10``.

A file of settings or a command line does not know whether a value is meant as a number or as a
text. A number that is not spelled the usual way therefore keeps its text, for settings that want
a text: the code of a shop, the name of a column.
"""

from __future__ import annotations

from typing import Any, Self


class WrittenInt(int):
    """A whole number that was spelled in a way of its own, such as ``010`` or ``0x1F``.

    Attributes:
        text: The spelling.
    """

    text: str

    def __new__(cls, value: int, text: str) -> Self:
        """Return a number that is ``value`` in all respects and knows its spelling."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made again in another process."""
        return type(self), (int(self), self.text)


class WrittenFloat(float):
    """A number that was spelled in a way of its own, such as ``1e-3`` or ``1.10``.

    Attributes:
        text: The spelling.
    """

    text: str

    def __new__(cls, value: float, text: str) -> Self:
        """Return a number that is ``value`` in all respects and knows its spelling."""
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made again in another process."""
        return type(self), (float(self), self.text)


def written(value: int | float, text: str) -> int | float:
    """Return a number that keeps its spelling, if that is not the usual one.

    Args:
        value: The number.
        text: How it was spelled.

    Returns:
        The number; a plain one if Python spells it so too.
    """
    if repr(value) == text:
        return value
    return WrittenInt(value, text) if isinstance(value, int) else WrittenFloat(value, text)


def spelling(value: object) -> str:
    """Return a value as the text it was written as.

    Args:
        value: Any.

    Returns:
        Its spelling, or what ``str`` makes of it.
    """
    return value.text if isinstance(value, WrittenInt | WrittenFloat) else str(value)


def plain(value: Any) -> Any:
    """Return a value without spellings.

    Args:
        value: A number, or lists, tuples and dicts of values.

    Returns:
        The same with Python's own numbers.
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
