"""The training curve: a picture of loss and validation score by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.system.pictures import new_figure, plain_texts, rendered
from sasrec.system.writing import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curve(metrics: dict[str, Any], watched: str, path: Path) -> None:
    """Draw loss and validation score by epoch, with the best epoch marked.

    Args:
        metrics: Metrics of a recommender, with ``epochs`` and ``best_epoch``.
        watched: Key of the validation score, such as ``mrr@10``.
        path: The PNG file to write.
    """
    with plain_texts():
        write_atomically(path, rendered(training_curve(metrics, watched), "png", dpi=120))


def training_curve(metrics: dict[str, Any], watched: str) -> Figure:
    """Return a figure of loss and validation score by epoch, with the best epoch marked.

    Args:
        metrics: Metrics of a recommender, with ``epochs`` and ``best_epoch``.
        watched: Key of the validation score, such as ``mrr@10``.

    Returns:
        The figure; notebooks display it.
    """
    epochs = metrics["epochs"]
    checked = [each for each in epochs if each["score"] is not None]
    figure = new_figure(7, 4)
    left = figure.add_subplot()
    left.plot([each["epoch"] for each in epochs], [each["loss"] for each in epochs], "C7")
    left.set(xlabel="epoch", ylabel="training loss (grey)")
    right = left.twinx()
    right.plot([each["epoch"] for each in checked], [each["score"] for each in checked], "C0.-")
    right.set(ylabel=f"validation {watched} (blue)")
    right.axvline(metrics["best_epoch"], color="C2", linestyle=":")
    left.set_title(f"best at epoch {metrics['best_epoch']} (dotted); {metrics['stopped_because']}")
    return figure
