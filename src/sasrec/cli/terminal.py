"""The terminal: a Rich console that interprets neither markup nor control characters in texts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sasrec.errors import printable
from sasrec.system.streams import ReaderGone

if TYPE_CHECKING:
    from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console without markup that prints control characters as escapes.

    Args:
        stderr: Print to standard error instead of standard output.

    Returns:
        The console.
    """
    from rich.console import Console
    from rich.segment import Segment

    class PlainConsole(Console):
        def render_str(self, text: str, **how: Any) -> Any:
            # Escape here, because Rich measures widths after this.
            return super().render_str(printable(text), **how)

        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            for part in super().render(renderable, options):
                is_control = part.control is not None  # written by Rich itself
                yield part if is_control else Segment(printable(part.text), part.style)

        def on_broken_pipe(self) -> None:
            raise ReaderGone

    stream = sys.stderr if stderr else sys.stdout
    # Rich unwraps a single proxy of the stream, and adds its own while a bar is shown.
    unwrapped: Any = getattr(stream, "rich_proxied_file", stream)
    return PlainConsole(file=unwrapped, stderr=stderr, markup=False, emoji=False, highlight=False)
