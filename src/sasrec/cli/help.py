"""help: prints the help of a command; and the classes that control how help texts look."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from sasrec.errors import SettingsError


class Command(TyperCommand):
    """A command with shorter help and plain texts for wrong values of its options.

    The help shows no ``<bool>`` after flags and no type after arguments.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return the words that are not options of the command.

        Args:
            ctx: Context of the command; receives the values of the options.
            args: Words of the command line.

        Returns:
            The words left over.

        Raises:
            SettingsError: An option is given twice.
            BadParameter: The value of an option is wrong.
        """
        try:
            _refuse_options_given_twice(self.make_parser(ctx), args)
            return list(super().parse_args(ctx, args))
        except typer.BadParameter as error:
            from pydantic import ValidationError

            from sasrec.settings.requirements import message_of

            if isinstance(error.__cause__, ValidationError):
                error.message = message_of(error.__cause__.errors())
            raise
        except Exception as error:
            if getattr(error, "ctx", ctx) is None:  # so that the error names the command's help
                error.ctx = ctx  # type: ignore[attr-defined]
            raise

    def get_help_option(self, ctx: Any) -> Any:
        """Return the --help option.

        Args:
            ctx: Context of the command.

        Returns:
            The option, shown as a flag.
        """
        return _without_type(super().get_help_option(ctx))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments of the command.

        Args:
            ctx: Context of the command.

        Returns:
            All of them, shown without types where these say nothing.
        """
        return [_without_type(each) for each in super().get_params(ctx)]


def _refuse_options_given_twice(parser: Any, words: list[str]) -> None:
    """Refuse an option that is given twice, of which all values but the last would be ignored.

    Args:
        parser: Parser of the command.
        words: Words of the command line.

    Raises:
        SettingsError: An option that takes one value is given twice.
    """
    order = parser.parse_args(args=list(words))[2]
    single = [each for each in order if each.param_type_name == "option" and not each.multiple]
    for option in single:
        if single.count(option) > 1 and not option.is_flag:
            raise SettingsError(f"{max(option.opts, key=len)} is given twice; keep one")


class Group(TyperGroup):
    """A group of commands whose help shows no ``<bool>`` after flags."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the --help option.

        Args:
            ctx: Context of the group.

        Returns:
            The option, shown as a flag.
        """
        return _without_type(super().get_help_option(ctx))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the group.

        Args:
            ctx: Context of the group.

        Returns:
            All of them, those of shell completion included.
        """
        return [_without_type(each) for each in super().get_params(ctx)]


def _without_type(parameter: Any) -> Any:
    """Return a parameter whose help hides ``<bool>`` (flags) or ``<path>`` (arguments)."""
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""
    elif isinstance(parameter, TyperArgument):
        parameter.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
    return parameter


def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Such as 'train' or 'data fetch'."),
    ] = None,
) -> None:
    """Print the help of a command."""
    shown: Any = context.parent
    for word in words or []:
        group = shown.command
        if not hasattr(group, "resolve_command"):
            shown.fail(f"{shown.command_path!r} has no command {word!r}")
        name, command, _ = group.resolve_command(shown, [word])
        shown = type(shown)(command, info_name=name, parent=shown, **command.context_settings)
    typer.echo(shown.get_help())
