"""The front door: the commands."""

from __future__ import annotations

from typing import Annotated

import typer

from sasrec.cli.compare import compare
from sasrec.cli.data import data_app
from sasrec.cli.explain import explain
from sasrec.cli.info import info
from sasrec.cli.plugin import WithPluginCommands, with_plugins
from sasrec.cli.recbole import execute, import_recbole, run_hyper, run_recbole
from sasrec.cli.recommend import recommend
from sasrec.cli.run import config, evaluate
from sasrec.cli.significance import significance
from sasrec.cli.train import train
from sasrec.cli.tune import tune
from sasrec.system.exits import leave_after


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"sasrec {version('sasrec')}")
        raise typer.Exit


def _front(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sequential recommendation: learn from the order of what people did, predict the next."""


app = typer.Typer(
    name="sasrec",
    cls=WithPluginCommands,
    help="Sequential recommendation: learn from the order of what people did, predict the next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(_front)
FREE_KEYS = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command(context_settings=FREE_KEYS)(with_plugins(train))
app.command(context_settings=FREE_KEYS)(with_plugins(evaluate))
app.command(context_settings=FREE_KEYS)(with_plugins(compare))
app.command(context_settings=FREE_KEYS)(with_plugins(significance))
app.command(context_settings=FREE_KEYS)(with_plugins(tune))
app.command()(with_plugins(info))
app.command()(with_plugins(recommend))
app.command()(with_plugins(explain))
app.command(context_settings=FREE_KEYS)(with_plugins(config))
app.command("exec", context_settings={**FREE_KEYS, "allow_interspersed_args": False})(execute)
app.command("run_recbole", context_settings=FREE_KEYS)(run_recbole)
app.command("run_hyper", context_settings=FREE_KEYS)(run_hyper)
app.command("import-recbole", context_settings=FREE_KEYS)(import_recbole)
app.add_typer(data_app, name="data")


def main() -> None:
    """Run the command line and leave the process.

    Raises:
        SystemExit: Always; see ``leave_after``.
    """
    leave_after(lambda: app(prog_name="sasrec", standalone_mode=False))
