"""export: writes a trained model as a folder that can be served without this package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sasrec.cli.options import SavedModel
from sasrec.cli.output_paths import expanded
from sasrec.errors import printable

ExportOut = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write.", show_default=False),
]
NetworkFormat = Annotated[
    Literal["onnx", "torch"],
    typer.Option(
        "--format",
        metavar="NAME",
        help="onnx (default), or torch, which torch.export.load reads.",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Replace an export in that folder.")
]


def export(
    model: SavedModel,
    out: ExportOut,
    network_format: NetworkFormat = "onnx",
    overwrite: Overwrite = False,
) -> None:
    """Write a model as a folder that is served without PyTorch.

    The folder holds the network as ONNX, item vectors, vocabulary, titles and item columns.
    The network is compared with the model before the folder is written.
    """
    from sasrec.exporting.export import export as export_model

    found = export_model(model, expanded(out), format=network_format, overwrite=overwrite)
    print(printable(f"{found.folder}: {found.network} and what it needs, {_size(found.n_bytes)}"))
    print(
        "scores of the exported network and of the model differ by at most "
        f"{found.largest_difference:.1g} of the largest score"
    )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
