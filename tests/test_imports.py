"""Imports run one way, down the layers; heavy libraries wait until they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import sasrec

SOURCE = Path(sasrec.__file__).parent
LAYERS = [
    "errors",
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
    "comparison",
    "explanation",
    "tuning",
    "recbole",
    "testing",
    "cli",
]
DOORS = {"__init__", "__main__"}
"""What loads, when called, the things behind it."""
LEVEL = {room: level for level, room in enumerate(LAYERS)}


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms of the package a file imports from, function bodies included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("sasrec.")}


def test_no_file_imports_from_above_or_beside() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room in DOORS:
            continue
        wrong += [
            f"{path.name} ({room}) imports {other}"
            for other in imported_rooms(path) - {room} - DOORS
            if LEVEL[other] >= LEVEL[room]
        ]
    assert wrong == []


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
