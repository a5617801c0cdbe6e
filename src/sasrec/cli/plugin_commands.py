"""Commands of installed packages, behind those of this one."""

from __future__ import annotations

from typing import Any

import typer

from sasrec.cli.help import Command, Group
from sasrec.errors import SettingsError
from sasrec.settings.providers import entry_points_in, provider_of

COMMANDS = "sasrec.commands"
"""Group of entry points: functions as Typer takes them, or Typer apps."""


class WithPluginCommands(Group):
    """The commands of this package, and behind them those of installed packages.

    A command of a package is loaded when it is called, and only then.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands.

        Args:
            ctx: Of the command line.

        Returns:
            The names; of two alike the built-in one counts.
        """
        own = super().list_commands(ctx)
        return [*own, *(name for name in entry_points_in(COMMANDS) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; of a package's command only name and help, for the list.

        Args:
            ctx: Of the command line.
            cmd_name: Its name.

        Returns:
            The command, or None if there is none of this name.
        """
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in entry_points_in(COMMANDS):
            return own
        places = " and ".join(
            str(provider_of(each)) for each in entry_points_in(COMMANDS)[cmd_name]
        )
        return Command(cmd_name, help=f"From the {places}.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, loaded.

        Args:
            ctx: Of the command line.
            args: Its words.

        Returns:
            Name, command and the words behind it.
        """
        name = args[0] if args else ""
        if super().get_command(ctx, name) is None and name in entry_points_in(COMMANDS):
            return name, _command_of_package(name), args[1:]
        return super().resolve_command(ctx, args)


def _command_of_package(name: str) -> Any:
    """Return a command that an installed package offers.

    Args:
        name: Of its entry point.

    Returns:
        As Typer makes it.

    Raises:
        SettingsError: Two packages offer it, or it cannot be loaded.
    """
    entries = entry_points_in(COMMANDS)[name]
    places = " and ".join(str(provider_of(each)) for each in entries)
    if len(entries) > 1:
        raise SettingsError(f"the command {name!r} is offered by {places}; uninstall one")
    try:
        found = entries[0].load()
        own = found if isinstance(found, typer.Typer) else typer.Typer(add_completion=False)
        if own is not found:
            own.command(name)(found)
        command = typer.main.get_command(own)
    except Exception as error:  # whatever somebody else's module may raise
        raise SettingsError(
            f"the command {name!r} of the {places} cannot be loaded: {type(error).__name__}: "
            f"{error}"
        ) from error
    command.name = name
    return command
