"""compare: several models on one data set, a table with intervals and tests, and a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sasrec.cli.output_paths import expanded, folder_name
from sasrec.cli.progress import fetch_progress, observer_for
from sasrec.cli.run import PROTOCOL, RESULT, AsJson, ConfigFiles, CutOffs, Data, Quiet
from sasrec.cli.terminal import plain_console
from sasrec.errors import SettingsError, counted, did_you_mean
from sasrec.system.locks import alone_at
from sasrec.system.pictures import attempted
from sasrec.system.writing import remove_leftovers, write_whole

if TYPE_CHECKING:
    from sasrec.comparison.entries import Comparison, Entry
    from sasrec.settings.files import Layer
    from sasrec.training.progress import Observer

PROTOCOLS: dict[str, dict[str, Any]] = {
    "full": {},
    "paper": {
        "candidates": "paper100",
        "metrics": ("hit", "ndcg"),
        "topk": (10,),
        "valid_metric": "ndcg@10",
    },
}
RESULTS = ("comparison.csv", "comparison.png", "comparison.json")
"""Files of a comparison that is finished, in the order they are written."""
PARTS = "part of the test cases"
LONGEST_HEADING = 16
"""Characters of a model's name in a line; longer names are folded."""
WIDE = 160
"""Characters of a line in a file, where tables need not be folded."""
SAMPLED = (
    "targets are ranked against 100 items drawn outside the user's training events, where one "
    "drawn twice counts twice and ties count for the target, as in the code of 2018; "
    "--candidates=uni100 draws among all items, counts each once, and ties against the target, "
    "which gives lower figures. Neither is comparable with full ranking, and both can put models "
    "in another order (Krichene & Rendle 2020)"
)


