"""compare: several models on the same data, with confidence intervals, tests and a plot."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sasrec.cli.options import (
    AsJson,
    ComparisonOut,
    ConfigFiles,
    CutOffs,
    Data,
    Models,
    Overwrite,
    Protocol,
    Quiet,
    Seeds,
    as_source,
    own_options,
)
from sasrec.cli.output_paths import expanded, folder_name
from sasrec.cli.progress import fetch_progress, observer_for
from sasrec.cli.terminal import plain_console

if TYPE_CHECKING:
    from sasrec.comparison.entries import Comparison
    from sasrec.comparison.entry import Entry
    from sasrec.training.progress import Observer

SLICE_HEADING = "part of the test cases"
LONGEST_HEADING = 16
"""Maximum width of a model's column in characters; longer names are wrapped."""
FILE_WIDTH = 160
"""Minimum width of lines in characters if the output is not a terminal."""
SAMPLED = (
    "targets are ranked against 100 items drawn outside the user's training events; an item drawn "
    "twice counts twice and ties are won by the target, as in the code of 2018. "
    "--candidates=uni100 draws from all items, counts each once, and lets the target lose ties, "
    "which gives lower values. Neither is comparable with full ranking, and both can change the "
    "order of models (Krichene & Rendle 2020)"
)


def compare(
    context: typer.Context,
    data: Data,
    models: Models = "SASRec,GRU4Rec,FPMC,BPR",
    seeds: Seeds = 1,
    protocol: Protocol = "full",
    topk: CutOffs = None,
    out: ComparisonOut = None,
    overwrite: Overwrite = False,
    config_file: ConfigFiles = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train or load several models, and test whether they differ.

    Popularity and Markov counts are always compared too. Give any setting as
    --key=value; it applies to the models that have it. Saved models keep
    their own settings. If interrupted, run the same command again;
    finished trainings are not repeated.
    """
    from sasrec.comparison.result_folder import locked_result_folder
    from sasrec.comparison.start import compare_in, protocol_layer, task_of
    from sasrec.settings.files import layers_with_mistakes

    source = as_source(data) or ""
    words = context.args if topk is None else [*context.args, f"--topk={topk}"]
    given = layers_with_mistakes(config_file or [], words, own_options(context))
    layers = [protocol_layer(protocol), *given]
    task = task_of(models.split(","), layers, seeds)
    folder = expanded(out if out is not None else Path("compared") / folder_name(source))

    def observer(model: str, seed: int) -> Observer:
        if not (quiet or as_json):
            print(f"{model}, seed {seed}", file=sys.stderr)
        return observer_for(quiet=quiet or as_json, loss_decimals=task.first.output.loss_decimals)

    with locked_result_folder(folder, task.all_mistakes, overwrite=overwrite):
        found = compare_in(folder, source, task, observer, fetch_progress())
    if as_json:
        print(json.dumps(found.as_json()))
        return
    print_comparison(found, sampled=protocol == "paper")
    picture = " and .png" * (folder / "comparison.png").exists()
    print(f"\nsaved in {folder}: comparison.json, .csv{picture}")


def print_comparison(found: Comparison, *, sampled: bool) -> None:
    """Print the tables of metrics, costs and slices, with notes on how to read them.

    Args:
        found: The comparison.
        sampled: Whether targets were ranked against sampled items; adds a note.
    """
    from sasrec.comparison.text import about_p
    from sasrec.evaluation.text import sizes_of

    console = plain_console()
    if not console.is_terminal:
        console.width = max(console.width, FILE_WIDTH)
    trained = [entry for entry in found.entries if entry.is_trained_here]
    seeds = ", seed" if len(found.seeds) == 1 else ", seeds"
    seeds = f"{seeds} {', '.join(map(str, found.seeds))}" if trained else ""
    console.print(f"{sizes_of(found.dataset)}\n{found.protocol}\nresults on the test cases{seeds}")
    console.print(_main_table(found))
    first = found.metrics[0]
    for sentence in about_p(found.entries, found.metrics):
        console.print(sentence)
    if len(found.seeds) > 1 and trained:
        spread = ", ".join(f"{entry.model} {entry.spread[first]:.4f}" for entry in trained)
        console.print(f"standard error of {first} over seeds: {spread}")
    about_inputs = {key for entry in trained for key in entry.unused}  # told by a remark
    for key in dict.fromkeys(key for entry in trained for key in entry.settings):
        having = [entry.model for entry in trained if key in entry.settings]
        if len(having) < len(trained) and key not in about_inputs:
            console.print(
                f"{key} was set only for {', '.join(having)}; the others have no such setting"
            )
    console.print(_cost_table(found))
    if any(entry.saved and entry.is_timed for entry in found.entries):
        console.print("epochs and times of saved models are from their own training")
    for table in _slice_tables(found, console.width):
        console.print(table)
    for remark in found.remarks:
        console.print(f"note: {remark}")
    if sampled:
        console.print(f"note: {SAMPLED}")


def _main_table(found: Comparison) -> Any:
    from rich.table import Table

    from sasrec.comparison.text import main_rows

    head, *rows = main_rows(found.entries, found.metrics)
    table = Table()
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _cost_table(found: Comparison) -> Any:
    from rich.table import Table

    table = Table()
    table.add_column("trained model", no_wrap=True)
    for name in ("epochs", "s per epoch", "s to best epoch", "weights", "peak MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in found.entries:
        if entry.parameters:
            table.add_row(
                entry.model,
                *_training_costs(entry),
                f"{entry.parameters:,}",
                f"{entry.peak_megabytes:,.0f}",
            )
    return table


def _training_costs(entry: Entry) -> tuple[str, str, str]:
    if not entry.is_timed:
        return "", "", ""
    return (
        f"{entry.epochs:.0f}",
        f"{entry.seconds_per_epoch:.2f}",
        f"{entry.seconds_to_best:.1f}",
    )


def _slice_tables(found: Comparison, width: int) -> list[Any]:
    """Return the metric by slice, in as many tables as needed to fit the width."""
    from rich.table import Table

    border = 3  # a line and two spaces for each column
    first_columns = (
        max(map(len, (SLICE_HEADING, *found.slice_sizes))) + len("cases") + 2 * border + 1
    )
    groups: list[list[Entry]] = []
    width_left = 0
    for entry in found.entries:
        needed = min(len(entry.model), LONGEST_HEADING) + border
        if needed > width_left:
            groups.append([])
            width_left = width - first_columns
        groups[-1].append(entry)
        width_left -= needed
    tables = []
    for group in groups:
        table = Table(title=f"{found.metrics[0]} by slice", title_justify="left")
        table.add_column(SLICE_HEADING, no_wrap=True)
        table.add_column("cases", justify="right", no_wrap=True)
        for entry in group:
            table.add_column(
                entry.model, justify="right", overflow="fold", max_width=LONGEST_HEADING
            )
        for name, size in found.slice_sizes.items():
            values = [f"{e.slices[name]:.4f}" if name in e.slices else "" for e in group]
            table.add_row(name, f"{size:,}", *values)
        tables.append(table)
    return tables
