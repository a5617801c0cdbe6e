"""Providers: where parts from outside come from, and which of them installed packages offer."""

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
    """Where a part from outside comes from.

    Attributes:
        kind: An installed package, a plug-in file, or a module of the running program.
        place: Name and version of the package, path of the file, or name of the module.
    """

    kind: Literal["package", "file", "module"]
    place: str

    def __str__(self) -> str:
        """Return it as text for people, such as ``package linear-attention 0.1.0``."""
        return f"{self.kind} {self.place}"

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let what is registered within the block come from here.

        Yields:
            Nothing.
        """
        before = _at_work.set(self)
        try:
            yield
        finally:
            _at_work.reset(before)


_at_work: ContextVar[Provider | None] = ContextVar("provider", default=None)


def at_work() -> Provider | None:
    """Return whose code is being loaded; None while a program registers parts of its own."""
    return _at_work.get()


@cache
def offered(group: str) -> dict[str, list[EntryPoint]]:
    """Return what installed packages offer under a group of entry points; nothing is loaded.

    Args:
        group: Such as ``sasrec.models``; empty has none.

    Returns:
        Name to entry points; more than one where packages clash.
    """
    if not group:
        return {}
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return found


def loaded_from(entry: EntryPoint) -> Provider:
    """Return the package that an entry point belongs to.

    Args:
        entry: The entry point.

    Returns:
        The provider.
    """
    dist = entry.dist
    return Provider("package", "unknown" if dist is None else f"{dist.name} {dist.version}")
