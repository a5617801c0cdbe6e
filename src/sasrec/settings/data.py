"""Settings of the data: which columns hold what, what is left out, and how times are read."""

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
    StringConstraints,
    field_validator,
    model_validator,
)

from sasrec.errors import did_you_mean
from sasrec.settings.fields import Settings, Word, in_case, recbole, worded
from sasrec.settings.written import WrittenFloat, WrittenInt, spelling


def _separator(value: Any) -> Any:
    r"""Return a separator in which ``\t``, as a command line passes it on, is a tab."""
    return value.replace("\\t", "\t") if isinstance(value, str) else value


PartName = Annotated[str, BeforeValidator(worded), StringConstraints(pattern=r"^[^/\\\x00]+$")]
Separator = Annotated[
    str,
    BeforeValidator(_separator),
    StringConstraints(pattern=r"^[\x00-\x09\x0b\x0c\x0e-\x7f]{1,4}$"),
]


def _spelled(value: Any) -> Any:
    """Return an interval as text again if it was read as a literal, as ``[20,100]`` is.

    Args:
        value: As given.

    Returns:
        A text, or what is for pydantic to judge.

    Raises:
        ValueError: It is a single number.
    """
    if isinstance(value, list | tuple):
        inside = ",".join(map(str, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, int | float):
        raise ValueError(f"an interval is a text such as '[{value},inf)'")
    return value


TimeRule = Literal["no", "float32", "scaled", "recbole"]
"""How times are rounded before they are compared."""


def _time_rule(value: Any) -> Any:
    """Return the name of a rule; True and False stand in files of version 0.1."""
    if value is None or isinstance(value, bool):
        return "scaled" if value else "no"
    return value


IntervalText = Annotated[str, BeforeValidator(_spelled)]
FilterValue = StrictBool | StrictInt | StrictFloat | StrictStr
"""A value that a filter keeps; the number 7 and the text "7" are told apart where it matters."""


def _filter_values(value: Any) -> Any:
    """Return the values of a filter as they were written, a single number as a list of one.

    Args:
        value: As given: a text, a number or a boolean, or several in a list, set, array or column.

    Returns:
        A text, a tuple, or what is for pydantic to judge.

    Raises:
        ValueError: A value is missing.
    """
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool | int | float):
        value = (value,)
    if not isinstance(value, list | tuple | set | frozenset):
        return value
    given = [each.item() if hasattr(each, "item") else each for each in value]
    if any(each is None for each in given):
        raise ValueError("the list holds null; put it between quotation marks if it is a text")
    return tuple(
        each.text
        if isinstance(each, WrittenInt | WrittenFloat)
        else each.isoformat()
        if type(each) is date
        else each
        for each in given
    )


def _filters(value: Any) -> Any:
    """Refuse filters that are a text, since something in it is neither a number nor quoted.

    Args:
        value: As given; None is no filter.

    Returns:
        The filters.

    Raises:
        ValueError: They are a text.
    """
    if isinstance(value, str):
        raise ValueError(
            "write {'column': '[low,high]'} or {'column': ['a', 'b']}, with quotation marks about "
            "each text"
        )
    return {} if value is None else value


ValueFilters = Annotated[
    dict[Word, Annotated[str | tuple[FilterValue, ...], BeforeValidator(_filter_values)]],
    BeforeValidator(_filters),
]

NO_TIMES = "none"
"""As the time column: the rows are in order, and no times are read."""
READ_AS_NONE = ("None", "null", "NULL", "Null")
"""Texts that Python and YAML read as no value."""


def _or_no_times(value: Any) -> Any:
    """Return ``none`` for no column, however YAML or Python spell it."""
    is_none = value is None or (isinstance(value, str) and value.lower() in {NO_TIMES, "null"})
    return NO_TIMES if is_none else value


def _cleanings(value: Any) -> Any:
    """Return ``spaces,numbers`` as a tuple; true is what hardly ever joins two different things."""
    if isinstance(value, bool) or value is None:
        return ("spaces", "unicode", "numbers") if value else ()
    return tuple(each.strip() for each in value.split(",")) if isinstance(value, str) else value


def _missing_texts(value: Any) -> Any:
    """Return texts as the user wrote them; YAML reads NULL as no value, so that stands for it.

    Args:
        value: A text with commas between several, a number, or a list of these.

    Returns:
        Texts, or what is for pydantic to judge.

    Raises:
        ValueError: One is true or false, whose spelling is lost.
    """
    given = value.split(",") if isinstance(value, str) else value
    texts: list[Any] = []
    for each in given if isinstance(given, list | tuple) else [given]:
        if isinstance(each, bool):
            raise ValueError("true and false must stand in quotation marks to be texts")
        texts += READ_AS_NONE if each is None else [spelling(each).strip()]
    return tuple(texts)


SCALED_IN_RECBOLE = "ml-100k"
"""The one data set whose times RecBole scales unasked (``properties/dataset/ml-100k.yaml``)."""


