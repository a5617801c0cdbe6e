"""Proposals: settings with which a source that cannot be read as it is can be read."""

from __future__ import annotations

from collections.abc import Mapping

from sasrec.data.movielens import Progress
from sasrec.data.sources import check_readable
from sasrec.errors import SasrecError, SettingNeeded
from sasrec.settings.data import DataSettings

MOST = 5
"""Settings may be missing one after the other: names of columns, the form of times, what to do with
incomplete rows."""


def proposed_settings(
    source: str, settings: DataSettings, error: SettingNeeded, *, progress: Progress
) -> list[dict[str, str]]:
    """Return settings that are missing to read a source, after trying them.

    Nothing is guessed for the user: these are texts for a message.

    Args:
        source: The source.
        settings: The settings with which it cannot be read.
        error: Why.
        progress: Called while data are downloaded.

    Returns:
        Settings by name, one for each reading between which the user must choose; empty if no
        setting is known.
    """
    found: list[dict[str, str]] = []
    waiting = [dict(choice) for choice in error.choices]
    for _ in range(MOST):
        tried, waiting = waiting, []
        for each in tried:
            further = _needed(source, settings, each, progress)
            waiting += [each | dict(choice) for choice in further]
            found += [] if further else [each]
    return found + waiting


def _needed(
    source: str, settings: DataSettings, found: Mapping[str, str], progress: Progress
) -> tuple[Mapping[str, str], ...]:
    """Return which further settings are needed; nothing if none is known to be.

    Args:
        source: The source.
        settings: The user's settings.
        found: Settings that replace some of them.
        progress: Called while data are downloaded.
    """
    try:
        check_readable(source, DataSettings(**(settings.model_dump() | dict(found))), progress)
    except SettingNeeded as error:
        return error.choices
    except (SasrecError, ValueError):  # told when the command is used
        return ()
    return ()
