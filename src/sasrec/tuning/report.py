"""The report of a search as one HTML page: trials, importance of settings, time saved."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec.errors import counted
from sasrec.system.pictures import draw_or_warn, new_figure, plain_texts, rendered, svg_element
from sasrec.system.writing import write_atomically
from sasrec.tuning.outcomes import seconds_of
from sasrec.tuning.storage import import_optuna
from sasrec.tuning.study import Search

if TYPE_CHECKING:
    import optuna
    from matplotlib.figure import Figure

MIN_FINISHED = 4
"""Minimum number of finished trials to estimate the importance of settings."""
STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
td, th { padding: .1em .8em; text-align: left } svg { max-width: 100%; height: auto }
.best { background: #d9f2d9 } .pruned { color: #777 }
"""


def seconds_saved(trials: Sequence[optuna.trial.FrozenTrial]) -> float:
    """Return the estimated time that pruning saved.

    The estimate assumes that a pruned trial would have run for as many validations as the finished
    trials did on average.

    Args:
        trials: Trials that have ended.

    Returns:
        Seconds; 0 if no trial finished.
    """
    lengths = [len(t.intermediate_values) for t in trials if t.state.name == "COMPLETE"]
    if not lengths:
        return 0.0
    mean_length, saved = float(np.mean(lengths)), 0.0
    for trial in trials:
        seen = len(trial.intermediate_values)
        if trial.state.name == "PRUNED" and seen:
            saved += max(0.0, mean_length - seen) * seconds_of(trial) / seen
    return saved


def search_figures(search: Search, watched: str) -> dict[str, Figure]:
    """Return the pictures of a search.

    Args:
        search: A search in which at least one trial has ended.
        watched: Name of the validation metric.

    Returns:
        Title to figure; figures that need more trials are left out.
    """
    with plain_texts():
        return _figures(search, watched)


def _figures(search: Search, watched: str) -> dict[str, Figure]:
    trials = search.done()
    figures = {
        "Score by trial": _by_trial(trials, watched),
        "Learning curves": _curves(trials, watched),
    }
    if importances := _importances(search):
        figures["What mattered"] = _bars(importances)
    finished = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if len(finished) > 1:
        figures["Score by setting"] = _slices(search, finished, watched)
        figures["Settings together"] = _parallel(search, finished, watched)
    return figures


