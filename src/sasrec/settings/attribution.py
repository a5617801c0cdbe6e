"""Errors of plug-in parts, worded so that the user knows which part is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sasrec.errors import SasrecError, SettingsError
from sasrec.settings.parts import Parts


class PluginError(SettingsError):
    """A plug-in part raised an error, or returned something that its contract does not allow."""


class ContractError(Exception):
    """A part returned something that its contract does not allow; ``attributed`` names the part."""


@contextmanager
def attributed(table: Parts, name: str, failure: str) -> Iterator[None]:
    """Name the part in errors that a plug-in part raises in the ``with`` block.

    Errors of built-in parts, errors of this package and a lack of memory are not changed.

    Args:
        table: Table of the part.
        name: Name of the part, in upper or lower case.
        failure: What went wrong if an error is raised, such as ``cannot be created``.

    Yields:
        Nothing.

    Raises:
        PluginError: The part raised an error, or the block raised ContractError.
        SasrecError: The part, or this package, raised it; it is not changed.
        MemoryError: There is not enough memory.
    """
    if table.provider(table.canonical_name(name)) is None:
        yield
        return
    try:
        yield
    except (SasrecError, MemoryError):
        raise
    except ContractError as error:
        raise PluginError(problem_of(table, name, str(error))) from error
    except (Exception, SystemExit) as error:  # a plug-in may raise anything
        text = problem_of(table, name, failure)
        raise PluginError(f"{text}: {type(error).__name__}: {error}") from error


def problem_of(table: Parts, name: str, problem: str) -> str:
    """Return an error text about a plug-in part that names the part and its file or package.

    Args:
        table: Table of the part.
        name: Name of the part, in upper or lower case.
        problem: What is wrong, such as ``cannot be created``.

    Returns:
        The text.
    """
    return f"{table.kind} {name!r} of {table.provider(table.canonical_name(name))} {problem}"
