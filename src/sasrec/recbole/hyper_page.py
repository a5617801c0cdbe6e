"""A page that shows how a search went: the score of each trial, and the best so far."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from functools import partial

from sasrec.system.pictures import draw_or_warn, new_figure, plain_texts, svg_element


def search_page(trials: Sequence[str], scores: Sequence[float], *, bigger: bool) -> str:
    """Return an HTML page with the score by trial, as a picture and as a table.

    The page is one file; nothing is loaded when it is opened.

    Args:
        trials: Parameters of each successful trial, as text, in order.
        scores: Its validation score; NaN where there was none.
        bigger: Whether a higher score is better.

    Returns:
        The page.
    """
    picture = draw_or_warn("the search", partial(_picture, scores, bigger=bigger)) or ""
    best = (max if bigger else min)(
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
{picture}
<table><tr><th>trial</th><th>score</th><th>parameters</th></tr>
{rows}
</table></html>
"""


def _picture(scores: Sequence[float], *, bigger: bool) -> str:
    """Return the scores as an SVG element: a dot a trial, a line for the best so far."""
    worst = -math.inf if bigger else math.inf
    known = [worst if math.isnan(score) else score for score in scores]
    best = [
        math.nan if math.isinf(value) else value
        for value in itertools.accumulate(known, max if bigger else min)
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