def compare(
    context: typer.Context,
    data: Data,
    models: Annotated[
        str,
        typer.Option(
            "--models",
            "-m",
            metavar="NAME,…",
            help="Names, or folders of saved models; or 'all'.",
        ),
    ] = "SASRec,GRU4Rec,FPMC,BPR",
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often each model is trained.")
    ] = 1,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="full (all items), or paper (100 sampled items, as in 2018).",
            rich_help_panel=PROTOCOL,
        ),
    ] = "full",
    topk: CutOffs = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Default compared/DATA.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            metavar="",
            help="Replace the result of an earlier comparison.",
            rich_help_panel=RESULT,
        ),
    ] = False,
    config_file: ConfigFiles = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train or load several models, and test how they differ.

    Popularity and Markov counts are always among them. Any setting is given as --key=value, and
    goes to the models that have it; a saved model keeps its own. After an interruption the same
    command goes on with the trainings that are not finished.
    """
    from sasrec.settings.files import Layer, given_layers
    from sasrec.settings.origin import Origin

    if protocol not in PROTOCOLS:
        raise SettingsError(
            f"protocol is {protocol!r}{did_you_mean(protocol, PROTOCOLS)} (known: full, paper)"
        )
    names, saved = _names_and_folders(models)
    words = context.args if topk is None else [*context.args, f"--topk={topk}"]
    shown = Layer(
        Origin("python", "compare"), {"metrics": ("ndcg", "recall", "mrr"), **PROTOCOLS[protocol]}
    )
    settings = [shown, *given_layers(config_file or [], words)]
    folder = expanded(out if out is not None else Path("compared") / folder_name(data))
    with alone_in(folder, overwrite=overwrite):
        found = _measured(data, names, saved, settings, seeds, folder, quiet=quiet or as_json)
    if as_json:
        print(json.dumps(found.as_json()))
        return
    print_comparison(found, sampled=protocol == "paper")
    picture = " and .png" * (folder / "comparison.png").exists()
    print(f"\nsaved in {folder}: comparison.json, .csv{picture}")


@contextmanager
def alone_in(folder: Path, *, overwrite: bool) -> Iterator[None]:
    """Keep a folder for one comparison at a time, and the result of an earlier one.

    Args:
        folder: Of the result.
        overwrite: Whether a result that is there may be replaced.

    Yields:
        Nothing.

    Raises:
        SettingsError: Another comparison writes there, or one has.
    """
    try:
        with alone_at(folder, waits=False):
            if not overwrite and _holds_result(folder):
                raise SettingsError(
                    f"{folder} already holds a comparison; choose another folder with --out, or "
                    "replace it with --overwrite"
                )
            for name in RESULTS:
                remove_leftovers(folder / name)
            yield
    except BlockingIOError as error:
        raise SettingsError(
            f"another comparison writes to {folder}; wait for it, or choose another folder with "
            "--out"
        ) from error


def _holds_result(folder: Path) -> bool:
    """Return whether a folder holds a comparison, and not what one that was killed has begun."""
    from sasrec.comparison.kept import UNFINISHED

    if (folder / UNFINISHED).is_dir():
        return (folder / RESULTS[-1]).exists()
    return any((folder / name).exists() for name in RESULTS)


def _measured(
    data: str,
    names: list[str],
    saved: list[Path],
    settings: list[Layer],
    seeds: int,
    folder: Path,
    *,
    quiet: bool,
) -> Comparison:
    """Compare, and write what came out.

    Args:
        data: Name or path.
        names: Models to train.
        saved: Folders of models trained before.
        settings: For all models.
        seeds: How often each is trained.
        folder: Where the result goes, and finished trainings until it is there.
        quiet: Show no progress.

    Returns:
        The comparison.
    """
    from sasrec.comparison.compare import (
        check_given,
        compare,
        compared_metrics,
        load_saved,
        protocol_of,
        settings_of_all,
    )
    from sasrec.comparison.kept import KeptTrainings
    from sasrec.data.sources import load_corpus

    check_given(settings, names)
    settings_of_all(settings, names)  # mistakes are told before hours of training, not after
    first = protocol_of(settings, names)
    compared_metrics(first)
    corpus = load_corpus(data, first.data, fetch_progress())
    loaded = {}
    for path in saved:
        model = load_saved(path, corpus, first)
        loaded[f"{path} ({model.settings['model_name']})"] = model

    def observer(model: str, seed: int) -> Observer:
        if not quiet:
            print(f"{model}, seed {seed}", file=sys.stderr)
        return observer_for(quiet=quiet, loss_decimals=first.output.loss_decimals)

    kept = KeptTrainings(folder)
    try:
        found = compare(
            corpus,
            names,
            settings=settings,
            seeds=range(first.training.seed, first.training.seed + seeds),
            observer=observer,
            saved=loaded,
            kept=kept,
        )
        _write(found, folder)
        kept.forget()
    finally:
        kept.close()
    return found


def _write(found: Comparison, folder: Path) -> None:
    from sasrec.comparison.report import as_csv, draw_comparison

    write_whole(folder / "comparison.csv", as_csv(found))
    picture = folder / "comparison.png"
    picture.unlink(missing_ok=True)  # of an older comparison
    attempted("the comparison", partial(draw_comparison, found, picture))
    write_whole(folder / "comparison.json", json.dumps(found.as_json(), indent=1) + "\n")


def _names_and_folders(models: str) -> tuple[list[str], list[Path]]:
    """Return the models a user means, each once.

    Args:
        models: Names and folders with commas between, or ``all``.

    Returns:
        Names as they stand in the registry, and folders of saved models.

    Raises:
        SettingsError: A name is unknown, or there is none.
    """
    from sasrec.settings.registry import BASELINES, MODELS, model_called

    if models.strip().lower() == "all":
        return list(MODELS), []
    parts = list(dict.fromkeys(part.strip() for part in models.split(",") if part.strip()))
    known = {name.lower() for name in (*MODELS, *BASELINES)}
    is_folder = {
        part: "/" in part or (part.lower() not in known and Path(part).is_dir()) for part in parts
    }
    folders = list(dict.fromkeys(Path(part) for part in parts if is_folder[part]))
    names = [model_called(part) for part in parts if not is_folder[part]]
    names = [name for name in dict.fromkeys(names) if name not in BASELINES]
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise SettingsError(
            f"unknown model {unknown[0]!r}{did_you_mean(unknown[0], MODELS)} "
            f"(known: {', '.join(MODELS)})"
        )
    if not names and not folders:
        raise SettingsError("--models names no model; give names with commas between, or 'all'")
    return names, folders


def print_comparison(found: Comparison, *, sampled: bool) -> None:
    """Print the table, what may be concluded from it, and the slices.

    Args:
        found: What was measured.
        sampled: Whether targets were ranked against a sample.
    """
    console = plain_console()
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    sizes = found.dataset
    trained = [entry for entry in found.entries if entry.is_trained_here]
    seeds = ", seed" if len(found.seeds) == 1 else ", seeds"
    seeds = f"{seeds} {', '.join(map(str, found.seeds))}" if trained else ""
    console.print(
        f"{sizes['name']}: {counted(sizes['users'], 'user')}, {counted(sizes['items'], 'item')}, "
        f"{counted(sizes['interactions'], 'interaction')}\n{found.protocol}\n"
        f"test cases{seeds}"
    )
    console.print(_main_table(found))
    first = found.metrics[0]
    console.print(
        f"p: paired t-test of {first} against {found.entries[0].model} over test cases, corrected "
        "for the number of comparisons (Holm); intervals are bootstrapped over cases"
    )
    if len(found.seeds) > 1 and trained:
        spread = ", ".join(f"{entry.model} {entry.spread[first]:.4f}" for entry in trained)
        console.print(f"standard error of {first} over seeds: {spread}")
    for key in dict.fromkeys(key for entry in trained for key in entry.settings):
        having = [entry.model for entry in trained if key in entry.settings]
        if len(having) < len(trained):
            console.print(f"{key} was set for {', '.join(having)} only; the others have none")
    console.print(_cost_table(found))
    if any(entry.saved and entry.is_timed for entry in found.entries):
        console.print("epochs and seconds of saved models are those of their own training")
    for table in _slice_tables(found, console.width):
        console.print(table)
    for remark in found.remarks:
        console.print(f"note: {remark}")
    if sampled:
        console.print(f"note: {SAMPLED}")


def _main_table(found: Comparison) -> Any:
    from rich.table import Table

    first = found.metrics[0]
    table = Table()
    table.add_column("model", no_wrap=True)
    for name in (*found.metrics, f"95 % of {first}", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in found.entries:
        low, high = entry.intervals[first]
        p_value = "best" if entry is found.entries[0] else f"{entry.p_value:.1g}"
        values = [f"{entry.means[key]:.4f}" for key in found.metrics]
        table.add_row(entry.model, *values, f"{low:.4f} {high:.4f}", p_value)
    return table


def _cost_table(found: Comparison) -> Any:
    from rich.table import Table

    table = Table()
    table.add_column("trained model", no_wrap=True)
    for name in ("epochs", "s an epoch", "s to the best", "weights", "peak MB"):
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
    """Return the figures by slice in as many tables as it takes to fit the width."""
    from rich.table import Table

    border = 3  # a line and two spaces for each column
    taken = max(map(len, (PARTS, *found.slice_sizes))) + len("cases") + 2 * border + 1
    groups: list[list[Entry]] = []
    room = 0
    for entry in found.entries:
        needed = min(len(entry.model), LONGEST_HEADING) + border
        if needed > room:
            groups.append([])
            room = width - taken
        groups[-1].append(entry)
        room -= needed
    tables = []
    for group in groups:
        table = Table(title=f"{found.metrics[0]} by slice", title_justify="left")
        table.add_column(PARTS, no_wrap=True)
        table.add_column("cases", justify="right", no_wrap=True)
        for entry in group:
            table.add_column(
                entry.model, justify="right", overflow="fold", max_width=LONGEST_HEADING
            )
        for name, size in found.slice_sizes.items():
            figures = [f"{e.slices[name]:.4f}" if name in e.slices else "" for e in group]
            table.add_row(name, f"{size:,}", *figures)
        tables.append(table)
    return tables
