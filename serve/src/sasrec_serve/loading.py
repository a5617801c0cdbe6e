"""Loading an export."""

from __future__ import annotations

import os
from pathlib import Path

from sasrec_serve.answers import Catalogue
from sasrec_serve.errors import ExportError
from sasrec_serve.exported.folder import VECTORS, read_export
from sasrec_serve.exported.manifest import AGAIN
from sasrec_serve.recommender import Recommender
from sasrec_serve.rules.columns import ExportedColumns
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.self_check import run_check


def load(folder: str | Path) -> Recommender:
    """Load an export, after checking all hashes and the lists of some histories.

    Args:
        folder: A folder that ``sasrec export`` wrote.

    Returns:
        The recommender.

    Raises:
        ExportError: The folder is not an export, is damaged, comes from a newer version, or does
            not recommend as the trained model does.
    """
    if not isinstance(folder, str | os.PathLike):
        raise ExportError(f"{folder!r} is not a path; give the folder of an export as text or Path")
    export = read_export(Path(folder).expanduser())
    vectors = None
    if export.vectors is not None:
        try:
            vectors = ItemVectors.of(export.vectors)
        except ValueError as error:
            path = export.manifest.folder / VECTORS
            raise ExportError(f"{path} is damaged: {error}; {AGAIN}") from error
    catalogue = Catalogue(export.items, export.trained, export.popularity)
    columns = ExportedColumns(export.item_columns, len(export.items))
    recommender = Recommender(export, catalogue, vectors, columns)
    run_check(recommender)
    return recommender
