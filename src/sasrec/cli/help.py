"""help: what a command does and takes; and how help texts look."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose help does not say that --help takes a value."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option that shows the help.

        Args:
            ctx: Of the command.

        Returns:
            The option, without a value behind it.
        """
        return _without_value(super().get_help_option(ctx))


class Group(TyperGroup):
    """A group of commands whose help does not say that --help takes a value."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option that shows the help.

        Args:
            ctx: Of the group.

        Returns:
            The option, without a value behind it.
        """
        return _without_value(super().get_help_option(ctx))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the group.

        Args:
            ctx: Of the group.

        Returns:
            All; those of shell completion, which take no value and end the command, included.
        """
        return [_without_value(each) for each in super().get_params(ctx)]


def _without_value(option: Any) -> Any:
    if getattr(option, "is_flag", False):
        option.metavar = ""
    return option


def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="Such as train, or data fetch.")
    ] = None,
) -> None:
    """Show what a command does and takes."""
    shown: Any = context.parent
    for word in words or []:
        group = shown.command
        if not hasattr(group, "resolve_command"):
            shown.fail(f"{shown.command_path!r} has no command {word!r}")
        name, command, _ = group.resolve_command(shown, [word])
        shown = type(shown)(command, info_name=name, parent=shown, **command.context_settings)
    typer.echo(shown.get_help())
