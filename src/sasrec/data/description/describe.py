"""Describe a data set: sizes, what cleaning would remove, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.corpus import Corpus
from sasrec.data.description.cleanings import Cleaning, possible_cleanings
from sasrec.data.description.facts import describe_facts
from sasrec.data.description.page import description_page
from sasrec.data.description.pictures import data_figure
from sasrec.data.description.text import description_as_text
from sasrec.data.description.values import (
    ColumnValues,
    column_values,
    in_words,
    other_columns,
    value_cleanings,
)
from sasrec.data.sources import load_corpus, read_rows
from sasrec.errors import DataError, SettingsError, counted, printable
from sasrec.settings.data import DataSettings
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.resolve import resolve_layers
from sasrec.system.pictures import draw_or_warn, plain_texts, rendered, svg_element
from sasrec.system.writing import check_writable, write_atomically

if TYPE_CHECKING:
    from sasrec.data.movielens import Progress
    from sasrec.data.sources import Source

MOST_EVENTS = 50_000_000
"""Of more events, the other columns are not read, as they need memory."""
PAGES, PICTURES = (".html", ".htm"), (".png",)


@dataclass(frozen=True, slots=True, repr=False)
class Description:
    """What is in a data set.

    Attributes:
        facts: Sizes and statistics, by name; ``remarks`` lists what is doubtful or was removed.
        cleanings: What each kind of cleaning would remove.
        columns: What the columns other than user, item and time hold.
        corpus: The data set itself.
    """

    facts: Mapping[str, Any]
    cleanings: tuple[Cleaning, ...]
    columns: tuple[ColumnValues, ...]
    corpus: Corpus

    def __str__(self) -> str:
        """Return sizes, possible cleanings and other columns as tables, and the remarks."""
        notes = [f"note: {printable(each['text'])}" for each in self.facts["remarks"]]
        return "\n".join([description_as_text(self.facts, self.cleanings, self.columns), *notes])

    def __repr__(self) -> str:
        """Return one line: the data and its sizes."""
        facts = self.facts
        return printable(
            f"<Description of {facts['name']}: {counted(facts['users'], 'user')}, "
            f"{counted(facts['items'], 'item')}, {counted(facts['interactions'], 'interaction')}>"
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the tables in IPython and notebooks."""
        printer.text("Description(...)" if cycle else str(self))

    @property
    def lacks_values(self) -> bool:
        """Whether some rows lack a user, item or time, so that they are not among the events."""
        return any(each["kind"] == "incomplete_rows" for each in self.facts["remarks"])

    def as_json(self) -> dict[str, Any]:
        """Return facts, cleanings and columns as a JSON object."""
        return {
            **self.facts,
            "cleanings": [each.as_json() for each in self.cleanings],
            "columns": {each.name: each.text for each in self.columns},
        }

    def save(self, path: str | Path) -> None:
        """Write a report.

        Args:
            path: A file that ends in .html (a page with the picture) or .png (the picture).

        Raises:
            SettingsError: The name ends in something else.
            DataError: The file cannot be written.
        """  # raised by checked_report
        target = checked_report(path)
        if target.suffix.lower() in PAGES:
            element = draw_or_warn("the data", partial(_svg, self.corpus))
            tables = (self.cleanings, self.columns)
            write_atomically(target, description_page(self.facts, *tables, picture=element))
            return
        with plain_texts():
            write_atomically(target, rendered(data_figure(self.corpus), "png", dpi=110))


def describe(
    data: Source, settings: Mapping[str, Any] | None = None, **keywords: Unpack[Keywords]
) -> Description:
    """Return sizes of a data set, and what each kind of cleaning would remove.

    Incomplete rows are counted instead of refused.

    >>> describe("ml-100k").save("report.html")  # doctest: +SKIP

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        settings: Values by the name of the setting, such as ``{"user_column": "customer"}``.
        **keywords: Settings by name; they override ``settings``.

    Returns:
        The description.
    """
    run = resolve_layers(given_layers(settings, keywords))
    return described(data, run.data)


def described(
    data: Source, settings: DataSettings, progress: Progress = lambda done, total: None
) -> Description:
    """Return sizes of a data set, and what each kind of cleaning would remove.

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        settings: Columns and filters.
        progress: Called while a data set of the catalogue is downloaded.
    """
    lenient = settings.model_copy(update={"incomplete": "drop"})
    corpus = load_corpus(data, lenient, progress)
    by_value, columns = _by_value(data, lenient, corpus)
    cleanings = (*possible_cleanings(corpus), *by_value)
    return Description(describe_facts(corpus), cleanings, columns, corpus)


def _by_value(
    data: Source, settings: DataSettings, corpus: Corpus
) -> tuple[list[Cleaning], tuple[ColumnValues, ...]]:
    """Return what choosing rows by other columns would remove, and what these columns hold."""
    names = other_columns(corpus.columns, settings)
    if not names or corpus.sequences.n_events > MOST_EVENTS:
        return [], ()
    read = read_rows(data, settings.model_copy(update={"item_columns": tuple(names)}))
    if read is None:
        return [], ()
    rows, texts_only = read
    columns = column_values(rows, settings, texts_only=texts_only)
    words = tuple(in_words(name, values) for name, values in columns.items())
    return value_cleanings(rows, columns), words


def checked_report(path: str | Path, others: tuple[str, ...] = ()) -> Path:
    """Return the path of a report, once it is known that it can be written.

    Args:
        path: A file that ends in .html or .png.
        others: Other endings that it may have, such as ``.json``.

    Returns:
        The path.

    Raises:
        SettingsError: The name ends in something else.
        DataError: The file cannot be written.
    """  # DataError is raised by check_writable
    target = Path(path)
    if target.suffix.lower() not in (*PAGES, *PICTURES, *others):
        raise SettingsError(
            f"{path}: a report is a page or a picture; choose a name that ends in .html or .png"
            + "".join(f" or {each}" for each in others)
        )
    if target.is_dir():
        raise DataError(f"{path} is a folder; give the name of a file")
    check_writable(target)
    return target


def _svg(corpus: Corpus) -> str:
    with plain_texts():
        return svg_element(data_figure(corpus))
