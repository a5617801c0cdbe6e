"""Lets a script import ``recbole`` and get the functions of ``sasrec.recbole`` instead.

``from recbole.quick_start import run_recbole`` then imports sasrec's function. The import of a
name that sasrec does not have fails with a message that lists those it has.
"""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from sasrec.errors import SasrecError, SettingsError
from sasrec.settings.recbole_models import replacement_hint
from sasrec.settings.registry import MODELS

PAIRS = ("BPR",)
"""Models of user-item pairs, which ignore the order of events."""

QUICK_START = ("run_recbole", "run", "objective_function", "load_data_and_model")
DATA = ("create_dataset", "data_preparation")
UTILS = ("init_seed", "init_logger", "get_model", "get_trainer")
PROVIDED = {
    "recbole": (),
    "recbole.quick_start": QUICK_START,
    "recbole.quick_start.quick_start": QUICK_START,
    "recbole.config": ("Config",),
    "recbole.config.configurator": ("Config",),
    "recbole.data": DATA,
    "recbole.data.utils": DATA,
    "recbole.trainer": ("HyperTuning", "Trainer"),
    "recbole.trainer.trainer": ("Trainer",),
    "recbole.trainer.hyper_tuning": ("HyperTuning",),
    "recbole.utils": UTILS,
    "recbole.utils.utils": ("init_seed", "get_model", "get_trainer"),
    "recbole.utils.logger": ("init_logger",),
    "recbole.utils.case_study": ("full_sort_topk", "full_sort_scores"),
}
"""RecBole's modules to their names; each name is defined in ``sasrec.recbole``."""
OF_MODELS = {
    "recbole.model.sequential_recommender": tuple(
        name for name in MODELS.built_in if name not in PAIRS
    ),
    "recbole.model.general_recommender": PAIRS,
}
"""RecBole's modules to the models they have."""
PROVIDED |= {"recbole.model": ()} | OF_MODELS
PROVIDED |= {
    f"{module}.{name.lower()}": (name,) for module, names in OF_MODELS.items() for name in names
}
VERSION = "1.2.1"
"""Version of RecBole whose interface is provided."""


class RecboleNames(MetaPathFinder, Loader):
    """Finds the modules in ``PROVIDED``; other modules of ``recbole`` raise a clear error."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the import specification of a module of RecBole.

        Args:
            fullname: Dotted name of the module.
            path: Not used.
            target: Not used.

        Returns:
            A specification with this object as the loader; None if it is not a RecBole module.

        Raises:
            ModuleNotFoundError: It is a RecBole module that sasrec does not provide.
        """
        if fullname.partition(".")[0] != "recbole":
            return None
        if fullname not in PROVIDED:
            raise ModuleNotFoundError(
                f"sasrec stands in for RecBole here and has no {fullname}"
                f"{replacement_hint(fullname.rpartition('.')[2])}; it has {', '.join(PROVIDED)}",
                name=fullname,
            )
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module.

        Args:
            spec: The specification from ``find_spec``.

        Returns:
            An empty module, whose names are looked up when they are used.
        """
        module = _Module(spec.name)
        module.__all__ = list(PROVIDED[spec.name])
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing, because names are looked up when they are used.

        Args:
            module: The module from ``create_module``.
        """


class _Module(ModuleType):
    """A module of ``recbole`` whose names come from ``sasrec.recbole``."""

    __all__: list[str]

    def __getattr__(self, name: str) -> Any:
        if name == "__version__" and self.__name__ == "recbole":
            return VERSION
        if name.startswith("__"):
            raise AttributeError(name)
        if name in PROVIDED[self.__name__]:
            provider = import_module("sasrec.recbole")
            is_model = self.__name__.startswith("recbole.model.")
            return provider.get_model(name) if is_model else getattr(provider, name)
        if f"{self.__name__}.{name}" in PROVIDED:  # import recbole; recbole.config.Config(...)
            return import_module(f"{self.__name__}.{name}")
        raise ImportError(
            f"sasrec stands in for RecBole here and has no {self.__name__}.{name}"
            f"{replacement_hint(name)}; this module has "
            f"{', '.join(PROVIDED[self.__name__]) or 'no names of its own'}"
        )


def run_script(path: str | Path, arguments: Sequence[str]) -> None:
    """Run a script as ``python path arguments`` would, with ``recbole`` provided by sasrec.

    Args:
        path: The script.
        arguments: The script's ``sys.argv[1:]``.

    Raises:
        SettingsError: The script does not exist, or imports a RecBole name that sasrec lacks.
        SasrecError: A call of sasrec failed.
        SystemExit: The script itself failed; its traceback is printed.
    """  # SystemExit by _print_traceback
    script = Path(path)
    if not script.is_file():
        raise SettingsError(f"{script}: no such file; give the path of a Python script")
    finder = RecboleNames()
    old_argv, old_path = sys.argv, sys.path[:]
    sys.meta_path.insert(0, finder)
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    try:
        compile(script.read_bytes(), str(script), "exec")
    except (SyntaxError, ValueError) as error:
        traceback.print_exception(type(error), error, None)
        sys.exit(1)
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SasrecError:
        raise
    except ImportError as error:
        if "stands in for RecBole" in str(error):
            raise SettingsError(f"{script}: {error}") from error
        _print_traceback(error, script)
    except Exception as error:  # an error in the script, so its author needs the traceback
        _print_traceback(error, script)
    finally:
        sys.argv, sys.path[:] = old_argv, old_path
        sys.meta_path.remove(finder)
        for name in [each for each in sys.modules if each.partition(".")[0] == "recbole"]:
            del sys.modules[name]


def _print_traceback(error: Exception, script: Path) -> NoReturn:
    """Print the traceback of an error in a script, from its first frame, and exit with 1."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != str(script):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames or error.__traceback__)
    sys.exit(1)
