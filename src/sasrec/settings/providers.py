"""Where parts that are not built in come from, and the entry points of installed packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a part that is not built in comes from.

    Attributes:
        kind: An installed package, a plug-in file, or a module of the running program.
        place: Name and version of the package, path of the file, or name of the module.
    """

    kind: Literal["package", "file", "module"]
    place: str

    def __str__(self) -> str:
        """Return kind and place as text, such as ``package linear-attention 0.1.0``."""
        return f"{self.kind} {self.place}"

    @contextmanager
    def registering(self) -> Iterator[None]:
        """Make this the provider of all parts that are registered in the ``with`` block.

        Yields:
            Nothing.
        """
        before = _current_provider.set(self)
        try:
            yield
        finally:
            _current_provider.reset(before)


_current_provider: ContextVar[Provider | None] = ContextVar("provider", default=None)


def current_provider() -> Provider | None:
    """Return the provider whose code is being loaded; None outside of plug-in loading."""
    return _current_provider.get()


@cache
def entry_points_in(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of installed packages in a group, without loading them.

    Args:
        group: Group of entry points, such as ``sasrec.models``; empty for none.

    Returns:
        Name to entry points; there are several if packages use the same name.
    """
    if not group:
        return {}
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return found


def provider_of(entry: EntryPoint) -> Provider:
    """Return the package of an entry point.

    Args:
        entry: The entry point.

    Returns:
        The package, as a provider.
    """
    dist = entry.dist
    return Provider("package", "unknown" if dist is None else f"{dist.name} {dist.version}")
