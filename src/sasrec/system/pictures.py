"""Matplotlib figures that show text literally; a figure that fails does not stop the program.

Names of data sets, models and items may contain dollar signs, which start a formula in Matplotlib,
and characters that its default font does not have. The style settings in a user's
``matplotlibrc`` still apply.
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

from sasrec.errors import counted, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

LITERAL_TEXT = {
    "text.parse_math": False,
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
}
"""Matplotlib settings that prevent it from interpreting text as a formula."""
LONGEST_REASON = 200
"""In characters; some Matplotlib messages list every permitted value."""
MISSING_GLYPHS = "Glyph .* missing from|Matplotlib currently does not support"
"""Pattern of Matplotlib's warning about a missing character; it is repeated for each character."""


@contextmanager
def plain_texts() -> Iterator[None]:
    """Show all text literally within the block; create and write figures inside such a block.

    Yields:
        Nothing.
    """
    import matplotlib as mpl

    with mpl.rc_context(LITERAL_TEXT), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=MISSING_GLYPHS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that does not depend on the configured Matplotlib backend.

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
    """Label powers of ten as plain numbers; Matplotlib's default labels are formulas.

    Args:
        axis: An axis with a logarithmic scale.
    """
    from matplotlib.ticker import LogFormatter

    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False))


def rendered(figure: Figure, form: str, **options: Any) -> bytes:
    """Return a figure as the content of an image file.

    Args:
        figure: Created by ``new_figure``, within ``plain_texts``.
        form: ``png`` or ``svg``.
        options: Further arguments of ``Figure.savefig``.

    Returns:
        The bytes of the file.
    """
    from matplotlib.text import Text

    content = io.BytesIO()
    with plain_texts():
        texts: list[Any] = figure.findobj(Text)
        fonts = _fonts_covering("".join(text.get_text() for text in texts))
        for text in texts:
            text.set_text(printable(text.get_text()))
            text.set_fontfamily(fonts)
        figure.savefig(content, format=form, **options)
    return content.getvalue()


def svg_element(figure: Figure) -> str:
    """Return a figure as an SVG element for an HTML page; the same figure gives the same text.

    Args:
        figure: Created by ``new_figure``, within ``plain_texts``.

    Returns:
        The text from ``<svg`` to the end.
    """
    written = rendered(figure, "svg", metadata={"Date": None}).decode()
    return written[written.index("<svg") :]


def draw_or_warn(what: str, draw: Callable[[], Result]) -> Result | None:
    """Call a drawing function; if it fails, log a warning and continue.

    A picture must never cost the result that it shows. Drawing fails, for example, because of a
    broken ``matplotlibrc``, a backend that does not exist, or a full disk.

    Args:
        what: What the picture shows, for the warning: ``no picture of the training``.
        draw: The function to call.

    Returns:
        What ``draw`` returned, or None if it failed.
    """
    try:
        return draw()
    except Exception as error:  # Matplotlib raises many different types
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        shown = printable(reason or type(error).__name__)
        logger.warning("no picture of %s: %s", what, textwrap.shorten(shown, LONGEST_REASON))
        return None


def _fonts_covering(text: str) -> list[str]:
    """Return installed fonts that together cover the characters of a text, default font first.

    Characters that no font has are reported once, with advice.
    """
    import matplotlib as mpl

    default: list[str] = list(mpl.rcParams["font.family"])
    missing = {each for each in text if each.isprintable()} - _characters_in(_default_font())
    fonts = []
    for name, path in _installed_fonts() if missing else ():
        if found := missing & _characters_in(path):
            fonts.append(name)
            missing -= found
        if not missing:
            break
    if missing:
        _warn_missing("".join(sorted(missing)))
    return [*default, *fonts]


def _default_font() -> str:
    from matplotlib.font_manager import FontProperties, findfont

    return str(findfont(FontProperties()))


def _installed_fonts() -> Iterable[tuple[str, str]]:
    """Return name and file of the system's fonts of normal style and weight, sorted by name.

    The fonts that come with Matplotlib are left out: they hold symbols under private code points,
    or boxes.
    """
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    regular = {
        each.name: each.fname
        for each in fontManager.ttflist
        if each.style == "normal"
        and str(each.weight) in {"400", "normal", "regular", "book"}
        and not each.fname.startswith(mpl.get_data_path())
    }
    return sorted(regular.items())


@cache
def _characters_in(path: str) -> frozenset[str]:
    """Return the characters that a font has; an empty set if the font cannot be used."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):  # a damaged font or a bitmap font
        return frozenset()


@cache
def _warn_missing(characters: str) -> None:
    logger.warning(
        "no installed font has %s used in a picture, such as %s; each is shown as a box until a "
        "font that has it is installed, such as Noto Sans",
        counted(len(characters), "character"),
        characters[0],
    )
