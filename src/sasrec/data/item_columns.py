"""Item columns: facts about items, such as category and price, that rules can use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, counted, did_you_mean, printable
from sasrec.remarks import Remark

KINDS = {
    pl.String: "text",
    pl.Int64: "whole numbers",
    pl.Float64: "numbers",
    pl.Boolean: "true or false",
    pl.Date: "dates",
    pl.Datetime: "times",
    pl.List: "lists of texts",
}
"""Types of columns, and their names in messages."""


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Facts about items.

    >>> columns = ItemColumns(pl.Series(["a", "b"]), pl.DataFrame({"price": [1.0, 2.0]}))
    >>> columns.aligned(Vocabulary(["b", "x"]))["price"].to_list()
    [2.0, None]

    Attributes:
        items: Tokens, String [n], distinct.
        values: One row for each of them; columns of the types in ``KINDS``.
        remarks: Remarks on the source.
    """

    items: pl.Series
    values: pl.DataFrame
    remarks: tuple[Remark, ...] = ()

    def aligned(self, vocabulary: Vocabulary) -> pl.DataFrame:
        """Return one row for each item of a vocabulary, null for an item without a row.

        Args:
            vocabulary: The items; tokens are cleaned as it cleans them.

        Returns:
            [n_items] rows; index n - 1 has the values of item number n.
        """
        numbers = pl.Series("#", vocabulary.numbers(self.items.to_list()), dtype=pl.Int32)
        whole = pl.DataFrame([numbers, *self.values.get_columns()])  # there may be no column
        rows = whole.filter(numbers > 0).unique("#", keep="last")
        wanted = pl.DataFrame(
            {"#": pl.int_range(1, len(vocabulary) + 1, dtype=pl.Int32, eager=True)}
        )
        return wanted.join(rows, on="#", how="left", maintain_order="left").drop("#")

    def of(self, vocabulary: Vocabulary) -> ItemColumns:
        """Return the same columns for exactly the items of a vocabulary.

        Args:
            vocabulary: The items.
        """
        return ItemColumns(vocabulary.entries, self.aligned(vocabulary), self.remarks)

    def overridden_by(self, other: ItemColumns | None) -> ItemColumns:
        """Return these columns with those of another source, which wins where both have a column.

        Args:
            other: The other source; None changes nothing.
        """
        if other is None:
            return self
        vocabulary = Vocabulary.of_distinct(
            pl.concat([self.items, other.items]).unique(maintain_order=True)
        )
        mine, new = self.aligned(vocabulary), other.aligned(vocabulary)
        kept = mine.select(name for name in mine.columns if name not in new.columns)
        values = pl.concat([kept, new], how="horizontal")
        return ItemColumns(vocabulary.entries, values, (*self.remarks, *other.remarks))


def kind_of(dtype: pl.DataType) -> str:
    """Return the name of a column's type for people, such as ``numbers``.

    Args:
        dtype: The type.
    """
    return KINDS.get(type(dtype), str(dtype))


def is_vector_type(dtype: pl.DataType) -> bool:
    """Return whether a column holds lists or arrays of floats.

    Args:
        dtype: Type of the column.
    """
    return isinstance(dtype, pl.List | pl.Array) and bool(dtype.inner.is_float())


def vector_names(frame: pl.DataFrame, types: Mapping[str, str | None]) -> list[str]:
    """Return the content columns of a table of items that hold vectors.

    Args:
        frame: The table.
        types: The content columns, with the type that the user gave, or None.
    """
    return [
        name
        for name, dtype in frame.schema.items()
        if name in types and (is_vector_type(dtype) or types[name] == "float_seq")
    ]


def item_columns_from(
    items: pl.Series, frame: pl.DataFrame, wanted: Sequence[str] | None, where: str
) -> ItemColumns:
    """Return item columns from a table with one row for each item.

    Args:
        items: Token of each row, String.
        frame: The other columns, of any type.
        wanted: Names of the columns to keep; None keeps all whose type rules can use.
        where: Name of the source, for error messages.

    Returns:
        The columns, for distinct items.

    Raises:
        DataError: Rows of an item contradict each other, a row has no item, or a wanted column has
            a type that rules cannot use.
    """
    names = [name for name in frame.columns if wanted is None or name in wanted]
    typed = {name: _typed(frame[name]) for name in names}
    for name, column in typed.items():
        if column is None and wanted is not None:
            raise DataError(
                f"{where}: column {name!r} has type {frame[name].dtype}, which rules cannot use; "
                "convert it to text, numbers, dates or lists of texts"
            )
    values = pl.DataFrame([each.alias(name) for name, each in typed.items() if each is not None])
    if items.null_count() or (items == "").any():
        row = int((items.is_null() | (items == "").fill_null(True)).arg_max() or 0) + 1
        raise DataError(f"{where}, row {row}: there is no item; fill it in or delete the row")
    if items.n_unique() == len(items):
        return ItemColumns(items, values)
    return _without_repeated_rows(items, values, where)