def write_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write each picture as PNG.

    Args:
        figures: Title to figure.
        folder: Folder to write to; existing files with the same names are replaced.

    Returns:
        The files, named after the titles, such as ``score-by-trial.png``.
    """
    paths = [folder / f"{title.lower().replace(' ', '-')}.png" for title in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        write_atomically(path, rendered(figure, "png", dpi=120))
    return paths


def search_report(
    search: Search, figures: Mapping[str, Figure], *, title: str, final: Sequence[str] = ()
) -> str:
    """Return the report as one HTML page that loads no other files.

    Args:
        search: A search in which at least one trial has ended.
        figures: Title to figure.
        title: Title of the page.
        final: Sentences about the test metrics of the best settings.

    Returns:
        The HTML text.
    """
    trials, best = search.done(), search.best()
    pictures = draw_or_warn("the search", partial(_elements, figures)) or {}
    counts = {
        name: sum(trial.state.name == state for trial in trials)
        for name, state in (("finished", "COMPLETE"), ("pruned", "PRUNED"), ("failed", "FAIL"))
    }
    spent = sum(map(seconds_of, trials))
    head = ", ".join(f"{count} {name}" for name, count in counts.items())
    parts = [
        f"<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<p>{counted(len(trials), 'trial')}: {head}; {spent / 60:.1f} minutes of training. "
        f"Pruning saved about {seconds_saved(trials) / 60:.1f} minutes.</p>",
        *(f"<p>{html.escape(sentence)}</p>" for sentence in final),
        *(f"<h2>{html.escape(name)}</h2>{picture}" for name, picture in pictures.items()),
    ]
    return "\n".join([*parts, "<h2>Trials</h2>", _table(search, trials, best), "</html>\n"])


def _elements(figures: Mapping[str, Figure]) -> dict[str, str]:
    return {name: svg_element(figure) for name, figure in figures.items()}


def _table(
    search: Search,
    trials: Sequence[optuna.trial.FrozenTrial],
    best: optuna.trial.FrozenTrial | None,
) -> str:
    rows = []
    for number, trial in enumerate(trials, start=1):  # same numbers as in the pictures
        kind = "best" if best is not None and trial.number == best.number else ""
        kind = "pruned" if trial.state.name == "PRUNED" else kind
        score = trial.value if trial.state.name == "COMPLETE" else _best_score(trial)
        outcome = trial.user_attrs.get("error", trial.state.name.lower())
        settings = ", ".join(f"{k}: {_short(v)}" for k, v in search.settings_of(trial).items())
        cells = [str(number), "" if score is None else f"{score:.5f}", outcome, settings]
        inside = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        rows.append(f"<tr class='{kind}'>{inside}</tr>")
    head = "<tr><th>trial</th><th>score</th><th>outcome</th><th>settings</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _best_score(trial: optuna.trial.FrozenTrial) -> float | None:
    return max(trial.intermediate_values.values(), default=None)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _importances(search: Search) -> dict[str, float]:
    """Return the importance of each setting for the scores; empty if it cannot be estimated."""
    optuna = import_optuna()
    if sum(trial.state.name == "COMPLETE" for trial in search.done()) < MIN_FINISHED:
        return {}
    try:
        found: dict[str, float] = optuna.importance.get_param_importances(
            search.study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    except (ValueError, RuntimeError, ZeroDivisionError):  # too few trials, or all equal
        return {}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _by_trial(trials: Sequence[optuna.trial.FrozenTrial], watched: str) -> Figure:
    figure, axes = _figure(8, 4)
    best = -math.inf
    line: list[float] = []
    for number, trial in enumerate(trials, start=1):
        finished = trial.state.name == "COMPLETE"
        score = trial.value if finished else _best_score(trial)
        if score is not None:
            axes.plot(number, score, "C0o" if finished else "C7x", markersize=4)
        if finished and trial.value is not None:
            best = max(best, trial.value)
        line.append(best if math.isfinite(best) else math.nan)
    axes.plot(range(1, len(line) + 1), line, "C2-", label="best so far")
    axes.set(xlabel="trial (grey crosses were pruned)", ylabel=watched)
    axes.legend(frameon=False)
    return figure


def _curves(trials: Sequence[optuna.trial.FrozenTrial], watched: str) -> Figure:
    figure, axes = _figure(8, 4)
    for trial in trials:
        steps = sorted(trial.intermediate_values)
        values = [trial.intermediate_values[step] for step in steps]
        pruned = trial.state.name == "PRUNED"
        axes.plot(steps, values, "C7" if pruned else "C0", alpha=0.4, linewidth=0.8)
        if pruned and steps:
            axes.plot(steps[-1], values[-1], "C3x", markersize=4)
    axes.set(xlabel="validation (red crosses: pruned)", ylabel=watched)
    return figure


def _bars(importances: dict[str, float]) -> Figure:
    figure, axes = _figure(7, 0.4 * len(importances) + 1)
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names])
    axes.set(xlabel="importance: share of the variance of scores (PED-ANOVA)")
    return figure


def _slices(search: Search, finished: Sequence[optuna.trial.FrozenTrial], watched: str) -> Figure:
    space = search.plan.space
    columns = min(4, len(space))
    rows = -(-len(space) // columns)
    figure = new_figure(3.2 * columns, 2.6 * rows)
    for number, each in enumerate(space, start=1):
        axes = figure.add_subplot(rows, columns, number)
        shown = [search.settings_of(trial)[each.name] for trial in finished]
        if each.kind == "choice":  # by index, in the order of the space
            shown = [trial.params[each.name] for trial in finished]
            axes.set_xticks(range(len(each.values)), [str(value) for value in each.values])
            axes.margins(x=0.15)
        axes.plot(shown, [trial.value or 0.0 for trial in finished], "C0.", alpha=0.6)
        axes.set(title=each.name, ylabel=watched if (number - 1) % columns == 0 else "")
        axes.tick_params(labelsize=7)
    return figure


def _parallel(search: Search, finished: Sequence[optuna.trial.FrozenTrial], watched: str) -> Figure:
    import matplotlib as mpl

    space = search.plan.space
    figure, axes = _figure(max(6.0, 1.5 * len(space)), 4)
    heights = np.array([[_height(trial, each) for each in space] for trial in finished])
    scores = np.array([trial.value for trial in finished], dtype=float)
    spread = float(np.ptp(scores)) or 1.0
    ends = (scores - scores.min()) / spread
    colours = mpl.colormaps["viridis"](ends)
    for row, end, colour in zip(heights, ends, colours, strict=True):
        axes.plot([*row, end], color=colour, alpha=0.6)
    axes.set_xticks(range(len(space) + 1), [*(p.name for p in space), watched], rotation=30)
    axes.set_yticks([0, 1], ["first or lowest", "last or highest"])
    return figure


def _height(trial: optuna.trial.FrozenTrial, each: Any) -> float:
    stored = float(trial.params[each.name])
    if each.kind == "choice":
        return stored / max(len(each.values) - 1, 1)
    low, high = float(each.values[0]), float(each.values[1])
    return (stored - low) / ((high - low) or 1.0)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = new_figure(width, height)
    return figure, figure.add_subplot()
