"""data compare: checks new data against older ones, or against those of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.options import ConfigFiles, own_options
from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.errors import SettingsError, printable
from sasrec.system.exits import STOPPED


def compare_data(
    context: typer.Context,
    old: Annotated[
        str,
        typer.Argument(metavar="OLD", help="Older data, or the folder of a saved model."),
    ],
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help="Newer data: name (see 'sasrec data list'), file, folder, pattern or URL.",
        ),
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Write a .html, .png or .json. Repeatable."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="CHECK=WARN,STOP",
            help="Limits of a check, such as unknown_items=0.2,0.5 or gap=none. Repeatable.",
        ),
    ] = None,
    config_file: ConfigFiles = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print only JSON.")] = False,
) -> None:
    """Check new data against older ones, or against those a model was trained on.

    Give settings of the data as --key=value, such as --user-column=customer; with a
    model, those of its training are the default. The exit code is 3 if the verdict is
    stop.
    """
    from sasrec.data.description.describe import checked_report
    from sasrec.data.drift.comparison import JSON
    from sasrec.data.drift.limits import limits_from
    from sasrec.experiment.compare_data import compared_sources
    from sasrec.settings.files import layers_with_mistakes

    layers = layers_with_mistakes(config_file or [], context.args, own_options(context))
    limits = limits_from(dict(map(_limit, limit or ())))
    targets = [checked_report(expanded(each), (JSON,)) for each in out or ()]
    found = compared_sources(old, new, layers, limits=limits, fetching=fetch_progress())
    for target in targets:
        found.save(target)
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        print(printable(str(found)))
        for target in targets:
            print(f"written to {target}")
    if found.verdict == "stop":
        raise typer.Exit(STOPPED)


def _limit(text: str) -> tuple[str, tuple[float | None, ...] | None]:
    """Return the name and the limits in a text such as ``gap=3,14``.

    Raises:
        SettingsError: It has another form.
    """
    name, equals, numbers = text.partition("=")
    try:
        values = tuple(None if each == "none" else float(each) for each in numbers.split(","))
    except ValueError:
        values = ()
    if not equals or len(values) not in (1, 2):
        raise SettingsError(
            f"--limit is {text!r}; write CHECK=WARN,STOP, such as unknown_items=0.3,0.8, with none "
            "for no limit"
        )
    return name.strip().replace("-", "_"), values if len(values) == 2 else (values[0], None)
