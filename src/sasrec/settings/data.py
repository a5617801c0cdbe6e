"""Data settings: which columns to read, which events to drop, and how to read timestamps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)

from sasrec.errors import did_you_mean
from sasrec.settings.cleaning import CleaningSettings
from sasrec.settings.fields import Word, ignore_case, number_as_text, recbole, written_as
from sasrec.settings.text_tables import check_roles
from sasrec.settings.written import WrittenFloat, WrittenInt, spelling

PartName = Annotated[
    str,
    BeforeValidator(number_as_text),
    written_as(r"[^/\\\x00]+", "be part of a file name, without slashes, such as 'train'"),
]


def _interval_text(value: Any) -> Any:
    """Return an interval as text, even if it was parsed as a literal, as ``[20,100]`` is.

    Args:
        value: The value as given.

    Returns:
        The interval as text; values of other types are returned unchanged for pydantic to check.

    Raises:
        ValueError: The value is a single number.
    """
    if isinstance(value, list | tuple):
        inside = ",".join(map(str, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, int | float):
        raise ValueError(f"an interval is text, such as '[{value},inf)'")
    return value


TimeRule = Literal["no", "float32", "scaled", "recbole"]
"""How timestamps are rounded before they are compared."""


def _time_rule(value: Any) -> Any:
    """Return the name of a rule; settings files of version 0.1 contain True or False instead."""
    if value is None or isinstance(value, bool):
        return "scaled" if value else "no"
    return value


IntervalText = Annotated[str, BeforeValidator(_interval_text)]
FilterValue = StrictBool | StrictInt | StrictFloat | StrictStr
"""A value that a filter keeps; the number 7 and the text "7" are different values."""


def _filter_values(value: Any) -> Any:
    """Return the values of a filter with their original spelling; a single number becomes a tuple.

    Args:
        value: A text, number or boolean, or a list, set, array or column of these.

    Returns:
        A text or a tuple; values of other types are returned unchanged for pydantic to check.

    Raises:
        ValueError: The list contains null.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool | int | float):
        value = (value,)
    if not isinstance(value, list | tuple | set | frozenset):
        return value
    given = [each.item() if hasattr(each, "item") else each for each in value]
    if any(each is None for each in given):
        raise ValueError("the list contains null; put it in quotation marks if you mean the text")
    return tuple(
        each.text
        if isinstance(each, WrittenInt | WrittenFloat)
        else each.isoformat()
        if type(each) is date
        else each
        for each in given
    )


def _filters(value: Any) -> Any:
    """Return the filters; reject text, which means that a part of it lacks quotation marks.

    Args:
        value: The value as given; None means no filter.

    Returns:
        The filters.

    Raises:
        ValueError: The value is text.
    """
    if isinstance(value, str):
        raise ValueError(
            "write {'column': '[low,high]'} or {'column': ['a', 'b']}, with quotation marks around "
            "each text"
        )
    return {} if value is None else value


ValueFilters = Annotated[
    dict[Word, Annotated[str | tuple[FilterValue, ...], BeforeValidator(_filter_values)]],
    BeforeValidator(_filters),
]

NO_TIMES = "none"
"""Value of ``time_column`` for data without timestamps, whose rows are in order of time."""
READ_AS_NONE = ("None", "null", "NULL", "Null")
"""Texts that Python or YAML read as a missing value."""


def _or_no_times(value: Any) -> Any:
    """Return ``none`` for None and for every spelling of it in YAML or Python."""
    is_none = value is None or (isinstance(value, str) and value.lower() in {NO_TIMES, "null"})
    return NO_TIMES if is_none else value


def _cleanings(value: Any) -> Any:
    """Return ``spaces,numbers`` as a tuple; true selects three rules that rarely merge two ids."""
    if isinstance(value, bool) or value is None:
        return ("spaces", "unicode", "numbers") if value else ()
    return tuple(each.strip() for each in value.split(",")) if isinstance(value, str) else value


def _missing_texts(value: Any) -> Any:
    """Return texts as the user wrote them.

    YAML reads NULL as None, so None is replaced by all spellings in ``READ_AS_NONE``.

    Args:
        value: A text (several are separated by commas), a number, or a list of these.

    Returns:
        The texts; values of other types are returned unchanged for pydantic to check.

    Raises:
        ValueError: A value is true or false; how it was spelled is unknown.
    """
    given = value.split(",") if isinstance(value, str) else value
    texts: list[Any] = []
    for each in given if isinstance(given, list | tuple) else [given]:
        if isinstance(each, bool):
            raise ValueError("put true and false in quotation marks if you mean the texts")
        texts += READ_AS_NONE if each is None else [spelling(each).strip()]
    return tuple(texts)


SCALED_IN_RECBOLE = "ml-100k"
"""The only data set whose timestamps RecBole scales by default
(``properties/dataset/ml-100k.yaml``)."""


