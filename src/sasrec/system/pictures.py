"""Pictures: figures whose texts are shown as they are, and which cost no result when they fail.

Names of data sets, models and items may hold dollars, which begin a formula for Matplotlib, and
letters that its font lacks. What a user's ``matplotlibrc`` says of looks is kept.
"""

from __future__ import annotations

import io
import logging
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sasrec.errors import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)
Drawn = TypeVar("Drawn")

LITERAL = {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}
"""Settings of Matplotlib with which no text is taken for a formula."""
LONGEST_REASON = 200
"""Characters; Matplotlib lists all that would have been right."""
UNSHOWN = "Glyph .* missing from|Matplotlib currently does not support"
"""How Matplotlib warns, once for each letter, of those a font lacks."""


@contextmanager
def plain_texts() -> Iterator[None]:
    """Take every text within the block as it is: figures are made and written in such blocks.

    Yields:
        Nothing.
    """
    import matplotlib as mpl

    with mpl.rc_context(LITERAL), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=UNSHOWN)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, whatever backend is chosen for windows.

    Args:
        width: In inches.
        height: In inches.

    Returns:
        The figure, without axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain_logarithmic(axis: Any) -> None:
    """Label the powers of ten of an axis as numbers; the usual labels are formulas.

    Args:
        axis: Of a figure, with a logarithmic scale.
    """
    from matplotlib.ticker import LogFormatter

    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False))


def drawn(figure: Figure, form: str, **how: Any) -> bytes:
    """Return a figure as the content of a file.

    Args:
        figure: Made by ``new_figure``, within ``plain_texts``.
        form: ``png`` or ``svg``.
        how: What else ``Figure.savefig`` is told.

    Returns:
        The bytes.
    """
    from matplotlib.text import Text

    content = io.BytesIO()
    with plain_texts():
        texts: list[Any] = figure.findobj(Text)
        fonts = _fonts_for("".join(text.get_text() for text in texts))
        for text in texts:
            text.set_text(printable(text.get_text()))
            text.set_fontfamily(fonts)
        figure.savefig(content, format=form, **how)
    return content.getvalue()


def svg_element(figure: Figure) -> str:
    """Return a figure as an element for an HTML page, the same bytes for the same figure.

    Args:
        figure: Made by ``new_figure``, within ``plain_texts``.

    Returns:
        From ``<svg`` on.
    """
    written = drawn(figure, "svg", metadata={"Date": None}).decode()
    return written[written.index("<svg") :]


def attempted(what: str, draw: Callable[[], Drawn]) -> Drawn | None:
    """Draw something that is worth less than the result it shows: a failure is told, no more.

    A broken ``matplotlibrc``, a backend that does not exist or a full disk may be the reason.

    Args:
        what: Is drawn, as in ``no picture of the training``.
        draw: Does it.

    Returns:
        What ``draw`` returned, or None if it failed.
    """
    try:
        return draw()
    except Exception as error:  # Matplotlib's are of any kind
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        said = printable(reason or type(error).__name__)
        logger.warning("no picture of %s: %s", what, textwrap.shorten(said, LONGEST_REASON))
        return None


def _fonts_for(text: str) -> list[str]:
    """Return names of installed fonts that together have the letters of a text, the usual first.

    Letters that no font has are told once, with what would help.
    """
    import matplotlib as mpl

    usual: list[str] = list(mpl.rcParams["font.family"])
    missing = {letter for letter in text if letter.isprintable()} - _letters(_usual_font())
    fonts = []
    for name, path in _installed() if missing else ():
        if found := missing & _letters(path):
            fonts.append(name)
            missing -= found
        if not missing:
            break
    if missing:
        _say_missing("".join(sorted(missing)))
    return [*usual, *fonts]


def _usual_font() -> str:
    from matplotlib.font_manager import FontProperties, findfont

    return str(findfont(FontProperties()))


def _installed() -> Iterable[tuple[str, str]]:
    """Return name and file of the machine's own fonts in their usual cut, in a fixed order.

    Those that come with Matplotlib are of symbols under numbers of their own, or of boxes.
    """
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    usual = {
        each.name: each.fname
        for each in fontManager.ttflist
        if each.style == "normal"
        and str(each.weight) in {"400", "normal", "regular", "book"}
        and not each.fname.startswith(mpl.get_data_path())
    }
    return sorted(usual.items())


@cache
def _letters(path: str) -> frozenset[str]:
    """Return the letters a font has; none if it cannot be drawn with."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):  # damaged, or of bitmaps
        return frozenset()


@cache
def _say_missing(letters: str) -> None:
    logger.warning(
        "no installed font has %d of the letters in a picture, such as %s; they are drawn as "
        "boxes until a font that has them is installed, such as Noto Sans",
        len(letters),
        letters[0],
    )
