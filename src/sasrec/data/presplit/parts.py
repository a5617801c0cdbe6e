"""Read a data set that is split already: NAME.train.inter, NAME.valid.inter, NAME.test.inter.

The validation part may be missing. A part holds either one event a row, or one whole history a row
in a column such as ``item_id_list``. In the first form, a user's history continues from one part to
the next. In the second, each row is a separate history and only its last item is a target.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from sasrec.data.corpus import Corpus
from sasrec.data.formats.atomic import read_header
from sasrec.data.presplit.events import corpus_from_events
from sasrec.data.presplit.histories import corpus_from_histories
from sasrec.errors import DataError
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

FILTERS = (
    *("since", "until", "where", "duplicates", "value_intervals"),
    *("max_user_events", "user_interactions", "item_interactions"),
)
"""Settings that have no effect on data sets that are split already."""


def read_parts(path: Path, settings: DataSettings, source: str) -> Corpus:
    """Read the two or three parts of a data set; they are not filtered, as in RecBole.

    Args:
        path: Path of NAME.inter, which need not exist; the parts are beside it.
        settings: Names of the parts and of the columns.
        source: Name or path to load the data from again.

    Returns:
        The histories, with the numbers of training, validation and test targets.

    Raises:
        DataError: A part is missing, invalid or the same file as another; or only some parts have
            a column of histories.
    """
    files = [path.with_suffix(f".{part}.inter") for part in settings.split_files or ()]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file}: no such file; correct benchmark_filename, or add this file")
    lists = settings.item_column + settings.list_suffix
    has_lists = [lists in read_header(file, settings.separator) for file in files]
    if any(has_lists) and not all(has_lists):
        raise DataError(
            f"{files[has_lists.index(False)]} has no column {lists!r}, which other parts have; "
            "either all parts or none must have it"
        )
    _check_distinct(files)
    read = corpus_from_histories if all(has_lists) else corpus_from_events
    corpus = read(files, path, settings, source)
    return replace(corpus, remarks=(*corpus.remarks, *_filter_remarks(settings)))


def _check_distinct(files: list[Path]) -> None:
    """Raise an error if two parts are the same file; events in copies are only counted, elsewhere.

    Args:
        files: The parts.

    Raises:
        DataError: Two parts are the same file.
    """
    for one, other in itertools.combinations(files, 2):
        if one.samefile(other):
            raise DataError(
                f"{one} and {other} are the same file, so its events would be in their own "
                "history; use split_files=['train','test'] to take validation targets from the "
                "training part"
            )


def _filter_remarks(settings: DataSettings) -> list[Remark]:
    """Return a remark if filters are set, since parts are not filtered."""
    names = [name for name in FILTERS if getattr(settings, name)]
    verb = "has" if len(names) == 1 else "have"
    text = f"data that are split already are not filtered, so {', '.join(names)} {verb} no effect"
    return [Remark("not_filtered", len(names), text)] if names else []
