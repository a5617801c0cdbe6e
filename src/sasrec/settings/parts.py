"""Parts by name: built-in ones, those registered, and those that installed packages offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.providers import Provider, at_work, loaded_from, offered
from sasrec.settings.recbole_models import instead_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["model", "loss", "metric", "reader", "baseline"]
"""What a part may be."""


@dataclass(frozen=True, slots=True)
class Added:
    """A part from outside.

    Attributes:
        part: The class, function or object.
        provider: Where it comes from.
        module: Name of the module that defines it.
    """

    part: Any
    provider: Provider
    module: str


class Parts(Mapping[str, Any]):
    """The parts of one kind by name; looking a part up imports what defines it.

    Names are compared without regard to upper and lower case, so two that differ in case alone
    clash.
    """

    def __init__(
        self, kind: Kind, built_in: Mapping[str, str], *, group: str = "", check: str = ""
    ) -> None:
        """Know the built-in parts.

        Args:
            kind: What a part of this table is, for error texts.
            built_in: Name to ``module:attribute``.
            group: Entry points of installed packages, such as ``sasrec.models``; empty takes none.
            check: ``module:function`` that refuses, given a part and its name, what does not fit.
        """
        self.kind, self.built_in = kind, dict(built_in)
        self._group, self._check = group, check
        self._added: dict[str, Added] = {}

    def __iter__(self) -> Iterator[str]:
        """Return the names: built-in ones, those registered, those of installed packages."""
        return iter(dict.fromkeys((*self.built_in, *self._added, *offered(self._group))))

    def __len__(self) -> int:
        """Return how many names there are."""
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a part; nothing is imported."""
        return name in self.built_in or name in self._added or name in offered(self._group)

    def __getitem__(self, name: str) -> Any:
        """Return a part, importing what defines it.

        Args:
            name: As in the table.

        Returns:
            The class or function.

        Raises:
            SettingsError: There is none of this name, or the package that offers it cannot be
                loaded or offers something that does not fit.
        """
        if name in self.built_in:
            return _imported(self.built_in[name])
        if name not in self._added:
            self._take_offered(name)
        return self._added[name].part

    def called(self, name: str) -> str:
        """Return the name of the part a user means; upper and lower case do not matter.

        Args:
            name: What the user typed.

        Returns:
            Its name as in the table; what is unknown stays for ``__getitem__`` to refuse.
        """
        wanted = str(name)
        if wanted in self.built_in or wanted in self._added:
            return wanted
        return next((each for each in self if each.lower() == wanted.lower()), wanted)

    def provider(self, name: str) -> Provider | None:
        """Return where a part from outside comes from.

        Args:
            name: As in the table.

        Returns:
            None for built-in parts and unknown ones.
        """
        if name not in self._added and name in offered(self._group):
            return loaded_from(offered(self._group)[name][0])
        return self._added[name].provider if name in self._added else None

    def added(self) -> dict[str, Added]:
        """Return what came from outside and has been loaded, by name."""
        return dict(self._added)

    def add(self, name: str, part: Any, module: str) -> None:
        """Register a part from outside that has been checked.

        Registering the same part again changes nothing. What a module or notebook defines again
        under the same name takes the place of the earlier part.

        Args:
            name: Its name.
            part: The class, function or object.
            module: Name of the module that defines it.

        Raises:
            SettingsError: Another part has this name.
        """
        place = at_work() or Provider("module", module)
        for other in self._alike(name):
            before = self._added.get(other)
            if before is not None and before.part is part:
                return
            again = before is not None and before.module == module and place.kind == "module"
            if not (again and other == name) and not self._offers(other, module, place):
                raise SettingsError(
                    f"{self.kind} {name!r} of {place} has the name of {self._described(other)}; "
                    "rename one"
                )
        self._added[name] = Added(part, place, module)

    def _alike(self, name: str) -> list[str]:
        """Return the names in the table that are equal but for upper and lower case."""
        return [each for each in self if each.lower() == name.lower()]

    def _offers(self, name: str, module: str, place: Provider) -> bool:
        """Return whether a name is that of an entry point of the package that a module is in."""
        if name in self.built_in or name in self._added:
            return False
        package = module.partition(".")[0]
        return all(
            loaded_from(each) == place or each.module.partition(".")[0] == package
            for each in offered(self._group)[name]
        )

    def _described(self, name: str) -> str:
        if name in self.built_in:
            return f"the built-in {self.kind} {name!r}"
        return f"that of {self.provider(name)}"

    def _take_offered(self, name: str) -> None:
        """Load the entry point of a name.

        Raises:
            SettingsError: There is none, there are several, or it cannot be loaded or used.
        """
        entries: list[EntryPoint] = offered(self._group).get(name, [])
        if not entries:
            hint = instead_of(name) if self.kind == "model" else ""
            hint = hint or did_you_mean(name, self)
            raise SettingsError(
                f"unknown {self.kind} {name!r}{hint} (known: {', '.join(self)}; others come with "
                "an installed package, --plugin FILE or sasrec.load_plugin)"
            )
        if len(entries) > 1:
            places = " and ".join(str(loaded_from(each)) for each in entries)
            raise SettingsError(f"{self.kind} {name!r} is offered by {places}; uninstall one")
        [entry] = entries
        for other in self._alike(name):
            if other != name:
                raise SettingsError(
                    f"{self.kind} {name!r} of {loaded_from(entry)} has the name of "
                    f"{self._described(other)}; uninstall that package"
                )
        part = self._loaded(entry)
        self._added[name] = Added(part, loaded_from(entry), entry.module)

    def _loaded(self, entry: EntryPoint) -> Any:
        place = loaded_from(entry)
        try:
            with place.at_work():
                part = entry.load()
            _imported(self._check)(part, entry.name)
        except SettingsError as error:
            raise SettingsError(f"{self.kind} {entry.name!r} of {place}: {error}") from error
        except Exception as error:  # whatever somebody else's module may raise
            raise SettingsError(
                f"{self.kind} {entry.name!r} of {place} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        return part


def _imported(address: str) -> Any:
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)
