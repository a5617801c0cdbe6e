"""--plugin FILE, an option of every command that works with models or data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from sasrec.cli.options import PROTOCOL

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


def taking_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option ``--plugin``; the files are loaded before it runs.

    Args:
        command: A function whose parameters Typer reads.

    Returns:
        A function with one more parameter.
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
