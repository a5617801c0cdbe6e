"""The ``sasrec`` command: registers every subcommand."""

from __future__ import annotations

from typing import Annotated

import typer

from sasrec.cli.compare import compare
from sasrec.cli.data import data_app, describe
from sasrec.cli.data_compare import compare_data
from sasrec.cli.explain import explain
from sasrec.cli.export import export
from sasrec.cli.extend import extend
from sasrec.cli.help import Command, Group, show_help
from sasrec.cli.info import info
from sasrec.cli.plugin import taking_plugins
from sasrec.cli.plugin_commands import WithPluginCommands
from sasrec.cli.recbole import execute, import_recbole, run_hyper, run_recbole
from sasrec.cli.recommend import recommend
from sasrec.cli.rule_options import taking_rules
from sasrec.cli.run import config, evaluate
from sasrec.cli.serve import serve
from sasrec.cli.significance import significance
from sasrec.cli.train import train
from sasrec.cli.tune import tune
from sasrec.cli.update import update
from sasrec.cli.vectors import similar, vectors
from sasrec.system.exits import run_and_exit


def _print_version(is_given: bool) -> None:
    if is_given:
        from importlib.metadata import version

        print(f"sasrec {version('sasrec')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Sequential recommendation: predict a user's next item from earlier ones."""


app = typer.Typer(
    name="sasrec",
    cls=WithPluginCommands,
    help="Sequential recommendation: predict a user's next item from earlier ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda word: word.replace("_", "-"),
    },
)
app.callback()(_options)
FREE_KEYS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""For commands that take any setting as --key=value besides their own options."""
FREE_WORDS = {**FREE_KEYS, "allow_interspersed_args": False}
"""For exec: everything after the first word is passed to the script."""
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(train))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(evaluate))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(taking_rules(recommend)))
app.command(cls=Command)(taking_plugins(similar))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(vectors))
app.command(cls=Command)(taking_plugins(extend))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(update))
app.command(cls=Command)(taking_plugins(export))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(serve))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(explain))
app.command(cls=Command)(taking_plugins(info))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(compare))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(tune))
app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(config))
data_app.command(cls=Command, context_settings=FREE_KEYS)(taking_plugins(describe))
data_app.command("compare", cls=Command, context_settings=FREE_KEYS)(taking_plugins(compare_data))
app.add_typer(data_app, name="data", cls=Group)

recbole_app = typer.Typer(
    help="Commands of RecBole, its scripts, and import of its models.",
    no_args_is_help=True,
)
recbole_app.command("run", cls=Command, context_settings=FREE_KEYS)(run_recbole)
recbole_app.command("hyper", cls=Command, context_settings=FREE_KEYS)(run_hyper)
recbole_app.command("exec", cls=Command, context_settings=FREE_WORDS)(execute)
recbole_app.command("import", cls=Command, context_settings=FREE_KEYS)(import_recbole)
recbole_app.command("significance", cls=Command, context_settings=FREE_KEYS)(
    taking_plugins(significance)
)
app.add_typer(recbole_app, name="recbole", cls=Group)
app.command("help", cls=Command)(show_help)

# The command names of version 0.1 still work, but are not listed.
app.command("run_recbole", cls=Command, context_settings=FREE_KEYS, hidden=True)(run_recbole)
app.command("run_hyper", cls=Command, context_settings=FREE_KEYS, hidden=True)(run_hyper)
app.command("exec", cls=Command, context_settings=FREE_WORDS, hidden=True)(execute)
app.command("import-recbole", cls=Command, context_settings=FREE_KEYS, hidden=True)(import_recbole)
app.command("significance", cls=Command, context_settings=FREE_KEYS, hidden=True)(
    taking_plugins(significance)
)


def main() -> None:
    """Run the command line and exit the process.

    Raises:
        SystemExit: Always; see ``run_and_exit``.
    """
    run_and_exit(lambda: app(prog_name="sasrec", standalone_mode=False))
