"""Settings about the content of items that a model learns from: columns and ready vectors."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from sasrec.settings.fields import Settings, Word, recbole

CONTENT_TYPES = ("token", "token_seq", "float", "float_seq")
"""Types that may follow the name of a content column, as in RecBole's atomic files."""

WITHOUT_CONTENT: dict[str, Any] = {"content_columns": (), "item_vectors": None}
"""Settings of data for a trained model, which has the content of its items already."""


def names_in(value: Any) -> Any:
    """Return ``price,category`` as a tuple; values of other types are checked by pydantic."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class ContentSettings(Settings):
    """What a model learns about items besides the events in which they occur."""

    content_columns: Annotated[tuple[Word, ...], BeforeValidator(names_in)] = Field(
        (), json_schema_extra=recbole("selected_features")
    )
    """Columns about items that the model learns from, such as ['category', 'brand', 'price']:
    texts, lists of texts, numbers, or lists of numbers (vectors); in the items file or in the file
    of events. A type may follow the name, as in RecBole's files: category:token (numbers are
    codes), tags:token_seq (a text is a list separated by | or spaces), price:float,
    picture:float_seq."""
    item_vectors: Word | None = None
    """File with a ready vector for each item, such as an embedding of its text or picture: .parquet
    or .jsonl with the item and its vector, .safetensors, or .npy; a file without items has a row
    for each row of the items file."""

    @field_validator("content_columns")
    @classmethod
    def _columns_are_distinct(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        names = [name_and_type(each)[0] for each in columns]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is listed twice; list each column once")
        return columns

    @property
    def has_content(self) -> bool:
        """Whether the model learns from anything but events."""
        return bool(self.content_columns) or self.item_vectors is not None

    @property
    def content_texts(self) -> tuple[str, ...]:
        """Names of the content columns that the user called token or token_seq."""
        given = self.content_types
        return tuple(name for name, kind in given.items() if kind in ("token", "token_seq"))

    @property
    def content_types(self) -> dict[str, str | None]:
        """Names of the content columns, with the type that the user gave, or None."""
        return dict(map(name_and_type, self.content_columns))


def name_and_type(column: str) -> tuple[str, str | None]:
    """Return the name and the type in ``price:float``; the type is None if none is given.

    Args:
        column: Name of a column, perhaps with a type.
    """
    name, _, kind = column.rpartition(":")
    return (name, kind) if name and kind in CONTENT_TYPES else (column, None)
