"""Modules only import from lower layers, and heavy libraries are imported when needed."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import sasrec

SOURCE = Path(sasrec.__file__).parent
LAYERS = [
    "errors",
    "remarks",
    "system",
    "settings",
    "kernels",
    "data",
    "models",
    "losses",
    "training",
    "evaluation",
    "recommender",
    "experiment",
    "exporting",
    "comparison",
    "explanation",
    "tuning",
    "recbole",
    "testing",
    "cli",
]
ENTRY_MODULES = {"__init__", "__main__"}
"""Modules that may import from any layer."""
LEVEL = {subpackage: level for level, subpackage in enumerate(LAYERS)}


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports, including imports in functions and for types.

    What is imported from a module is added too, as ``module.name``: it may be a module itself.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.startswith("sasrec.")}


def imported_subpackages(path: Path) -> set[str]:
    """Return the subpackages that a file imports from."""
    return {name.split(".")[1] for name in imports_of(path)}


def test_no_file_imports_from_a_higher_or_equal_layer() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        subpackage = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if subpackage in ENTRY_MODULES:
            continue
        wrong += [
            f"{path.name} ({subpackage}) imports {other}"
            for other in imported_subpackages(path) - {subpackage} - ENTRY_MODULES
            if LEVEL[other] >= LEVEL[subpackage]
        ]
    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts): path
        for path in SOURCE.rglob("*.py")
        if path.stem not in ENTRY_MODULES
    }
    TopologicalSorter(
        {name: imports_of(path) & files.keys() for name, path in files.items()}
    ).prepare()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['sasrec', '--help']\n"
        "from sasrec.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(printed.split("LOADED")[1].split())
    assert loaded & {"torch", "polars", "pandas", "numpy", "matplotlib", "scipy"} == set()
    assert "train" in printed


def test_every_public_name_resolves() -> None:
    for name in sasrec.__all__:
        assert getattr(sasrec, name) is not None