class DataSettings(Settings):
    """Which columns hold what, and how much history counts."""

    max_history: int = Field(
        50, ge=1, le=1_000_000, json_schema_extra=recbole("MAX_ITEM_LIST_LENGTH")
    )
    """Longest history the model looks at, in events; older events are left out."""
    user_column: Word = Field("user_id", json_schema_extra=recbole("USER_ID_FIELD"))
    """Column with the user's token."""
    item_column: Word = Field("item_id", json_schema_extra=recbole("ITEM_ID_FIELD"))
    """Column with the item's token."""
    time_column: Annotated[Word, BeforeValidator(_or_no_times)] = Field(
        "timestamp", json_schema_extra=recbole("TIME_FIELD")
    )
    """Column with the time of the event; none takes the rows to be in order and reads no times."""
    clean_tokens: Annotated[
        tuple[Literal["spaces", "unicode", "numbers", "case"], ...], BeforeValidator(_cleanings)
    ] = ()
    """What to make alike in users and items: spaces (around them), unicode (NFC), numbers (9.0 is
    9), case (lower); true does the first three. By default tokens are taken as they stand."""
    missing_values: Annotated[tuple[str, ...], BeforeValidator(_missing_texts)] = ()
    """Texts that mean a missing user, item or time, such as ['NULL', 'nan']; spaces around them do
    not matter. By default only an empty value is missing."""
    incomplete: Annotated[Literal["refuse", "drop"], in_case(str.lower)] = "refuse"
    """What to do with rows without a user, item or time: refuse the data, or drop these rows."""
    separator: Separator = Field("\t", json_schema_extra=recbole("field_separator"))
    r"""What stands between columns of an atomic file: \t, or up to four characters such as ::."""
    sequence_separator: Separator = Field(" ", json_schema_extra=recbole("seq_separator"))
    """What stands between the tokens of a column that holds several."""
    data_path: Word = Field("dataset", json_schema_extra=recbole("data_path"))
    """Folder in which a data set is looked up by name, as NAME/NAME.inter."""
    load_columns: dict[str, Literal["*"] | tuple[Word, ...]] | None = Field(
        None, json_schema_extra=recbole("load_col")
    )
    """Columns to read, by file: {'inter': ['user_id', 'item_id', 'timestamp']}; None reads all."""
    unload_columns: dict[str, tuple[Word, ...]] | None = Field(
        None, json_schema_extra=recbole("unload_col")
    )
    """Columns to leave out, by file, as if they were not there."""
    duplicates: Literal["first", "last", "exact", "consecutive"] | None = Field(
        None, json_schema_extra=recbole("rm_dup_inter")
    )
    """first or last: which event to keep where a user met an item several times. exact: keep one
    event of those with the same user, item and time. consecutive: keep the first of a user's
    events that have the same item and follow each other. None keeps all."""
    value_intervals: ValueFilters = Field({})
    """Values to keep, by column: {'rating': '[4,inf)'} for an interval of numbers, a list for these
    values alone: {'shop': ['a', '012']}. Texts are compared as they are spelled."""
    only_listed: bool = Field(True, json_schema_extra=recbole("filter_inter_by_user_or_item"))
    """Leave out events of users and items that a loaded .user or .item file does not list."""
    user_interactions: IntervalText | None = Field(
        None, json_schema_extra=recbole("user_inter_num_interval")
    )
    """Interval of the number of events a user must have, such as '[5,inf)'."""
    item_interactions: IntervalText | None = Field(
        None, json_schema_extra=recbole("item_inter_num_interval")
    )
    """Interval of the number of events an item must have; with both, until nothing changes."""
    split_files: Annotated[tuple[PartName, ...], Field(min_length=2, max_length=3)] | None = Field(
        None, json_schema_extra=recbole("benchmark_filename")
    )
    """Parts of a data set that is split already: ['train', 'valid', 'test'] reads NAME.train.inter
    and so on; nothing is filtered then. Of two, ['train', 'test'], validation is taken from the
    first: the last event of each user who has three there."""
    rounded_times: Annotated[TimeRule, BeforeValidator(_time_rule)] = "no"
    """Compare times in float32, as RecBole does; events that become simultaneous keep the order of
    the file. float32: as they are, so that times in seconds are 128 s apart; scaled: after scaling
    them to 0..1; recbole: scaled for ml-100k, whose file in RecBole says so, otherwise as they are.
    Splits by time compare them so, too."""
    scaled_columns: tuple[Word, ...] | None = Field(
        None, json_schema_extra=recbole("normalize_field")
    )
    """Columns to scale to 0..1, as RecBole does; only the time column is looked at here, and then
    compared in float32."""
    list_suffix: Word = Field("_list", json_schema_extra=recbole("LIST_SUFFIX"))
    """End of the name of a column that holds a ready history, in files that are split already."""

    @field_validator("split_files")
    @classmethod
    def _parts_are_different(cls, parts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = [name for name in parts or () if (parts or ()).count(name) > 1]
        if twice:
            raise ValueError(
                f"{twice[0]!r} stands there twice, so its events would be in their own history; "
                "name ['train', 'test'] to have validation taken from the training part"
            )
        return parts

    @model_validator(mode="after")
    def _columns_do_not_collide(self) -> DataSettings:
        own = [self.user_column, self.item_column, self.time_column]
        twice = [name for name in own if own.count(name) > 1]
        if twice:
            raise ValueError(
                f"user_column, item_column and time_column are three columns, not {twice[0]!r} "
                "twice; name another"
            )
        if self.scaled_columns is not None and self.rounded_times == "scaled":
            raise ValueError("normalize_all scales every column; leave normalize_field out")
        for name in self.scaled_columns or ():
            if name != self.time_column and (meant := did_you_mean(name, [self.time_column])):
                raise ValueError(f"normalize_field names {name!r}{meant}")
        both = set(self.load_columns or {}) & set(self.unload_columns or {})
        if both:
            raise ValueError(f"load_col and unload_col both name {min(both)!r}; keep one")
        return self

    def times_of(self, name: str) -> Literal["no", "float32", "scaled"]:
        """Return how the times of a data set are rounded before they are compared.

        Args:
            name: Of the data set.

        Returns:
            A rule.
        """
        if self.time_column in (self.scaled_columns or ()):
            return "scaled"
        if self.rounded_times == "recbole":
            return "scaled" if name == SCALED_IN_RECBOLE else "float32"
        return self.rounded_times
