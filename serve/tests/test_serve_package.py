"""The package: what it imports, and that it works from several threads."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter
from pathlib import Path

from exported_forms import recommender_of

import sasrec
import sasrec_serve

SOURCE = Path(sasrec_serve.__file__).parent
FORBIDDEN = {"sasrec", "torch", "polars", "pandas"}


def imports_of(path: Path) -> set[str]:
    """Return what a file imports, including imports in functions and for types."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_nothing_of_the_training_is_imported() -> None:
    for path in SOURCE.rglob("*.py"):
        roots = {name.partition(".")[0] for name in imports_of(path)}
        assert not roots & FORBIDDEN, path


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts): path
        for path in SOURCE.rglob("*.py")
        if path.stem != "__init__"
    }
    graph = {name: imports_of(path) & files.keys() for name, path in files.items()}
    TopologicalSorter(graph).prepare()


def loaded_by(code: str) -> set[str]:
    """Return the modules that a program has loaded."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    return {name.partition(".")[0] for name in printed.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_by("import sasrec_serve") & {*FORBIDDEN, "numpy", "onnxruntime", "fastapi"}


def test_recommending_loads_neither_training_nor_server(tmp_path: Path) -> None:
    sasrec.export(recommender_of("FMC"), tmp_path / "out")
    code = f"import sasrec_serve; sasrec_serve.load({str(tmp_path / 'out')!r}).recommend([['i1']])"
    loaded = loaded_by(code)
    assert "onnxruntime" in loaded
    assert not loaded & {*FORBIDDEN, "fastapi", "uvicorn", "usearch"}


FORKED = """
import os, sys
import sasrec_serve

recommender = sasrec_serve.load(sys.argv[1])
expected = recommender.recommend([["i1"], ["i2", "i3"]])
if (child := os.fork()) == 0:
    os._exit(recommender.recommend([["i1"], ["i2", "i3"]]) != expected)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_recommends(tmp_path: Path) -> None:
    sasrec.export(recommender_of("by_both"), tmp_path / "out")
    command = [sys.executable, "-c", FORKED, tmp_path / "out"]
    assert subprocess.run(command, timeout=60).returncode == 0


def test_every_public_name_resolves() -> None:
    for name in sasrec_serve.__all__:
        assert getattr(sasrec_serve, name) is not None
    assert set(sasrec_serve.__all__) <= set(dir(sasrec_serve))


def test_threads_get_the_same_answers(tmp_path: Path) -> None:
    sasrec.export(recommender_of("by_both"), tmp_path / "out")
    served = sasrec_serve.load(tmp_path / "out")
    histories = [[f"i{1 + (7 * n + m) % 37}" for m in range(n % 6)] for n in range(60)]
    alone = [served.recommend([history])[0] for history in histories]
    with ThreadPoolExecutor(8) as executor:
        together = list(executor.map(lambda history: served.recommend([history])[0], histories))
    assert together == alone
    assert [each.items for each in served.recommend(histories)] == [each.items for each in alone]
