"""What plug-ins add to the command line: the option --plugin FILE, and commands of packages."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from sasrec.cli.help import Group
from sasrec.cli.options import PROTOCOL
from sasrec.errors import SettingsError
from sasrec.settings.providers import loaded_from, offered

COMMANDS = "sasrec.commands"
"""Group of entry points: functions as Typer takes them, or Typer apps."""
Plugin = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers models, losses, …",
        rich_help_panel=PROTOCOL,
    ),
]
NAME = "plugin"


def with_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes ``--plugin`` too, and loads these files before it does its work.

    Args:
        command: A function whose parameters Typer reads.

    Returns:
        A function with one parameter more.
    """

    @wraps(command)
    def loaded(*arguments: Any, **options: Any) -> None:
        files: list[Path] = options.pop(NAME) or []
        if files:
            from sasrec.settings.plugins import load_plugin

            for file in files:
                load_plugin(file)
        command(*arguments, **options)

    signature, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    parameters = [
        each.replace(annotation=hints[name]) for name, each in signature.parameters.items()
    ]
    option = inspect.Parameter(
        NAME, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Plugin
    )
    loaded.__annotations__ = {**hints, NAME: Plugin}
    loaded.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*parameters, option]
    )
    return loaded


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
        return [*own, *(name for name in offered(COMMANDS) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; of a package's command only name and help, for the list.

        Args:
            ctx: Of the command line.
            cmd_name: Its name.

        Returns:
            The command, or None if there is none of this name.
        """
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in offered(COMMANDS):
            return own
        places = " and ".join(str(loaded_from(each)) for each in offered(COMMANDS)[cmd_name])
        return TyperCommand(cmd_name, help=f"From the {places}.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, loaded.

        Args:
            ctx: Of the command line.
            args: Its words.

        Returns:
            Name, command and the words behind it.
        """
        name = args[0] if args else ""
        if super().get_command(ctx, name) is None and name in offered(COMMANDS):
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
    entries = offered(COMMANDS)[name]
    places = " and ".join(str(loaded_from(each)) for each in entries)
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
