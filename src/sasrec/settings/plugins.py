"""Plug-ins: files with parts from outside, and what a saved model says of the parts it needs."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError, SasrecError, SettingsError, printable
from sasrec.settings.parts import Parts
from sasrec.settings.providers import Provider
from sasrec.settings.registry import LOSSES, METRICS, MODELS, READERS

TABLES: dict[str, Parts] = {each.kind: each for each in (MODELS, LOSSES, METRICS, READERS)}
"""Kind of a part to where such parts are."""
KEY = "plugins"
"""Of ``settings.json``: the parts from outside that a model was trained with."""

_loaded: dict[Path, str] = {}
"""Plug-in files of this process, and the names of their modules."""


def load_plugin(path: str | Path) -> None:
    """Run a Python file that registers models, losses, metrics or readers.

    A file that has been loaded already is not run again.

    Args:
        path: The file.

    Raises:
        SettingsError: It is missing, cannot be run, registers nothing, or registers something that
            does not fit.
    """
    file = Path(path).expanduser().resolve()
    if file in _loaded:
        return
    if not file.is_file() or file.suffix != ".py":
        raise SettingsError(f"{path}: no such plug-in; --plugin takes a Python file")
    before = _added_parts()
    _run(file, path)
    if _added_parts() == before:
        raise SettingsError(
            f"{path} registers nothing; end it with a line such as sasrec.register_model(MyModel)"
        )


def _added_parts() -> list[tuple[str, str, int]]:
    """Return what is registered, in a form that can be compared."""
    return [
        (kind, name, id(each.part))
        for kind, table in TABLES.items()
        for name, each in table.added().items()
    ]


def _run(file: Path, named: str | Path) -> None:
    """Import a plug-in file under a name of its own.

    Args:
        file: Its resolved path.
        named: As the user named it, for error texts.

    Raises:
        SettingsError: It cannot be run.
    """
    name = "sasrec_plugin_" + re.sub(r"\W", "_", file.stem)
    if name in sys.modules:  # of another folder
        name += f"_{len(_loaded)}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{named} cannot be imported; --plugin takes a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes look their module up while they are made
    try:
        with Provider("file", str(file)).at_work():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, SasrecError):
            raise SettingsError(f"{named}: {error}") from error
        if isinstance(error, Exception):
            line = _line_of(error, file)
            raise SettingsError(
                f"{named}{line} cannot be run: {type(error).__name__}: {error}"
            ) from error
        raise
    _loaded[file] = name


def _line_of(error: Exception, file: Path) -> str:
    """Return where in a file an error arose, such as ``, line 3``; empty if that is not known."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(file)
    ]
    return f", line {lines[-1]}" if lines else ""


@dataclass(frozen=True, slots=True)
class Plugins:
    """What another process must load before it knows the same parts; can be sent to one.

    Attributes:
        files: Plug-in files.
        modules: Modules of the program that have registered parts.
    """

    files: tuple[Path, ...]
    modules: tuple[str, ...]

    def load(self) -> None:
        """Load them all in this process.

        Raises:
            SettingsError: A part is defined in a script, which other processes cannot import.
        """
        for file in self.files:
            load_plugin(file)
        for module in self.modules:
            import_module(module)


def plugins_here() -> Plugins:
    """Return what this process has loaded, for others to load it too.

    Returns:
        The files and modules; installed packages are found by every process.

    Raises:
        SettingsError: A part is defined in a script or notebook, which others cannot import.
    """
    modules = []
    for kind, table in TABLES.items():
        for name, each in table.added().items():
            if each.provider.kind != "module":
                continue
            if each.module == "__main__":
                raise SettingsError(
                    f"{kind} {name!r} is defined in the script itself, and other processes cannot "
                    "take it from there; put it into a file of its own and import that"
                )
            modules.append(each.module)
    return Plugins(tuple(_loaded), tuple(dict.fromkeys(modules)))


def with_plugins(plugins: Plugins, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do some work in a new process that knows the parts its parent knows.

    Args:
        plugins: Of the parent.
        work: Importable by its name.
        arguments: For it.

    Returns:
        What it returned.
    """
    plugins.load()
    return work(*arguments)


def parts_from_outside(used: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
    """Return which parts of a run do not come with this package, in types JSON has.

    Args:
        used: Kind to names.

    Returns:
        One dict a part: what it is, its name, and where it comes from.
    """
    found = []
    for kind, names in used.items():
        for name in dict.fromkeys(names):
            provider = TABLES[kind].provider(name)
            if provider is not None:
                found.append(
                    {"part": kind, "name": name, "from": provider.kind, "place": provider.place}
                )
    return found


def require_parts(needed: object, kinds: Iterable[str], needs: str | Path) -> None:
    """Refuse a saved model of which a part from outside is not known here.

    Nothing is imported for the folder's sake: what is needed must be installed, registered, or
    given by whoever loads it.

    Args:
        needed: What stands under ``plugins`` in its settings.
        kinds: The kinds of parts that are needed for what is to be done.
        needs: The model folder or checkpoint, for the error text.

    Raises:
        ModelError: A part is missing, or the list is no such list.
    """
    wanted = set(kinds)
    for each in needed if isinstance(needed, list) else [needed]:
        if not isinstance(each, dict) or not all(isinstance(text, str) for text in each.values()):
            raise ModelError(f"{needs} is damaged or was edited: {KEY!r} is no list of parts")
        part, name = each.get("part", ""), each.get("name", "")
        if part in wanted and name not in TABLES[part]:
            raise ModelError(printable(f"{needs} needs the {part} {name!r} of {_given(each)}"))


def _given(part: Mapping[str, str]) -> str:
    """Return where a missing part comes from and how to give it."""
    kind, place = part.get("from", ""), part.get("place", "")[:200]
    name, what = part.get("name", ""), part.get("part", "")
    python = f"sasrec.register_{what}" + ("" if what == "reader" else f"({name})")
    if what == "model":
        python = f"sasrec.load(folder, models=[{name}])"
    if kind == "package":
        package = place.partition(" ")[0]
        return f"the package {place}, which is not installed here: pip install {package}"
    if kind == "file":
        return f"the plug-in file {place}; give it with --plugin {Path(place).name} or {python}"
    return f"the module {place}; give its file with --plugin, or import it and call {python}"
