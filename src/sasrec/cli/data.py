"""data: list, fetch and describe data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.help import Command
from sasrec.cli.options import ConfigFiles, own_options
from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.cli.proposed_command import train_command, with_command
from sasrec.errors import SettingNeeded

data_app = typer.Typer(help="List, download and describe data sets.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print only JSON.")]


@data_app.command("list", cls=Command)
def list_data(as_json: AsJson = False) -> None:
    """List the data sets that are available by name."""
    from sasrec.data.catalogue import ENTRIES, cached, damaged_file

    rows = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "source": entry.source,
            "fetched": cached(entry.name) is not None and damaged_file(entry.name) is None,
        }
        for entry in ENTRIES.values()
    ]
    rows.append(
        {
            "name": "synthetic",
            "summary": "generated, of any size: synthetic:users=5000,items=800",
            "source": "this package",
            "fetched": True,
        }
    )
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        state = "ready" if row["fetched"] else "not downloaded yet"
        print(f"{row['name']:<10} {row['summary']}\n{'':<10} {row['source']}; {state}")


@data_app.command(cls=Command)
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name (see 'sasrec data list'), or synthetic[:key=value,…]."
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for generated data; default dataset."),
    ] = None,
) -> None:
    """Download a data set to the cache, or generate synthetic data."""
    from sasrec.data import catalogue
    from sasrec.data.saved_events import write_atomic
    from sasrec.data.synthetic import generate

    if name.partition(":")[0] == "synthetic":
        target = expanded(to or Path("dataset")) / "synthetic" / "synthetic.inter"
        write_atomic(generate(name), target)
        print(f"written to {target}; to train on it: sasrec train -d {target.parent}")
        return
    folder = catalogue.fetch_intact(name, fetch_progress())
    print(f"{name} is in {folder}")


def describe(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA …",
            help="Name (see 'sasrec data list'), file, folder, pattern or URL; or several files.",
        ),
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write a .html or .png. Repeatable."),
    ] = None,
    config_file: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Print sizes of a data set, and what each kind of cleaning would remove.

    Give settings of the data as --key=value, such as --user-column=customer. It proposes the
    command that trains on the data, with the settings that are missing.
    """
    from itertools import takewhile

    from sasrec.data.description.describe import checked_report, described
    from sasrec.data.description.text import description_as_text
    from sasrec.data.source_names import as_one
    from sasrec.settings.files import layers_with_mistakes
    from sasrec.settings.resolve import resolve_layers

    others = list(takewhile(lambda word: not word.startswith("-"), context.args))
    layers = layers_with_mistakes(
        config_file or [], context.args[len(others) :], own_options(context)
    )
    settings = resolve_layers(layers).data
    targets = [checked_report(expanded(each)) for each in out or ()]
    try:
        found = described(as_one([data, *others]), settings, fetch_progress())
    except SettingNeeded as error:
        raise with_command(error, context, [data, *others], settings) from error
    is_refused = found.lacks_values and settings.incomplete == "refuse"
    needed = {"incomplete": "drop"} if is_refused else None
    command = train_command(context, [data, *others], needed)
    for target in targets:
        found.save(target)
    if as_json:
        print(json.dumps({**found.as_json(), "train": command}))
        return
    # Remarks were printed when the data were loaded.
    print(description_as_text(found.facts, found.cleanings, found.columns, written=_option))
    print(f"\nto train on it: {command}")
    for target in targets:
        print(f"written to {target}")


def _option(setting: str) -> str:
    """Return a setting such as ``max_user_events=9`` as an option, quoted for a shell."""
    from shlex import quote

    name, equals, value = setting.partition("=")
    return quote(f"--{name.replace('_', '-')}{equals}{value}")
