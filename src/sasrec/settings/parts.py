"""Tables of parts by name: built-in, registered, and provided by installed packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from sasrec.errors import SettingsError, did_you_mean
from sasrec.settings.providers import Provider, current_provider, entry_points_in, provider_of
from sasrec.settings.recbole_models import replacement_hint

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["model", "loss", "metric", "reader", "baseline"]
"""Kinds of parts."""


@dataclass(frozen=True, slots=True)
class ExternalPart:
    """A part that is not built in.

    Attributes:
        part: The class, function or object.
        provider: Package, plug-in file or module that the part comes from.
        module: Name of the module that defines it.
    """

    part: Any
    provider: Provider
    module: str


class Parts(Mapping[str, Any]):
    """The parts of one kind by name; looking up a part imports its module.

    Upper and lower case are ignored, so two names that only differ in case are a conflict.
    """

    def __init__(
        self, kind: Kind, built_in: Mapping[str, str], *, group: str = "", check: str = ""
    ) -> None:
        """Create a table with the built-in parts.

        Args:
            kind: Kind of the parts, for error texts.
            built_in: Name to ``module:attribute``.
            group: Group of entry points of installed packages, such as ``sasrec.models``; empty
                for none.
            check: ``module:function`` that takes a part and its name and raises an error if the
                part does not satisfy its contract.
        """
        self.kind, self.built_in = kind, dict(built_in)
        self._group, self._check = group, check
        self._external: dict[str, ExternalPart] = {}

    def __iter__(self) -> Iterator[str]:
        """Return all names: built-in, registered, and provided by installed packages."""
        return iter(dict.fromkeys((*self.built_in, *self._external, *entry_points_in(self._group))))

    def __len__(self) -> int:
        """Return the number of names."""
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        """Return whether a part has this name; nothing is imported."""
        return (
            name in self.built_in or name in self._external or name in entry_points_in(self._group)
        )

    def __getitem__(self, name: str) -> Any:
        """Return a part; its module is imported if necessary.

        Args:
            name: Name of the part, with the case it has in the table.

        Returns:
            The class, function or object.

        Raises:
            SettingsError: No part has this name, or the package that provides it cannot be loaded
                or provides something that does not satisfy the contract.
        """
        if name in self.built_in:
            return _imported(self.built_in[name])
        if name not in self._external:
            self._load_entry_point(name)
        return self._external[name].part

    def canonical_name(self, name: str) -> str:
        """Return the name of a part with the case it has in the table.

        Args:
            name: The name as the user wrote it; upper and lower case are ignored.

        Returns:
            The name as in the table; an unknown name is returned unchanged, and
            ``__getitem__`` rejects it later.
        """
        written = str(name)
        if written in self.built_in or written in self._external:
            return written
        return next((each for each in self if each.lower() == written.lower()), written)

    def provider(self, name: str) -> Provider | None:
        """Return where a part comes from.

        Args:
            name: Name of the part, with the case it has in the table.

        Returns:
            The provider; None for built-in and unknown parts.
        """
        if name not in self._external and name in entry_points_in(self._group):
            return provider_of(entry_points_in(self._group)[name][0])
        return self._external[name].provider if name in self._external else None

    def external(self) -> dict[str, ExternalPart]:
        """Return all loaded parts that are not built in, by name."""
        return dict(self._external)

    def add(self, name: str, part: Any, module: str) -> None:
        """Register a part that is not built in and has been checked.

        Registering the same part again changes nothing. If a module or notebook defines a part
        again under the same name, the new part replaces the old one.

        Args:
            name: Name of the part.
            part: The class, function or object.
            module: Name of the module that defines it.

        Raises:
            SettingsError: Another part already has this name.
        """
        provider = current_provider() or Provider("module", module)
        for other in self._same_name(name):
            before = self._external.get(other)
            if before is not None and before.part is part:
                return
            again = before is not None and before.module == module and provider.kind == "module"
            if not (again and other == name) and not self._is_provided_by(other, module, provider):
                raise SettingsError(
                    f"{self.kind} {name!r} of {provider} has the same name as "
                    f"{self._described(other)}; rename one"
                )
        self._external[name] = ExternalPart(part, provider, module)

    def restore(self, before: Mapping[str, ExternalPart]) -> list[ExternalPart]:
        """Remove all parts that were registered since an earlier call of ``external``.

        Args:
            before: What ``external`` returned.

        Returns:
            The removed parts.
        """
        removed = [each for name, each in self._external.items() if before.get(name) != each]
        self._external.clear()
        self._external.update(before)
        return removed

    def _same_name(self, name: str) -> list[str]:
        """Return the names in the table that equal this one if case is ignored."""
        return [each for each in self if each.lower() == name.lower()]

    def _is_provided_by(self, name: str, module: str, provider: Provider) -> bool:
        """Return whether a name is only an entry point of the package that contains a module."""
        if name in self.built_in or name in self._external:
            return False
        package = module.partition(".")[0]
        return all(
            provider_of(each) == provider or each.module.partition(".")[0] == package
            for each in entry_points_in(self._group)[name]
        )

    def _described(self, name: str) -> str:
        if name in self.built_in:
            return f"the built-in {self.kind} {name!r}"
        return f"the one of {self.provider(name)}"

    def _load_entry_point(self, name: str) -> None:
        """Load the entry point with this name and add its part.

        Raises:
            SettingsError: There is no such entry point, there are several, or it cannot be loaded
                or used.
        """
        entries: list[EntryPoint] = entry_points_in(self._group).get(name, [])
        if not entries:
            hint = replacement_hint(name) if self.kind == "model" else ""
            hint = hint or did_you_mean(name, self)
            raise SettingsError(
                f"unknown {self.kind} {name!r}{hint} (known: {', '.join(self)}; installed "
                "packages, --plugin FILE and sasrec.load_plugin can add others)"
            )
        if len(entries) > 1:
            providers = " and ".join(str(provider_of(each)) for each in entries)
            raise SettingsError(f"{self.kind} {name!r} is provided by {providers}; uninstall one")
        [entry] = entries
        for other in self._same_name(name):
            if other != name:
                raise SettingsError(
                    f"{self.kind} {name!r} of {provider_of(entry)} has the same name as "
                    f"{self._described(other)}; uninstall that package"
                )
        part = self._loaded(entry)
        self._external[name] = ExternalPart(part, provider_of(entry), entry.module)

    def _loaded(self, entry: EntryPoint) -> Any:
        provider = provider_of(entry)
        try:
            with provider.registering():
                part = entry.load()
            _imported(self._check)(part, entry.name)
        except SettingsError as error:
            raise SettingsError(f"{self.kind} {entry.name!r} of {provider}: {error}") from error
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            raise SettingsError(
                f"{self.kind} {entry.name!r} of {provider} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        return part


def _imported(address: str) -> Any:
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)
