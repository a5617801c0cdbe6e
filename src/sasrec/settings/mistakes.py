"""Mistakes in settings are collected, so that all of them are told together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sasrec.errors import SettingsError, SeveralMistakesError


class Mistakes:
    """Collects mistakes; each is told once, in the order they were found."""

    def __init__(self) -> None:
        """Begin with none."""
        self._texts: dict[str, None] = {}  # a set that keeps the order

    def add(self, error: SettingsError | str) -> None:
        """Keep a mistake, or all of an error that holds several.

        Args:
            error: What to tell.
        """
        texts = error.mistakes if isinstance(error, SeveralMistakesError) else (str(error),)
        self._texts |= dict.fromkeys(texts)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep the mistake that ends the block, and go on after it.

        Yields:
            Nothing.
        """
        try:
            yield
        except SettingsError as error:
            self.add(error)

    def tell(self) -> None:
        """Raise one error for all mistakes, if there are any.

        Raises:
            SettingsError: There is one.
            SeveralMistakesError: There are several.
        """
        texts = tuple(self._texts)
        if len(texts) > 1:
            raise SeveralMistakesError(texts)
        if texts:
            raise SettingsError(texts[0])
