"""An HTML page with the validation score of each trial of a search."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from functools import partial

from sasrec.system.pictures import draw_or_warn, new_figure, plain_texts, svg_element


def search_page(trials: Sequence[str], scores: Sequence[float], *, higher_is_better: bool) -> str:
    """Return an HTML page with the score by trial as a plot and as a table; it works offline.

    Args:
        trials: Parameters of each successful trial as text, in order.
        scores: Validation score of each trial; NaN if it has none.
        higher_is_better: Whether a higher score is better.

    Returns:
        The HTML text.
    """
    plot = (
        draw_or_warn("the search", partial(_plot, scores, higher_is_better=higher_is_better)) or ""
    )
    best = (max if higher_is_better else min)(
        (score for score in scores if not math.isnan(score)), default=math.nan
    )
    rows = "\n".join(
        f"<tr{' class=best' if score == best else ''}><td>{number}</td><td>{score:.6g}</td>"
        f"<td>{html.escape(text)}</td></tr>"
        for number, (text, score) in enumerate(zip(trials, scores, strict=True), start=1)
    )
    return f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Search</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 60em }}
td, th {{ padding: .1em .8em; text-align: left }}
.best {{ background: #d9f2d9 }}
</style>
<h1>Validation score by trial</h1>
{plot}
<table><tr><th>trial</th><th>score</th><th>parameters</th></tr>
{rows}
</table></html>
"""


def _plot(scores: Sequence[float], *, higher_is_better: bool) -> str:
    """Return an SVG element with a dot per trial and a line for the best score so far."""
    worst = -math.inf if higher_is_better else math.inf
    known = [worst if math.isnan(score) else score for score in scores]
    best = [
        math.nan if math.isinf(value) else value
        for value in itertools.accumulate(known, max if higher_is_better else min)
    ]
    numbers = range(1, len(scores) + 1)
    with plain_texts():
        figure = new_figure(8, 4)
        axes = figure.add_subplot()
        axes.plot(numbers, scores, "C0o", label="trial")
        axes.step(numbers, best, "C2", where="post", label="best so far")
        axes.set(xlabel="trial", ylabel="validation score")
        axes.legend()
        return svg_element(figure)
