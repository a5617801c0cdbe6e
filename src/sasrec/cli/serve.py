"""serve: exports a model if need be, and answers requests with sasrec-serve."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from sasrec.cli.options import SavedModel
from sasrec.cli.output_paths import expanded
from sasrec.errors import ModelError, SettingsError
from sasrec.system.children import python_command

ExportFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Folder for the export; one there is replaced. Default: a temporary folder.",
        show_default=False,
    ),
]
NAME, PACKAGE = "sasrec-serve", "sasrec_serve"


def serve(context: typer.Context, model: SavedModel, out: ExportFolder = None) -> None:
    """Answer requests over HTTP with a trained model.

    MODEL is a saved model, which is exported first, or an export.
    All other options, such as --port, --workers and --store, are those of sasrec-serve, whose
    --help lists them.
    """
    _require_server()
    folder = expanded(model)
    if _holds_exports(folder):
        if out is not None:
            raise SettingsError(f"{folder} is an export already; remove --out")
        code = _served(folder, context.args)
    else:
        with _exported(folder, out) as export:
            code = _served(export, context.args)
    if code:
        raise SystemExit(code)


def _require_server() -> None:
    """Raise an error if the server is not installed."""
    from importlib.util import find_spec

    if find_spec(PACKAGE) is None:
        raise SettingsError(
            f"sasrec serve needs the package {NAME}, which this environment lacks; install it "
            "with 'pip install ./serve' in a clone of the repository of sasrec"
        )


def _holds_exports(folder: Path) -> bool:
    """Return whether a folder is an export, or contains some."""
    from sasrec.exporting.files import SERVING

    return (folder / SERVING).is_file() or any(folder.glob(f"*/{SERVING}"))


@contextmanager
def _exported(model: Path, out: Path | None) -> Iterator[Path]:
    """Export a model; a temporary folder is deleted afterwards."""
    from sasrec.exporting.export import export

    if out is not None:
        yield export(model, expanded(out), overwrite=True).folder
        return
    try:
        place = tempfile.TemporaryDirectory(prefix="sasrec-serve-")
    except OSError as error:
        raise ModelError(f"no temporary folder: {error}; name a folder with --out") from error
    with place:
        yield export(model, Path(place.name) / "export").folder


def _served(folder: Path, words: Sequence[str]) -> int:
    """Return the exit code of the server; signals are passed on to it."""
    process = subprocess.Popen(python_command("-m", PACKAGE, str(folder), *words))

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    earlier = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        return process.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
