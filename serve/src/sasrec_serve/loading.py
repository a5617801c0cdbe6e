"""Loading an export."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sasrec_serve.answers import Catalogue
from sasrec_serve.errors import ExportError, SettingsError
from sasrec_serve.exported.folder import read_export
from sasrec_serve.recommender import Recommender
from sasrec_serve.rules.columns import ExportedColumns
from sasrec_serve.self_check import run_check


def load(folder: str | Path, *, threads: int = 1) -> Recommender:
    """Load an export, after checking all hashes and the lists of some histories.

    Args:
        folder: A folder that ``sasrec export`` wrote.
        threads: Threads that share the search among 100,000 items or more, 1 or 2. Two answer a
            single request sooner; one answers more requests at the same time.

    Returns:
        The recommender.

    Raises:
        ExportError: The folder is not an export, is damaged, comes from a newer version, or does
            not recommend as the trained model does.
        SettingsError: ``threads`` is neither 1 nor 2.
    """
    if not isinstance(folder, str | os.PathLike):
        raise ExportError(f"{folder!r} is not a path; give the folder of an export as text or Path")
    if type(threads) is not int or threads not in (1, 2):
        raise SettingsError(f"threads is {threads!r}; it must be 1 or 2")
    export = read_export(Path(folder).expanduser())
    vectors = None if export.vectors is None else replace(export.vectors, threads=threads)
    catalogue = Catalogue(export.items, export.trained, export.popularity)
    columns = ExportedColumns(export.item_columns, len(export.items))
    recommender = Recommender(export, catalogue, vectors, columns)
    run_check(recommender)
    return recommender
