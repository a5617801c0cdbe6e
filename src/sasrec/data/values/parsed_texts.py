"""Columns of texts as what their texts mean: numbers, true or false, dates, times."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from sasrec.errors import counted
from sasrec.remarks import Remark

NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"
"""A text that means a number; ``007`` is not one, because it may be a code."""
COMMA_NUMBER = (
    r"^-?(?:(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),(?:[0-9]{1,2}|[0-9]{4,})"
    r"|(?:0|[1-9][0-9]{3,}|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),[0-9]{3})$"
)
"""A number with a decimal comma, and perhaps points between thousands. ``1,234`` is none, because
its comma may be one between thousands."""
WHOLE = r"^-?(?:0|[1-9][0-9]*)$"


def parsed_texts(column: pl.Series) -> pl.Series:
    """Return a text column as numbers, true/false, dates or times if all its texts mean these.

    Numbers may have decimal commas; ``comma_remark`` tells the user.

    Args:
        column: String; an empty text is missing.

    Returns:
        The column in the type its texts have in common, otherwise String.
    """
    parsed = without_commas(column)
    if parsed.dtype != pl.String or not _have_commas(parsed.drop_nulls()):
        return parsed
    return parsed.str.replace_all(".", "", literal=True).str.replace(",", ".").cast(pl.Float64)


def without_commas(column: pl.Series) -> pl.Series:
    """Return the same as ``parsed_texts``, but leave numbers with decimal commas as texts.

    Args:
        column: String; an empty text is missing.

    Returns:
        The column in the type its texts have in common, otherwise String.
    """
    texts = column.str.strip_chars()
    texts = texts.set(texts == "", None)
    known = texts.drop_nulls()
    if not len(known):
        return texts
    if known.str.contains(NUMBER).all():
        if known.str.contains(r"^-?[0-9]+$").all():
            whole = texts.cast(
                pl.Int64, strict=False
            )  # larger ones are codes, which a float merges
            return whole if whole.null_count() == texts.null_count() else texts
        numbers = texts.cast(pl.Float64)
        return numbers if numbers.drop_nulls().is_finite().all() else texts
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return texts.str.to_lowercase() == "true"
    if known.str.contains(r"^\d{4}-\d{2}-\d{2}$").all():
        dates = texts.str.to_date("%Y-%m-%d", strict=False)
        return dates if dates.null_count() == texts.null_count() else texts
    if known.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}$").all():
        moments = texts.str.replace("T", " ").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
        return moments if moments.null_count() == texts.null_count() else texts
    return texts


def parsed_columns(
    columns: Iterable[pl.Series],
    *,
    texts: Collection[str] = (),
    lists: Collection[str] = (),
) -> tuple[list[pl.Series], tuple[Remark, ...]]:
    """Return the text columns of a source without types as what their texts mean.

    Args:
        columns: Columns of any type; only those of type String are parsed.
        texts: Names of columns that stay text.
        lists: Names of columns whose commas separate values or belong to a text.

    Returns:
        The columns, and remarks on numbers with decimal commas.
    """
    found: list[pl.Series] = []
    remarks: list[Remark] = []
    for column in columns:
        parsed = column
        if column.dtype == pl.String and column.name not in texts:
            parsed = (without_commas if column.name in lists else parsed_texts)(column)
        found.append(parsed)
        remarks += comma_remark(column, parsed)
    return found, tuple(remarks)


def comma_remark(column: pl.Series, parsed: pl.Series) -> tuple[Remark, ...]:
    """Return a remark if texts were read as numbers with decimal commas.

    Args:
        column: The column as it was given.
        parsed: The same column from ``parsed_texts``.
    """
    if column.dtype != pl.String or parsed.dtype != pl.Float64:
        return ()
    commas = column.drop_nulls().filter(column.drop_nulls().str.contains(",", literal=True))
    if not len(commas):
        return ()
    example = commas[0].strip()
    point = example.replace(".", "").replace(",", ".")
    text = (
        f"{counted(len(commas), 'value')} of column {column.name!r} "
        f"{'has a decimal comma' if len(commas) == 1 else 'have decimal commas'}: {example} is "
        f"read as {point}"
    )
    return (Remark("decimal_commas", len(commas), text),)


def _have_commas(known: pl.Series) -> bool:
    """Return whether all texts are numbers, at least one of them with a decimal comma."""
    commas = known.filter(known.str.contains(",", literal=True))
    others = known.filter(~known.str.contains(",", literal=True))
    return (
        len(commas) > 0
        and bool(commas.str.contains(COMMA_NUMBER).all())
        and bool(others.str.contains(WHOLE).all())
    )
