"""Read a data set that is split already: NAME.train.inter, NAME.valid.inter, NAME.test.inter.

The validation part may be missing. A part holds either one event a row, or one whole history a row
in a column such as ``item_id_list``. In the first form, a user's history continues from one part to
the next. In the second, each row is a separate history and only its last item is a target.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from sasrec.data.checks.remarks import Remark
from sasrec.data.corpus import Corpus
from sasrec.data.formats.atomic import read_header
from sasrec.data.presplit.events import corpus_from_events
from sasrec.data.presplit.histories import corpus_from_histories
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

FILTERS = ("duplicates", "value_intervals", "user_interactions", "item_interactions")
"""Settings that have no effect on data sets that are split already."""


def read_parts(path: Path, settings: DataSettings, source: str) -> Corpus:
    """Read the two or three parts of a data set; nothing is filtered, as in RecBole.

    Args:
        path: What NAME.inter would be; the parts stand beside it.
        settings: Names of the parts and of the columns.
        source: What the data can be found by again.

    Returns:
        The histories, with the number of targets of each kind.

    Raises:
        DataError: A part is missing, broken or the same file as another, or some parts hold ready
            histories and some do not.
    """
    files = [path.with_suffix(f".{part}.inter") for part in settings.split_files or ()]
    for file in files:
        if not file.is_file():
            raise DataError(f"{file}: no such file; benchmark_filename names it")
    lists = settings.item_column + settings.list_suffix
    ready = [lists in read_header(file, settings.separator) for file in files]
    if any(ready) and not all(ready):
        raise DataError(
            f"{files[ready.index(False)]} has no column {lists!r}, which the other parts have"
        )
    _refuse_one_file(files)
    read = corpus_from_histories if all(ready) else corpus_from_events
    corpus = read(files, path, settings, source)
    return replace(corpus, remarks=(*corpus.remarks, *_unheard(settings)))


def _refuse_one_file(files: list[Path]) -> None:
    """Refuse parts that are one file under two names; of copies the shared events are counted.

    Args:
        files: The parts.

    Raises:
        DataError: Two are.
    """
    for one, other in itertools.combinations(files, 2):
        if one.samefile(other):
            raise DataError(
                f"{one} and {other} are the same file, so its events would be in their own "
                "history; of two parts, split_files=['train','test'], validation is taken from "
                "the training part"
            )


def _unheard(settings: DataSettings) -> list[Remark]:
    """Return a remark on filters that are asked for, since parts are taken as they are."""
    asked = [name for name in FILTERS if getattr(settings, name)]
    text = f"data that are split already are not filtered, so {', '.join(asked)} has no effect"
    return [Remark("not_filtered", len(asked), text)] if asked else []
