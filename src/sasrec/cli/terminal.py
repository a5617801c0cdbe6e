"""The terminal: Rich's console, with texts shown as they are and never obeyed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sasrec.errors import printable
from sasrec.system.streams import ReaderGone

if TYPE_CHECKING:
    from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that takes no markup and shows control characters, not obeys them.

    Args:
        stderr: Print to standard error.

    Returns:
        The console.
    """
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        def render_str(self, text: str, **how: Any) -> Any:
            return super().render_str(printable(text), **how)  # before widths are measured

        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            for part in super().render(renderable, options):
                is_ours = part.control is not None
                yield part if is_ours else Segment(printable(part.text), part.style)

        def on_broken_pipe(self) -> None:
            raise ReaderGone

    stream = sys.stderr if stderr else sys.stdout
    # Rich looks beneath one guard only, and has one of its own while a bar is shown.
    beneath: Any = getattr(stream, "rich_proxied_file", stream)
    return PlainConsole(file=beneath, stderr=stderr, markup=False, emoji=False, highlight=False)
