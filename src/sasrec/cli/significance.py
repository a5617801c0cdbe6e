"""significance: test whether two models differ over seeds, as RecBole's significance_test.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sasrec.cli.output_paths import expanded, folder_name
from sasrec.cli.progress import fetch_progress, observer_for
from sasrec.cli.recbole_options import (
    FirstSeed,
    ModelBaseline,
    ModelOurs,
    PairConfigFiles,
    PairDataset,
    PairOut,
    RunTimes,
)
from sasrec.cli.terminal import plain_console
from sasrec.errors import SettingsError

if TYPE_CHECKING:
    from sasrec.comparison.entries import Comparison
    from sasrec.comparison.entry import Entry
    from sasrec.comparison.kept import KeptTrainings
    from sasrec.settings.files import Layer
    from sasrec.training.progress import Observer


def significance(
    context: typer.Context,
    model_ours: ModelOurs = "SASRec",
    model_baseline: ModelBaseline = "GRU4Rec",
    dataset: PairDataset = "ml-100k",
    config_files: PairConfigFiles = "",
    st_seed: FirstSeed = 2023,
    run_times: RunTimes = 30,
    out: PairOut = None,
) -> None:
    """Test whether one model is better than another over several seeds.

    Both models are trained with RecBole's defaults. The test is a one-sided
    paired t-test over seeds: is the first model better?

    Give any setting as --key=value. If interrupted, run the same command again;
    finished trainings are not repeated.
    """
    from sasrec.comparison.kept import KeptTrainings
    from sasrec.comparison.result_folder import locked_result_folder
    from sasrec.settings.files import Layer, read_layers
    from sasrec.settings.origin import Origin
    from sasrec.settings.registry import MODELS, canonical_model

    names = [canonical_model(model_ours), canonical_model(model_baseline)]
    for name in names:
        MODELS[name]  # refuses an unknown name
    if names[0] == names[1]:
        raise SettingsError(f"both models are {names[0]}; give two different models")
    preset = Layer(Origin("python", "RecBole"), {"preset": "recbole"})
    settings = [preset, *read_layers(config_files.split(), context.args)]
    pair = f"{folder_name(dataset)}-{names[0]}-{names[1]}"
    folder = expanded(Path("compared") / pair if out is None else out)
    kept = KeptTrainings(folder)
    with locked_result_folder(folder, overwrite=True):
        try:
            seeds = range(st_seed, st_seed + run_times)
            found = _measured(dataset, names, settings, seeds, kept)
            entries = {entry.model: entry for entry in found.entries}
            _print(entries[names[0]], entries[names[1]], found.metrics)
            kept.forget()
        finally:
            kept.close()


def _measured(
    dataset: str, names: list[str], settings: list[Layer], seeds: range, kept: KeptTrainings
) -> Comparison:
    """Train both models once with each seed; finished trainings are kept on disk until all are.

    Args:
        dataset: Name or path.
        names: The two models.
        settings: Settings of both models, from the weakest layer to the strongest.
        seeds: The seeds.
        kept: Where finished trainings are kept.

    Returns:
        The comparison.
    """
    from sasrec.comparison.compare import compare_models, run_settings
    from sasrec.data.sources import load_corpus

    corpus = load_corpus(dataset, run_settings(names[0], settings, names).data, fetch_progress())

    def observer(model: str, seed: int) -> Observer:
        print(f"{model}, seed {seed}", file=sys.stderr)
        return observer_for(quiet=True, loss_decimals=4)

    return compare_models(
        corpus, names, settings=settings, seeds=seeds, observer=observer, kept=kept
    )


def _print(ours: Entry, baseline: Entry, keys: tuple[str, ...]) -> None:
    from rich.table import Table

    from sasrec.evaluation.significance import one_sided_p_value

    table = Table(title=f"test, mean of {len(next(iter(ours.by_seed.values())))} seeds")
    for name in ("metric", ours.model, baseline.model, f"p ({ours.model} is better)"):
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=True)
    p_values = {key: one_sided_p_value(ours.by_seed[key], baseline.by_seed[key]) for key in keys}
    for key, p_value in p_values.items():
        p_text = f"{p_value:.2g}" if p_value == p_value else "unknown"
        table.add_row(key, f"{ours.means[key]:.4f}", f"{baseline.means[key]:.4f}", p_text)
    console = plain_console()
    console.print(table)
    unknown = [key for key, p_value in p_values.items() if p_value != p_value]
    if unknown:
        console.print(
            f"p of {', '.join(unknown)} is unknown: the difference is the same for every seed, so "
            "its variance is zero"
        )
