"""Loads plug-in files, and checks that the parts a saved model needs are available."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from sasrec.errors import ModelError, SasrecError, SettingsError, printable
from sasrec.settings.arguments import path_argument
from sasrec.settings.parts import ExternalPart, Parts
from sasrec.settings.providers import Provider
from sasrec.settings.registry import LOSSES, METRICS, MODELS, READERS

TABLES: dict[str, Parts] = {each.kind: each for each in (MODELS, LOSSES, METRICS, READERS)}
"""Kind of part to the table of these parts."""
COMPRESSED = (".gz", ".gzip", ".zst", ".zstd")
"""Suffixes of compressed files."""
PLUGINS_KEY = "plugins"
"""Key in ``settings.json`` for the parts of a model that are not built in."""

_loaded: dict[Path, str] = {}
"""Plug-in files that this process has loaded, to the names of their modules."""


def load_plugin(path: str | Path) -> None:
    """Run a Python file that registers models, losses, metrics or readers.

    A file that is already loaded is not run again. A file that cannot be loaded leaves nothing
    registered, so it can be loaded after it has been corrected.

    Args:
        path: The file.

    Raises:
        SettingsError: The file is missing, cannot be run, registers nothing, or registers
            something that does not satisfy the contract of its kind.
    """
    file = path_argument("path", path).resolve()
    if file in _loaded:
        return
    if not file.is_file() or file.suffix != ".py":
        raise SettingsError(f"{path} is not an existing Python file; give a plug-in file (.py)")
    with _nothing_kept_on_failure():
        before = _external_parts()
        name = _run(file, path)
        if _external_parts() == before:
            raise SettingsError(
                f"{path} registers nothing; add a line such as sasrec.register_model(MyModel)"
            )
        _loaded[file] = name


def _external_parts() -> dict[str, dict[str, ExternalPart]]:
    """Return all registered parts by kind and name, to compare before and after."""
    return {kind: table.external() for kind, table in TABLES.items()}


@contextmanager
def _nothing_kept_on_failure() -> Iterator[None]:
    """Remove all parts that were registered in the ``with`` block if it raises an error.

    Modules that were imported in the block and define such a part are forgotten, so that the next
    import runs them, and registers the part, again.

    Yields:
        Nothing.
    """
    parts, files, modules = _external_parts(), dict(_loaded), set(sys.modules)
    try:
        yield
    except BaseException:
        for kind, table in TABLES.items():
            for part in table.restore(parts[kind]):
                if part.module not in modules:
                    sys.modules.pop(part.module, None)
        for file in _loaded.keys() - files.keys():
            sys.modules.pop(_loaded.pop(file), None)
        raise


def _run(file: Path, named: str | Path) -> str:
    """Import a plug-in file under a unique module name.

    Args:
        file: The resolved path.
        named: The path as the user gave it, for error texts.

    Returns:
        The name of the module.

    Raises:
        SettingsError: The file cannot be run.
    """
    stem = "sasrec_plugin_" + re.sub(r"\W", "_", file.stem)
    # Files in different folders may have the same name.
    name = next(each for each in _numbered(stem) if each not in sys.modules)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{named} cannot be imported; give a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # class creation looks up the module here
    try:
        with Provider("file", str(file)).registering():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, SasrecError):
            raise SettingsError(f"{named}: {error}") from error
        if isinstance(error, Exception | SystemExit):  # sys.exit() must not end this program
            line = _line_of(error, file)
            raise SettingsError(
                f"{named}{line} cannot be run: {type(error).__name__}: {error}"
            ) from error
        raise
    return name


def _numbered(stem: str) -> Iterator[str]:
    """Yield a name, and then the name with ``_1``, ``_2`` and so on."""
    yield stem
    yield from (f"{stem}_{number}" for number in count(1))


def _line_of(error: BaseException, file: Path) -> str:
    """Return the line of a file that raised an error, as ``, line 3``; empty if unknown."""
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
    """Plug-in files and modules that another process must load to have the same parts; picklable.

    Attributes:
        files: Plug-in files.
        modules: Modules of the running program that have registered parts.
    """

    files: tuple[Path, ...]
    modules: tuple[str, ...]

    def load(self) -> None:
        """Load all files and modules in this process.

        Raises:
            SettingsError: A plug-in file cannot be loaded.
        """
        for file in self.files:
            load_plugin(file)
        for module in self.modules:
            import_module(module)


def loaded_plugins() -> Plugins:
    """Return the plug-ins loaded in this process, so that other processes can load them.

    Returns:
        The files and modules. Installed packages are not included; every process finds them.

    Raises:
        SettingsError: A part is defined in a script or notebook, which other processes cannot
            import.
    """
    modules = []
    for kind, table in TABLES.items():
        for name, each in table.external().items():
            if each.provider.kind != "module":
                continue
            if each.module == "__main__":
                raise SettingsError(
                    f"{kind} {name!r} is defined in the main script, which other processes cannot "
                    "import; move it to a separate file and import that file"
                )
            modules.append(each.module)
    return Plugins(tuple(_loaded), tuple(dict.fromkeys(modules)))


def call_with_plugins(plugins: Plugins, work: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a new process, after loading the plug-ins of the parent process.

    Args:
        plugins: Plug-ins of the parent process.
        work: The function; it must be importable.
        arguments: Arguments of the function.

    Returns:
        The result of the function.
    """
    plugins.load()
    return work(*arguments)


