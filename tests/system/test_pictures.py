import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.font_manager import findfont

from sasrec.system import pictures
from sasrec.system.pictures import (
    draw_or_warn,
    new_figure,
    plain_logarithmic,
    plain_texts,
    rendered,
    svg_element,
)

ODD = ["a $ b", "$", "$x^", "$\\frac{", r"\$5 and $6", "{\\bf", "$\\alpha$ & <b>", "100 %", "a_b^c"]
"""Names that Matplotlib would fail to parse as formulas, or would show differently."""


def figure_of(text: str) -> Any:
    figure = new_figure(3, 2)
    axes = figure.add_subplot()
    axes.plot([1, 10, 100], [1, 2, 3], label=text)
    axes.set_title(text)
    axes.set(xlabel=text, xscale="log")
    axes.set_yticks([1, 2], [text, text])
    plain_logarithmic(axes.xaxis)
    axes.legend()
    return figure


@pytest.fixture(autouse=True)
def _warning_cache_cleared() -> Iterator[None]:
    pictures._warn_missing.cache_clear()
    yield
    pictures._warn_missing.cache_clear()


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize(
    "style", [{}, {"text.usetex": True}, {"axes.formatter.use_mathtext": True}]
)
def test_text_is_never_shown_as_a_formula(text: str, style: dict[str, Any]) -> None:
    with mpl.rc_context(style):
        with plain_texts():
            figure = figure_of(text)
        assert rendered(figure, "png").startswith(b"\x89PNG")
        assert svg_element(figure).startswith("<svg")
    axes = figure.axes[0]
    shown = [axes.get_title(), axes.get_xlabel(), axes.get_legend().get_texts()[0].get_text()]
    assert shown == [text] * 3
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert {"1", "10", "100"} <= set(ticks)
    assert not any("$" in label for label in ticks)


def test_characters_without_a_font_are_reported_once_and_together(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_installed_fonts", list)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(2):
            with plain_texts():
                figure = figure_of("漢字 🎉 e")
            rendered(figure, "png")
    assert [str(each.message) for each in warned] == []
    [record] = caplog.records
    assert "no installed font has 3 characters used in a picture, such as 字" in record.getMessage()


def test_a_font_that_has_the_characters_is_used(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    font = findfont("DejaVu Sans")
    monkeypatch.setattr(pictures, "_installed_fonts", lambda: [("DejaVu Sans", font)])
    with mpl.rc_context({"font.family": ["STIXSizeOneSym"]}):
        with plain_texts():
            figure = figure_of("Жук")
        rendered(figure, "png")
    assert figure.axes[0].title.get_fontfamily() == ["STIXSizeOneSym", "DejaVu Sans"]
    assert figure.axes[0].get_yticklabels()[0].get_fontfamily() == ["STIXSizeOneSym", "DejaVu Sans"]
    assert caplog.records == []


def test_control_characters_are_shown_not_drawn(caplog: pytest.LogCaptureFixture) -> None:
    with plain_texts():
        figure = figure_of("a\x1b[31mb\u202e")
    rendered(figure, "png")
    assert figure.axes[0].get_title() == r"a\x1b[31mb\u202e"
    assert caplog.records == []


def test_damaged_fonts_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "f.ttf").write_bytes(b"no font")
    assert pictures._characters_in(str(tmp_path / "f.ttf")) == frozenset()
    assert pictures._characters_in(str(tmp_path / "absent.ttf")) == frozenset()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("a\nb\x1b"), r"no picture of the search: a b\x1b"),
        (
            OSError(28, "No space left on device"),
            "no picture of the search: No space left on device",
        ),
        (RuntimeError("x " * 500), "no picture of the search: x x"),
        (KeyError(), "no picture of the search: KeyError"),
    ],
)
def test_a_picture_that_fails_logs_one_warning(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def draw() -> None:
        raise error

    assert draw_or_warn("the search", draw) is None
    [record] = caplog.records
    assert record.getMessage().startswith(said)
    assert len(record.getMessage()) < 250


def test_the_result_of_drawing_is_returned() -> None:
    assert draw_or_warn("the search", io.BytesIO) is not None
