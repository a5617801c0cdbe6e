"""Collects mistakes in settings, so that one error can report all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sasrec.errors import SettingsError, SeveralMistakesError


class Mistakes:
    """Collects mistakes and reports each once, in the order in which they were found."""

    def __init__(self) -> None:
        """Start without mistakes."""
        self._texts: dict[str, None] = {}  # used as a set that keeps its order

    def add(self, error: SettingsError | str) -> None:
        """Add a mistake, or all mistakes of an error with several.

        Args:
            error: The error, or its text.
        """
        self.add_all(error.mistakes if isinstance(error, SeveralMistakesError) else (str(error),))

    def add_all(self, texts: Iterable[str]) -> None:
        """Add several mistakes.

        Args:
            texts: The error texts.
        """
        self._texts |= dict.fromkeys(texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """The error texts so far."""
        return tuple(self._texts)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect a SettingsError raised in the ``with`` block and continue after the block.

        Yields:
            Nothing.
        """
        try:
            yield
        except SettingsError as error:
            self.add(error)

    def raise_all(self) -> None:
        """Raise one error with all mistakes, if there are any.

        Raises:
            SettingsError: There is one mistake.
            SeveralMistakesError: There are several mistakes.
        """
        texts = tuple(self._texts)
        if len(texts) > 1:
            raise SeveralMistakesError(texts)
        if texts:
            raise SettingsError(texts[0])
