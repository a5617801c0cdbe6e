"""Does a search over a whole grid of settings take less time than one training in RecBole?

Searches the grid of RecBole's documentation (120 combinations on ml-100k) exhaustively, with
pruning and two parallel trials. Then measures an epoch of RecBole in its own environment, times the
number of epochs until its early stopping (29, measured once with its defaults). To see whether
pruning loses quality, compares the best of a part of the grid without pruning with the best of the
whole grid with pruning.

    .venv/bin/python benchmarks/tuning.py --out DIR

With --at-a-time it only measures eight trials of five epochs, with one and with two jobs.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from common import tell, timed
from sasrec.data.sources import load_corpus
from sasrec.experiment.prepared import prepare
from sasrec.settings.resolve import resolve_settings
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.report import search_figures, search_report, write_figures
from sasrec.tuning.space import read_space
from sasrec.tuning.trainings import Trainings
from sasrec.tuning.workers import Task, search_together

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / ".venv-recbole" / "bin" / "python"
RECBOLE_EPOCHS = 29
"""Epochs that RecBole trains on ml-100k with its defaults until early stopping."""
GRID = """\
learning_rate choice [0.01,0.005,0.001,0.0005,0.0001]
attn_dropout_prob choice [0.2, 0.5]
hidden_dropout_prob choice [0.2, 0.5]
n_heads choice [1, 2]
n_layers choice [1,2,3]
"""
PART = "learning_rate choice [0.01,0.005,0.001,0.0005,0.0001]\n" + "\n".join(
    ["attn_dropout_prob choice [0.2, 0.5]", "hidden_dropout_prob choice [0.2, 0.5]"]
)
"""20 combinations, with RecBole's two heads and two layers."""


def main() -> None:
    """Search, train with RecBole, and print the ratio."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--jobs", type=int, default=2, help="number of parallel trials")
    arguments.add_argument("--out", type=Path, help="folder for the report of the grid")
    arguments.add_argument("--skip-unpruned", action="store_true")
    arguments.add_argument("--at-a-time", action="store_true")
    given = arguments.parse_args()
    if given.at_a_time:
        compare_jobs()
        return
    pruned, seconds, counts = searched(GRID, "halving", given.jobs, out=given.out)
    print(f"{sum(counts.values())} combinations with pruning: {seconds / 60:.1f} min, {counts}")
    print(f"best validation NDCG@10 {pruned:.4f}")
    if not given.skip_unpruned:
        whole, part_seconds, _ = searched(PART, "none", given.jobs)
        print(f"20 of them without pruning: {part_seconds / 60:.1f} min, best {whole:.4f}")
    row = timed([str(PEER), str(HERE / "peer_recbole.py"), "1"])
    theirs = statistics.median(row["seconds"]) * RECBOLE_EPOCHS
    print(
        f"RecBole once: {RECBOLE_EPOCHS} epochs of {row['seconds'][0]:.0f} s: {theirs / 60:.1f} min"
    )
    print(f"ratio: {theirs / seconds:.2f}")


def compare_jobs() -> None:
    """Print how long the same trials take with one and with two jobs."""
    space = "learning_rate choice [0.003,0.001]\nhidden_dropout_prob choice [0.2,0.3,0.4,0.5]\n"
    taken = [searched(space, "none", jobs, {"epochs": 5})[1] for jobs in (1, 2, 1, 2)]
    one, two = (taken[0] + taken[2]) / 2, (taken[1] + taken[3]) / 2
    print(
        f"8 trials of 5 epochs: {one:.0f} s with 1 job, {two:.0f} s with 2, {one / two:.2f} times"
    )


def searched(
    space: str,
    prune: str,
    jobs: int,
    settings: dict[str, Any] | None = None,
    out: Path | None = None,
) -> tuple[float, float, dict[str, int]]:
    """Return the best score of a search, its seconds, and the number of trials by outcome."""
    fixed = {"valid_metric": "ndcg@10"} | (settings or {})
    run = resolve_settings(fixed, preset="recbole")
    prepared = prepare(load_corpus("ml-100k", run.data), run)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hyper.test"
        file.write_text(space)
        parameters = tuple(read_space(file))
        task = Task(
            SearchPlan(parameters, algorithm="exhaustive", prune=prune),
            storage=str(Path(folder) / "study"),
            study="grid",
            data="ml-100k",
            model="SASRec",
            preset="recbole",
            fixed=fixed,
            fingerprint=prepared.corpus.sequences.fingerprint(),
        )
        search = task.search()
        trainings = Trainings(prepared, fixed, model="SASRec", preset="recbole")
        search_together(task, search, trainings.score, on_progress=tell, jobs=jobs)
        seconds = time.perf_counter() - started
        done, best = search.done(), search.best()
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            title = f"SASRec on ml-100k: {len(done)} combinations"
            figures = search_figures(search, fixed["valid_metric"])
            (out / "search.html").write_text(search_report(search, figures, title=title))
            write_figures(figures, out)
    states = sorted(trial.state.name.lower() for trial in done)
    counts = {name: len(list(group)) for name, group in itertools.groupby(states)}
    score = float("nan") if best is None or best.value is None else best.value
    return score, seconds, counts


if __name__ == "__main__":
    main()
