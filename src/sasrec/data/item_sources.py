"""Where item columns and titles come from: the events, an items file or frame, an .item file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from sasrec.data.content.sources import with_content
from sasrec.data.corpus import Corpus
from sasrec.data.formats.item_files import item_file_beside, item_table
from sasrec.data.interactions import VALUE, Interactions
from sasrec.data.item_columns import ItemColumns, latest_values, require_known, without_infinities
from sasrec.data.titles import Titles
from sasrec.data.values.parsed_texts import parsed_columns
from sasrec.errors import DataError, did_you_mean
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource


def with_event_columns(
    events: Interactions, settings: DataSettings, where: str, *, texts_only: bool
) -> Interactions:
    """Return events with the item columns and titles that are columns of the events themselves.

    Args:
        events: The events, with value columns.
        settings: Names of the item columns and of the title column.
        where: Name of the source, for error messages.
        texts_only: Whether the source has no types, so that texts may mean numbers.

    Returns:
        The same events, with only the value columns that filters need.

    Raises:
        DataError: A column has a type that rules cannot use.
    """  # raised by latest_values
    frame = events.frame
    wanted = dict.fromkeys((*(settings.item_columns or ()), *settings.content_types))
    names = [n for n in wanted if VALUE + n in frame.columns]
    title = settings.title_column
    own = names if title is None or VALUE + title not in frame.columns else [*names, title]
    if not own:
        return events
    if events.has_times:
        frame = frame.sort("time", maintain_order=True)
    tokens = events.items.gather(frame["item"] - 1)
    values = [frame[VALUE + name].alias(name) for name in dict.fromkeys(own)]
    commas: tuple[Remark, ...] = ()
    if texts_only:
        values, commas = parsed_columns(
            values,
            texts=() if title is None else (title,),
            lists=settings.content_texts,
        )
    found = latest_values(tokens, pl.DataFrame(values), where)
    unneeded = [VALUE + name for name in own if name not in settings.value_intervals]
    titles = events.titles
    if title is not None and title in own:
        pairs = pl.DataFrame({"item": found.items, "title": found.values[title].cast(pl.String)})
        titles = Titles(pairs.drop_nulls())
    kept = ItemColumns(found.items, found.values.select(names))
    return replace(
        events,
        frame=events.frame.drop(unneeded),
        titles=titles,
        item_columns=kept if names else None,
        remarks=(*dict.fromkeys((*events.remarks, *commas)), *found.remarks),
    )


def with_item_table(
    corpus: Corpus, settings: DataSettings, path: Path | None, items: ItemSource | None
) -> Corpus:
    """Return a data set with the item columns and titles of its items file, frame or .item file.

    Where several sources have a column, a given file or frame wins over the .item file, and this
    over the events.

    Args:
        corpus: The data set, with the item columns of its events.
        settings: The items file and the columns to keep.
        path: The file of events; None if they come from elsewhere.
        items: A table of items given instead of ``items_file``; None if there is none.

    Returns:
        The data set.

    Raises:
        DataError: The items cannot be read, or a wanted column does not exist.
    """
    source = items if items is not None else settings.items_file
    item_file = None if path is None else path.with_suffix(".item")
    beside = None if item_file is None else item_file_beside(item_file, settings)
    columns, titles = corpus.item_columns, corpus.titles
    more: Mapping[str, str] = {}
    remarks = () if beside is None else beside.remarks
    columns = beside if columns is None else columns.overridden_by(beside)
    tables: tuple[ItemColumns, ...] = () if beside is None else (beside,)
    if source is not None:
        given, more = item_table(source, settings)
        _check_known(corpus, given, source)
        columns = given if columns is None else columns.overridden_by(given)
        remarks += given.remarks
        tables += (given,)
    if columns is not None:  # content columns with infinite numbers are refused
        finite = without_infinities(columns, tuple(settings.content_types))
        remarks += finite.remarks[len(columns.remarks) :]
        columns = finite
    require_known(settings.item_columns, columns, corpus.name)
    _check_title(settings, (titles, more), columns)
    corpus = replace(corpus, item_columns=columns, remarks=(*corpus.remarks, *remarks))
    corpus = with_content(corpus, settings, beside=item_file, source=source, tables=tables)
    if source is None:
        return corpus
    # Only now the items of the table that have no event belong to the data set.
    return replace(corpus, titles={**corpus.item_titles(), **_titles_of(more, corpus)})


def _titles_of(titles: Mapping[str, str], corpus: Corpus) -> Mapping[str, str]:
    return titles.of(corpus.items.entries) if isinstance(titles, Titles) else titles


def _check_known(corpus: Corpus, given: ItemColumns, source: ItemSource) -> None:
    """Refuse a table of items that has none of the items of the events.

    Raises:
        DataError: No item of the table occurs in the events.
    """
    if not given.items.is_in(corpus.items.entries.implode()).any():
        where = source if isinstance(source, str | Path) else "the table of items"
        example = f"{given.items[0]!r}" if len(given.items) else "nothing"
        raise DataError(
            f"{where} has none of the items of {corpus.name}: it has {example}, the events have "
            f"{corpus.items.tokens([1])[0]!r}; check the item column"
        )


def _check_title(
    settings: DataSettings, titles: tuple[Mapping[str, str], ...], columns: ItemColumns | None
) -> None:
    """Refuse a title column that no source has.

    Raises:
        DataError: There is no such column.
    """
    known = [] if columns is None else columns.values.columns
    own = (None, settings.item_column, *known)
    if settings.title_column not in own and not any(titles):
        raise DataError(
            f"title_column is {settings.title_column!r}, but neither the events nor an items file "
            f"has it{did_you_mean(settings.title_column or '', known)}"
        )
