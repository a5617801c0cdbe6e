"""How long do SASRec here and RecTools' SASRec train to the same NDCG, and how long is an epoch?

Both use the same data, width (64), inner width (64), blocks, heads, length (50), learning rate and
loss family (softmax over the whole catalogue). They run in their own environments, one after the
other:

    make bench        (or: .venv/bin/python benchmarks/peers.py ml-100k PATH --epochs 10)

RecTools trains on the last 51 events of each user, we train on all. With --same-targets both only
get these 51 events and the two held-out events after them.
"""

import argparse
import csv
import itertools
import statistics
import sys
import tempfile
from pathlib import Path

import polars as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from common import timed
from sasrec.data.sources import locate
from sasrec.settings.data import DataSettings

HERE = Path(__file__).resolve().parent
NEWEST = 53
"""Events per user: 51 that RecTools trains on, one for validation, one for the test."""
PEER = HERE.parent / ".venv-rectools" / "bin" / "python"


def reached(rows: list[dict], goal: float) -> float | None:
    """Return the seconds of training until validation NDCG@10 reaches a goal, or None."""
    seconds = 0.0
    for row in rows:
        seconds += row["seconds"]
        if row["ndcg"] >= goal:
            return seconds
    return None


def main() -> None:
    """Print a table with ratios for each data set; write the curves as CSV and PNG."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", nargs="*", default=["ml-100k"])
    arguments.add_argument("--epochs", type=int, default=10, help="epochs of RecTools")
    arguments.add_argument("--our-epochs", type=int, default=60)
    arguments.add_argument("--blocks", type=int, default=2)
    arguments.add_argument("--heads", type=int, default=2)
    arguments.add_argument("--dropout", type=float, default=0.2)
    arguments.add_argument("--same-targets", action="store_true")
    given = arguments.parse_args()
    rows = []
    for data in given.data:
        curves = both(data, given)
        name = Path(data).stem + (" (the same targets)" if given.same_targets else "")
        show(name, curves)
        if not given.same_targets:
            draw(curves, name, HERE.parent / "docs" / f"peers-{name}.png")
        rows += [
            [name, system, number, f"{row['seconds']:.4f}", f"{row['ndcg']:.6f}"]
            for system, curve in curves.items()
            for number, row in enumerate(curve["epochs"], start=1)
        ]
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    file_name = "peers-same-targets.csv" if given.same_targets else "peers.csv"
    with (results / file_name).open("w", newline="") as file:
        csv.writer(file).writerows([["data", "system", "epoch", "seconds", "ndcg@10"], *rows])


def both(data: str, given: argparse.Namespace) -> dict[str, dict]:
    """Return the measurements of both systems on a data set."""
    path = locate(data, DataSettings(), lambda done, total: None)
    if given.same_targets:
        path = shortened(path, Path(tempfile.mkdtemp()))
        data = str(path)
    settings = {
        "n_layers": given.blocks,
        "n_heads": given.heads,
        "inner_size": 64,
        "hidden_dropout_prob": given.dropout,
        "attn_dropout_prob": given.dropout,
        "batch_size": 4096,
        "epochs": given.our_epochs,
        "patience": given.our_epochs,
        "valid_metric": "ndcg@10",
    }
    words = [f"--{key}={value}" for key, value in settings.items()]
    shape = [str(given.epochs), str(given.blocks), str(given.heads), str(given.dropout)]
    return {
        "sasrec": timed([sys.executable, str(HERE / "ours_curve.py"), data, *words]),
        "RecTools": timed([str(PEER), str(HERE / "peer_rectools.py"), str(path), *shape]),
    }


def shortened(path: Path, folder: Path) -> Path:
    """Return a file with only the latest events of each user, as many as RecTools uses."""
    [source] = [path] if path.is_file() else path.glob("*.inter")
    events = pl.read_csv(source, separator="\t", infer_schema=False)
    user, _, *_, time = events.columns
    kept = (
        events.with_columns(timestamp_=pl.col(time).cast(float), row_=pl.int_range(pl.len()))
        .sort("timestamp_", "row_")
        .group_by(user, maintain_order=True)
        .tail(NEWEST)
        .select(events.columns)
    )
    target = folder / source.stem
    target.mkdir()
    kept.write_csv(target / source.name, separator="\t")
    return target / source.name


def show(data: str, curves: dict[str, dict]) -> None:
    """Print the table of a data set."""
    ours, theirs = curves["sasrec"], curves["RecTools"]
    goal = max(row["ndcg"] for row in theirs["epochs"])
    print(f"\n{data}: validation NDCG@10 against seconds of training")
    print(f"{'':<10}{'targets':>10}{'s/epoch':>9}{'best':>8}{f's to {goal:.4f}':>14}{'GB':>6}")
    medians, times = {}, {}
    for system, curve in curves.items():
        medians[system] = statistics.median(row["seconds"] for row in curve["epochs"])
        times[system] = reached(curve["epochs"], goal)
        best = max(row["ndcg"] for row in curve["epochs"])
        shown = "never" if times[system] is None else f"{times[system]:.1f}"
        print(
            f"{system:<10}{curve['targets']:>10,}{medians[system]:>9.2f}{best:>8.4f}{shown:>14}"
            f"{curve['peak_bytes'] / 1e9:>6.2f}"
        )
    ratio = medians["RecTools"] / medians["sasrec"]
    each = ratio * ours["targets"] / theirs["targets"]
    print(f"an epoch is {ratio:.1f} times faster; {each:.1f} times for the same number of targets")
    if times["sasrec"] is not None:
        faster = times["RecTools"] / times["sasrec"]
        print(f"the best validation NDCG@10 of RecTools is reached {faster:.1f} times faster")


def draw(curves: dict[str, dict], name: str, path: Path) -> None:
    """Draw validation NDCG@10 against seconds of training, for each system.

    Args:
        curves: System to its measurements.
        name: Name of the data set.
        path: The PNG file.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.add_subplot()
    for system, curve in curves.items():
        seconds = itertools.accumulate(row["seconds"] for row in curve["epochs"])
        panel.plot(list(seconds), [row["ndcg"] for row in curve["epochs"]], ".-", label=system)
    panel.set(xscale="log", xlabel="seconds of training", ylabel="validation NDCG@10", title=name)
    panel.legend()
    figure.savefig(path, dpi=110)


main()