class DataSettings(CleaningSettings):
    """Which columns to read, which events to drop, and how long a history may be."""

    max_history: int = Field(
        50, ge=1, le=1_000_000, json_schema_extra=recbole("MAX_ITEM_LIST_LENGTH")
    )
    """Longest history the model uses, in events; older events are dropped."""
    user_column: Word = Field("user_id", json_schema_extra=recbole("USER_ID_FIELD"))
    """Column with the user id."""
    item_column: Word = Field("item_id", json_schema_extra=recbole("ITEM_ID_FIELD"))
    """Column with the item id."""
    time_column: Annotated[Word, BeforeValidator(_or_no_times)] = Field(
        "timestamp", json_schema_extra=recbole("TIME_FIELD")
    )
    """Column with the timestamp of the event; none reads no timestamps and keeps the order of the
    rows."""
    clean_tokens: Annotated[
        tuple[Literal["spaces", "unicode", "numbers", "case"], ...], BeforeValidator(_cleanings)
    ] = ()
    """How to clean user and item ids: spaces (strip them), unicode (normalise to NFC), numbers (9.0
    becomes 9), case (to lower case); true does the first three. By default ids are not changed."""
    missing_values: Annotated[tuple[str, ...], BeforeValidator(_missing_texts)] = ()
    """Texts that mean a missing user, item or timestamp, such as ['NULL', 'nan']; spaces around
    them are ignored. By default only an empty value is missing."""
    incomplete: Annotated[Literal["refuse", "drop"], ignore_case(str.lower)] = "refuse"
    """What to do if rows have no user, item or timestamp: refuse (stop with an error) or drop (drop
    these rows)."""
    data_path: Word = Field("dataset", json_schema_extra=recbole("data_path"))
    """Folder in which data sets are looked up by name, as NAME/NAME.inter."""
    load_columns: dict[str, Literal["*"] | tuple[Word, ...]] | None = Field(
        None, json_schema_extra=recbole("load_col")
    )
    """Columns to read, by file: {'inter': ['user_id', 'item_id', 'timestamp']}; None reads all."""
    unload_columns: dict[str, tuple[Word, ...]] | None = Field(
        None, json_schema_extra=recbole("unload_col")
    )
    """Columns to ignore, by file, as if they did not exist."""
    duplicates: Literal["first", "last", "exact", "consecutive"] | None = Field(
        None, json_schema_extra=recbole("rm_dup_inter")
    )
    """first or last: keep only the first or the last event of each user and item. exact: keep one
    of the events with the same user, item and timestamp. consecutive: of consecutive events of a
    user with the same item, keep the first. None keeps all events."""
    value_intervals: ValueFilters = Field({})
    """Keep only rows with these values, by column: an interval of numbers, as in
    {'rating': '[4,inf)'}, or a list of values, as in {'shop': ['a', '012']}. Texts must match
    exactly."""
    only_listed: bool = Field(True, json_schema_extra=recbole("filter_inter_by_user_or_item"))
    """Drop events of users and items that are not listed in a loaded .user or .item file."""
    user_interactions: IntervalText | None = Field(
        None, json_schema_extra=recbole("user_inter_num_interval")
    )
    """Keep users whose number of events is in this interval, such as '[5,inf)'."""
    item_interactions: IntervalText | None = Field(
        None, json_schema_extra=recbole("item_inter_num_interval")
    )
    """Keep items whose number of events is in this interval; if both intervals are set, they are
    applied repeatedly until nothing changes (k-core)."""
    split_files: Annotated[tuple[PartName, ...], Field(min_length=2, max_length=3)] | None = Field(
        None, json_schema_extra=recbole("benchmark_filename")
    )
    """Parts of a data set that is already split: ['train', 'valid', 'test'] reads NAME.train.inter
    and so on; filters are not applied to them. With two parts, ['train', 'test'], the validation
    targets come from the first: the last event of each user with at least three events in it."""
    rounded_times: Annotated[TimeRule, BeforeValidator(_time_rule)] = "no"
    """Compare timestamps in float32, as RecBole does; events whose timestamps become equal keep the
    order of the file. no: do not round. float32: round the timestamps as given; in seconds, they
    become multiples of 128 s. scaled: scale them to 0..1 first. recbole: scaled for ml-100k, as
    RecBole's own file for it says, otherwise float32. Splits by time compare the rounded
    timestamps, too."""
    scaled_columns: tuple[Word, ...] | None = Field(
        None, json_schema_extra=recbole("normalize_field")
    )
    """Columns to scale to 0..1, as RecBole does. Only the time column has an effect here: its
    timestamps are then compared in float32."""
    list_suffix: Word = Field("_list", json_schema_extra=recbole("LIST_SUFFIX"))
    """Suffix of columns that hold a precomputed history, in files that are already split."""

    @field_validator("split_files")
    @classmethod
    def _parts_are_different(cls, parts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = [name for name in parts or () if (parts or ()).count(name) > 1]
        if twice:
            raise ValueError(
                f"{twice[0]!r} is listed twice, so its events would be part of their own history; "
                "use ['train', 'test'] to take the validation targets from the training part"
            )
        return parts

    @model_validator(mode="after")
    def _columns_do_not_collide(self) -> DataSettings:
        check_roles(self.columns, self.user_column, self.item_column)
        own = [self.user_column, self.item_column, self.time_column]
        twice = [name for name in own if own.count(name) > 1]
        if twice:
            raise ValueError(
                f"user_column, item_column and time_column must be three different columns, but "
                f"{twice[0]!r} is used twice; choose another column"
            )
        if self.scaled_columns is not None and self.rounded_times == "scaled":
            raise ValueError("normalize_all already scales every column; remove normalize_field")
        for name in self.scaled_columns or ():
            if name != self.time_column and (meant := did_you_mean(name, [self.time_column])):
                raise ValueError(f"normalize_field contains {name!r}{meant}")
        both = set(self.load_columns or {}) & set(self.unload_columns or {})
        if both:
            raise ValueError(
                f"load_col and unload_col both contain {min(both)!r}; remove it from one of them"
            )
        return self

    def time_rounding(self, name: str) -> Literal["no", "float32", "scaled"]:
        """Return how the timestamps of a data set are rounded before they are compared.

        Args:
            name: Name of the data set.

        Returns:
            The rounding rule.
        """
        if self.time_column in (self.scaled_columns or ()):
            return "scaled"
        if self.rounded_times == "recbole":
            return "scaled" if name == SCALED_IN_RECBOLE else "float32"
        return self.rounded_times
