"""Adds commands of installed packages to the ``sasrec`` command."""

from __future__ import annotations

from typing import Any

import typer

from sasrec.cli.help import Command, Group
from sasrec.errors import SettingsError
from sasrec.settings.providers import entry_points_in, provider_of

COMMANDS = "sasrec.commands"
"""Group of entry points; each is a function that Typer can turn into a command, or a Typer app."""


class WithPluginCommands(Group):
    """The commands of this package, followed by those of installed packages.

    A package's command is imported only when it is called.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands.

        Args:
            ctx: Context of the command line.

        Returns:
            The names; built-in commands take precedence over a package's of the same name.
        """
        own = super().list_commands(ctx)
        return [*own, *(name for name in entry_points_in(COMMANDS) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; for a package's command, a placeholder with its name and help.

        Args:
            ctx: Context of the command line.
            cmd_name: Name of the command.

        Returns:
            The command, or None if there is no command of this name.
        """
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in entry_points_in(COMMANDS):
            return own
        packages = " and ".join(
            str(provider_of(each)) for each in entry_points_in(COMMANDS)[cmd_name]
        )
        return Command(cmd_name, help=f"From the {packages}.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called; a package's command is imported.

        Args:
            ctx: Context of the command line.
            args: Words of the command line, the command first.

        Returns:
            Name of the command, the command, and the remaining words.
        """
        name = args[0] if args else ""
        if super().get_command(ctx, name) is None and name in entry_points_in(COMMANDS):
            return name, _command_of_package(name), args[1:]
        return super().resolve_command(ctx, args)


def _command_of_package(name: str) -> Any:
    """Return a command of an installed package.

    Args:
        name: Name of its entry point.

    Returns:
        The command as Typer builds it.

    Raises:
        SettingsError: Several packages provide the command, or it cannot be loaded.
    """
    entries = entry_points_in(COMMANDS)[name]
    packages = " and ".join(str(provider_of(each)) for each in entries)
    if len(entries) > 1:
        raise SettingsError(
            f"several packages provide the command {name!r}: {packages}; uninstall all but one"
        )
    try:
        found = entries[0].load()
        plugin_app = found if isinstance(found, typer.Typer) else typer.Typer(add_completion=False)
        if plugin_app is not found:
            plugin_app.command(name)(found)
        command = typer.main.get_command(plugin_app)
    except (Exception, SystemExit) as error:  # a third-party module may raise anything
        raise SettingsError(
            f"the command {name!r} of the {packages} cannot be loaded: {type(error).__name__}: "
            f"{error}"
        ) from error
    command.name = name
    return command
