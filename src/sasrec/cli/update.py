"""update: brings a saved model up to date with new events, and writes it as a new folder."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.options import (
    AsJson,
    ConfigFiles,
    Data,
    Device,
    ItemsFile,
    Quiet,
    SavedModel,
    Seed,
    as_source,
    own_options,
)
from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress, observer_for
from sasrec.errors import SettingsError, printable

History = Annotated[
    list[str] | None,
    typer.Option(
        "--history",
        metavar="DATA",
        help="Events before: context of the new ones, some are replayed. Repeatable.",
    ),
]
ModelOut = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write.", show_default=False),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Replace a model in that folder.")
]
Replay = Annotated[
    float | None,
    typer.Option(
        "--replay",
        metavar="N",
        help="Earlier targets that are learned again for each new one; at most 9 by default.",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", help="Epochs; default: chosen from the amounts."),
]


def update(
    context: typer.Context,
    model: SavedModel,
    data: Data,
    out: ModelOut,
    history: History = None,
    items: ItemsFile = None,
    overwrite: Overwrite = False,
    replay: Replay = None,
    epochs: Epochs = None,
    seed: Seed = None,
    device: Device = None,
    config_file: ConfigFiles = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Bring a model up to date with new events, items and people.

    The model's own folder does not change. New events are held out as in its training;
    --split=none learns all of them.
    """
    from dataclasses import replace

    from sasrec.experiment.updating.into_folder import UpdatePlan, update_by_plan
    from sasrec.settings.files import layers_with_mistakes

    *files, line = layers_with_mistakes(config_file or [], context.args, own_options(context))
    options = {"epochs": epochs, "seed": seed, "device": device, "items_file": items}
    given = {name: value for name, value in options.items() if value is not None}
    source = as_source(data)
    if source is None:
        raise SettingsError("no data are given; add --data, such as --data new.csv")
    plan = UpdatePlan(
        model=expanded(model),
        data=source,
        history=as_source(history),
        replay=replay,
        folder=expanded(out),
        overwrite=overwrite,
    )
    logging.getLogger("sasrec").setLevel("WARNING" if quiet or as_json else "INFO")
    observer = observer_for(quiet=quiet or as_json, loss_decimals=4)
    layers = [*files, replace(line, values={**line.values, **given})]
    found = update_by_plan(plan, layers, observer, fetch_progress())
    if as_json:
        print(json.dumps(found.as_json()))
        return
    print(printable(found.summary()))
    for text in found.metric_lines():
        print(printable(text))
    print(printable(f"saved in {found.folder}"), file=sys.stderr)