def _without_repeated_rows(items: pl.Series, values: pl.DataFrame, where: str) -> ItemColumns:
    """Return the columns with equal rows of an item merged.

    Raises:
        DataError: Two rows of an item differ.
    """
    whole = values.with_columns(items.alias("#"), pl.int_range(1, pl.len() + 1).alias("##row"))
    distinct = whole.unique(["#", *values.columns], keep="first", maintain_order=True)
    twice = distinct.filter(pl.col("#").is_duplicated())
    if twice.height:
        token = twice["#"][0]
        first, second = twice.filter(pl.col("#") == token)["##row"][:2]
        count = twice["#"].n_unique()
        raise DataError(
            f"{where}: item {token!r} has different values in rows {first} and {second} "
            f"({counted(count, 'item has', 'items have')} such rows); keep one row for each item"
        )
    remark = Remark(
        "repeated_item_rows",
        whole.height - distinct.height,
        f"{counted(whole.height - distinct.height, 'row repeats', 'rows repeat')} an earlier row "
        "about the same item and is ignored",
    )
    return ItemColumns(distinct["#"].alias("item"), distinct.drop("#", "##row"), (remark,))


def without_infinities(columns: ItemColumns, kept: Collection[str] = ()) -> ItemColumns:
    """Return item columns in which infinite numbers are missing, as they cannot be saved as JSON.

    Args:
        columns: The columns.
        kept: Names of columns that stay as they are.

    Returns:
        The columns, with a remark for each that changes.
    """
    remarks, changed = [], []
    for column in columns.values:
        if not column.dtype.is_float() or column.name in kept:
            continue
        infinite = column.is_infinite().fill_null(value=False)
        if count := int(infinite.sum()):
            example = columns.items.gather(infinite.arg_true()[:1])[0]
            text = (
                f"{counted(count, 'item has', 'items have')} an infinite number in column "
                f"{column.name!r}, such as {example!r}; it counts as missing"
            )
            remarks.append(Remark("infinite_item_column", count, printable(text)))
            changed.append(column.set(infinite, None))
    if not changed:
        return columns
    values = columns.values.with_columns(changed)
    return replace(columns, values=values, remarks=(*columns.remarks, *remarks))


def latest_values(items: pl.Series, frame: pl.DataFrame, where: str) -> ItemColumns:
    """Return the last known value of each column for each item, from a table of events.

    Args:
        items: Token of each event, String.
        frame: Columns of the events, oldest event first.
        where: Name of the source, for error messages.

    Returns:
        The columns; a remark for each column in which an item has several values.

    Raises:
        DataError: A column has a type that rules cannot use.
    """  # raised by item_columns_from
    tokens = items.unique(maintain_order=True)
    found, remarks = pl.DataFrame({"item": tokens}), []
    for name in frame.columns:
        pairs = pl.DataFrame({"item": items, "value": frame[name]}).drop_nulls()
        several = pairs.unique().filter(pl.col("item").is_duplicated())["item"].unique().sort()
        if len(several):
            text = (
                f"{counted(len(several), 'item has', 'items have')} several values in column "
                f"{name!r}, such as {several[0]!r}; the latest is kept"
            )
            remarks.append(Remark("changing_item_column", len(several), printable(text)))
        last = pairs.unique("item", keep="last").rename({"value": name})
        found = found.join(last, on="item", how="left", maintain_order="left")
    columns = item_columns_from(tokens, found.drop("item"), frame.columns, where)
    return ItemColumns(columns.items, columns.values, (*columns.remarks, *remarks))


def require_known(wanted: Sequence[str] | None, columns: ItemColumns | None, where: str) -> None:
    """Raise an error if no source has a column that should be kept.

    Args:
        wanted: Names of the columns; None for none in particular.
        columns: What was found; None for nothing.
        where: Name of the source.

    Raises:
        DataError: A column is missing.
    """
    known = [] if columns is None else columns.values.columns
    for name in wanted or ():
        if name not in known:
            has = f"; there are: {', '.join(known)}" if known else ""
            raise DataError(
                f"{where}: item_columns names a column {name!r} that neither the events nor an "
                f"items file has{did_you_mean(name, known)}{has}"
            )


def _typed(column: pl.Series) -> pl.Series | None:
    """Return a column in one of the types in ``KINDS``; None if it has no such type."""
    dtype = column.dtype
    if dtype == pl.Null:
        return column.cast(pl.String)
    if dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.String)
    if dtype.is_float() or dtype.is_decimal():
        return column.cast(pl.Float64).fill_nan(None)
    if dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if dtype == pl.Datetime:
        zoned = getattr(dtype, "time_zone", None)
        naive = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else column
        return naive.dt.cast_time_unit("us")
    if dtype == pl.List:
        inner = dtype.inner  # type: ignore[attr-defined]
        is_text = inner in (pl.String, pl.Categorical, pl.Enum, pl.Null) or inner.is_integer()
        return column.cast(pl.List(pl.String)) if is_text else None
    return column if type(dtype) in KINDS else None
