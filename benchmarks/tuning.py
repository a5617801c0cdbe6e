"""Does a whole grid of settings take less time than RecBole needs to train once?

The grid of RecBole's page, 120 combinations on ml-100k, exhaustively, hopeless trials ended early;
then an epoch of RecBole in its own environment, times the epochs it trains until it stops (29,
measured once with its defaults). And whether pruning loses something: the best of a part of the
grid without pruning, beside the best of all with it.

    .venv/bin/python benchmarks/tuning.py
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import timed
from sasrec.configuration import resolve_settings
from sasrec.data.sources import load_corpus
from sasrec.tuning.experiments import trainer_of
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.space import grid_size, read_space
from sasrec.tuning.study import Search

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / ".venv-recbole" / "bin" / "python"
RECBOLE_EPOCHS = 29
"""Until its early stop with the defaults on ml-100k."""
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
    arguments.add_argument("--skip-unpruned", action="store_true")
    given = arguments.parse_args()
    pruned, seconds, counts = searched(GRID, "halving")
    print(f"{sum(counts.values())} combinations with pruning: {seconds / 60:.1f} min, {counts}")
    print(f"best validation NDCG@10 {pruned:.4f}")
    if not given.skip_unpruned:
        whole, part_seconds, _ = searched(PART, "none")
        print(f"20 of them without pruning: {part_seconds / 60:.1f} min, best {whole:.4f}")
    row = timed([str(PEER), str(HERE / "peer_recbole.py"), "1"])
    theirs = statistics.median(row["seconds"]) * RECBOLE_EPOCHS
    print(
        f"RecBole once: {RECBOLE_EPOCHS} epochs of {row['seconds'][0]:.0f} s: {theirs / 60:.1f} min"
    )
    print(f"ratio: {theirs / seconds:.2f}")


def searched(space: str, prune: str) -> tuple[float, float, dict[str, int]]:
    """Return the best score of a search, its seconds, and how many trials ended how."""
    fixed = {"valid_metric": "ndcg@10"}
    corpus = load_corpus("ml-100k", resolve_settings(fixed, preset="recbole").data)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hyper.test"
        file.write_text(space)
        parameters = tuple(read_space(file))
        plan = SearchPlan(parameters, algorithm="exhaustive", prune=prune)
        search = Search(plan, storage=str(Path(folder) / "study"), name="grid")
        train = trainer_of(corpus, fixed, model="SASRec", preset="recbole")
        total = grid_size(list(parameters))
        search.run(
            train, lambda s: print(f"{s.done}/{total} {s.outcome} {s.score}", file=sys.stderr)
        )
        done = search.done()
        best = search.best()
    states = sorted(trial.state.name.lower() for trial in done)
    counts = {name: len(list(group)) for name, group in itertools.groupby(states)}
    score = float("nan") if best is None or best.value is None else best.value
    return score, time.perf_counter() - begun, counts


if __name__ == "__main__":
    main()
