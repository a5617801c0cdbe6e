"""Mistakes in rules are told with the file and the line of the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sasrec.errors import SasrecError
from sasrec.recommender.rules.rules import NAMES, Rules


@contextmanager
def told_with_lines(rules: Rules, look_up: Callable[[Rules], object]) -> Iterator[None]:
    """Add to an error where the rule is written that causes it.

    The rule is found by looking up each rule alone until one causes the same error, so that no
    part of the work on rules needs to know where they are written.

    Args:
        rules: The rules.
        look_up: The work on the rules, without side effects.

    Yields:
        Nothing.

    Raises:
        SasrecError: The block raises it; it says where the rule is written if this is known.
    """
    try:
        yield
    except SasrecError as error:
        for name, where in rules.origins.items():
            if str(_error_of(rules, name, look_up)) == str(error):
                raise type(error)(f"{where}: {error}") from error
        raise


def _error_of(rules: Rules, name: str, look_up: Callable[[Rules], object]) -> SasrecError | None:
    """Return the error that a rule causes alone, or None."""
    if name not in NAMES:
        return None
    try:
        look_up(Rules(**{name: getattr(rules, name)}))
    except SasrecError as error:
        return error
    return None
