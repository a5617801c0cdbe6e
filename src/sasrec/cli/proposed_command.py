"""The whole command that trains on some data, as describe proposes it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from sasrec.cli.progress import fetch_progress
from sasrec.errors import DataError, SettingNeeded, without_passwords

if TYPE_CHECKING:
    from sasrec.settings.data import DataSettings


def train_command(
    context: typer.Context, data: Sequence[str], settings: Mapping[str, str] | None = None
) -> str:
    """Return the command that trains on the data that a command was given.

    Args:
        context: Context of the command; its words for settings and its plug-ins are kept.
        data: The sources.
        settings: Further settings by name; they replace those among the words.

    Returns:
        Such as ``sasrec train -d shop.csv --user-column=CustomerID``, without passwords of URLs.
    """
    settings = settings or {}
    words = [f"-d {shlex.quote(each)}" for each in data]
    words += [f"-c {shlex.quote(str(f))}" for f in context.params.get("config_file") or ()]
    words += [f"--plugin={shlex.quote(str(file))}" for file in context.params.get("plugin") or ()]
    words += map(shlex.quote, _other_words(context.args, data, settings))
    words += [
        f"--{name.replace('_', '-')}={shlex.quote(value)}" for name, value in settings.items()
    ]
    return without_passwords(" ".join(["sasrec train", *words]))


def with_command(
    error: SettingNeeded, context: typer.Context, data: Sequence[str], settings: DataSettings
) -> DataError:
    """Return the error that data cannot be read, with the whole command that can.

    Args:
        error: The error.
        context: Context of the command.
        data: The sources.
        settings: The settings with which they cannot be read.
    """
    from sasrec.data.proposals import proposed_settings
    from sasrec.data.source_names import as_one

    found = proposed_settings(as_one(data), settings, error, progress=fetch_progress())
    if not found:
        return error
    commands = ", or ".join(train_command(context, data, each) for each in found)
    return error.with_text(f"{error}; the whole command: {commands}")


def _other_words(
    words: Sequence[str], data: Sequence[str], settings: Mapping[str, str]
) -> list[str]:
    """Return the words of a command that give other settings than some, without its data.

    Args:
        words: The words.
        data: The sources, the first of which is not among the words.
        settings: Settings by name.
    """
    kept: list[str] = []
    left = list(words[len(data) - 1 :])
    while left:
        word = left.pop(0)
        name, equals, _ = word.removeprefix("--").partition("=")
        values = [] if equals or not left or left[0].startswith("--") else [left.pop(0)]
        if name.replace("-", "_") not in settings:
            kept += [word, *values]
    return kept
