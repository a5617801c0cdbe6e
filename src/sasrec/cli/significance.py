"""significance: do two models differ over seeds? RecBole's significance_test.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sasrec.cli.terminal import plain_console
from sasrec.cli.watch import fetch_progress, observer_for
from sasrec.errors import SettingsError

if TYPE_CHECKING:
    from sasrec.comparison.entries import Entry
    from sasrec.training.progress import Observer


def significance(
    context: typer.Context,
    model_ours: Annotated[
        str, typer.Option("--model_ours", "-mo", help="Name of the one.")
    ] = "SASRec",
    model_baseline: Annotated[
        str, typer.Option("--model_baseline", "-mb", help="Name of the other.")
    ] = "GRU4Rec",
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="Name, file or folder.")
    ] = "ml-100k",
    config_files: Annotated[
        str, typer.Option("--config_files", help="YAML files with spaces between.")
    ] = "",
    st_seed: Annotated[int, typer.Option("--st_seed", min=0, help="First seed.")] = 2023,
    run_times: Annotated[
        int, typer.Option("--run_times", "-rt", min=2, help="How often each is trained.")
    ] = 30,
) -> None:
    """Train two models with several seeds as RecBole would, and test each metric's difference.

    The test is Student's, paired by seed, and its alternative is that the first model is better.
    Any setting is given as --key=value.
    """
    from scipy.stats import ttest_rel

    from sasrec.comparison.compare import compare, run_settings
    from sasrec.config_files import Layer, key_words, yaml_file
    from sasrec.data.sources import load_corpus
    from sasrec.registry import MODELS, model_called, resolve

    names = [model_called(model_ours), model_called(model_baseline)]
    for name in names:
        resolve("model", MODELS, name)
    if names[0] == names[1]:
        raise SettingsError(f"both models are {names[0]}; name two")
    files = [yaml_file(Path(part)) for part in config_files.split()]
    settings = [Layer("RecBole", {"preset": "recbole"}), *files, key_words(context.args)]
    corpus = load_corpus(dataset, run_settings(names[0], settings, names).data, fetch_progress())

    def observer(model: str, seed: int) -> Observer:
        print(f"{model}, seed {seed}", file=sys.stderr)
        return observer_for(quiet=True, loss_decimals=4)

    found = compare(
        corpus,
        names,
        settings=settings,
        seeds=range(st_seed, st_seed + run_times),
        observer=observer,
    )
    entries = {entry.model: entry for entry in found.entries}
    ours, baseline = (entries[name] for name in names)
    p_values = {
        key: float(
            ttest_rel(ours.by_seed[key], baseline.by_seed[key], alternative="greater").pvalue
        )
        for key in found.metrics
    }
    _print(ours, baseline, p_values)


def _print(ours: Entry, baseline: Entry, p_values: dict[str, float]) -> None:
    from rich.table import Table

    table = Table(title=f"test, mean of {len(next(iter(ours.by_seed.values())))} seeds")
    for name in ("metric", ours.model, baseline.model, f"p ({ours.model} is better)"):
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=True)
    for key, p_value in p_values.items():
        table.add_row(key, f"{ours.means[key]:.4f}", f"{baseline.means[key]:.4f}", f"{p_value:.2g}")
    plain_console().print(table)