def external_parts(used: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
    """Return the parts of a run that are not built in, as JSON-compatible values.

    Args:
        used: Kind to the names of the parts used.

    Returns:
        One dict for each part: its kind, its name, and where it comes from.
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


def suffix_of(source: str | Path) -> str:
    """Return the suffix of a file in lower case and without its dot, which selects its reader.

    >>> suffix_of("events.CSV.gz")
    'csv'

    Args:
        source: Name or path of the data; the suffix of a compression is left out.
    """
    path = Path(source)
    path = Path(path.stem) if path.suffix.lower() in COMPRESSED else path
    return path.suffix.lower().removeprefix(".")


def require_reader(needed: object, source: object, needed_by: str | Path) -> None:
    """Reject data whose reader is a plug-in that a saved model names but is not available here.

    Args:
        needed: The value of ``plugins`` in the settings of the saved model.
        source: Name or path of the data, or a data frame, which needs no reader.
        needed_by: The model, for the error text.
    """
    if isinstance(source, str | Path) and isinstance(needed, list):
        suffix = suffix_of(source)
        own = [part for part in needed if isinstance(part, dict) and part.get("name") == suffix]
        require_parts(own, ["reader"], needed_by)


def require_parts(needed: object, kinds: Iterable[str], needed_by: str | Path) -> None:
    """Reject a saved model that needs a part that is not available here.

    A model folder never causes an import: the parts it needs must be installed, registered, or
    given as a plug-in by the caller.

    Args:
        needed: The value of ``plugins`` in the settings of the saved model.
        kinds: The kinds of parts that the caller needs.
        needed_by: The model folder or checkpoint, for the error text.

    Raises:
        ModelError: A part is missing, or the list is invalid.
    """
    needed_kinds = set(kinds)
    for each in needed if isinstance(needed, list) else [needed]:
        if not isinstance(each, dict) or not all(isinstance(text, str) for text in each.values()):
            raise ModelError(
                f"{needed_by} is damaged or was edited: {PLUGINS_KEY!r} is not a list of parts"
            )
        part, name = each.get("part", ""), each.get("name", "")
        if part in needed_kinds and name not in TABLES[part]:
            raise ModelError(
                printable(f"{needed_by} needs the {part} {name!r} from {_how_to_get(each)}")
            )


def _how_to_get(part: Mapping[str, str]) -> str:
    """Return where a missing part comes from and how to make it available."""
    kind, place = part.get("from", ""), part.get("place", "")[:200]
    name, what = part.get("name", ""), part.get("part", "")
    python = f"sasrec.register_{what}" + ("" if what == "reader" else f"({name})")
    if what == "model":
        python = f"sasrec.load(folder, models=[{name}])"
    if kind == "package":
        package = place.partition(" ")[0]
        return f"the package {place}, which is not installed; run: pip install {package}"
    if kind == "file":
        option = f"--plugin {Path(place).name}"
        return f"the plug-in file {place}; load it with {option}, or call {python}"
    return f"the module {place}; load its file with --plugin, or import it and call {python}"
