"""A data set given as separate sources for training, validation and test, such as data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from sasrec.data.corpus import Corpus
from sasrec.data.event_types import with_event_types
from sasrec.data.interactions import Interactions
from sasrec.data.presplit.events import corpus_of_parts, joined_parts, part_columns
from sasrec.data.presplit.part_times import check_same_order
from sasrec.data.values.cleaning import numbering_for
from sasrec.data.values.numbering import Numbering
from sasrec.errors import DataError, SettingNeeded
from sasrec.remarks import Remark
from sasrec.settings.data import DataSettings


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A data set that is split already: events to train on, and later events of the same users.

    A user's history continues from one part to the next. Give validation, test or both; without
    validation, the last training event of each user with several is the validation target.

    Attributes:
        train: Events to train on: a name, a path or a data frame.
        valid: Events to validate on, or None.
        test: Events to test on, or None.
    """

    train: Any
    valid: Any = None
    test: Any = None

    def __post_init__(self) -> None:
        """Refuse parts that could not be measured.

        Raises:
            DataError: There is neither a validation nor a test part.
        """
        if self.valid is None and self.test is None:
            raise DataError("a data set of parts needs valid or test besides train; give one")

    def named(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the source of each part that is given."""
        for name in ("train", "valid", "test"):
            if getattr(self, name) is not None:
                yield name, getattr(self, name)


def as_parts(train: Any, valid: Any, test: Any) -> Any:
    """Return a source of data and, if there are any, the separate parts beside it.

    Args:
        train: A name, a path or a data frame.
        valid: Events to validate on, or None.
        test: Events to test on, or None.

    Returns:
        ``train`` itself if the others are None; otherwise ``Parts``.
    """
    return train if valid is None and test is None else Parts(train, valid, test)


def corpus_from_parts(
    parts: Parts, settings: DataSettings, read: Callable[[Any], Interactions]
) -> Corpus:
    """Read a data set that is given as parts; they are not filtered.

    Args:
        parts: The sources of the parts.
        settings: Names of the columns.
        read: Reads one source.

    Returns:
        The histories, with the numbers of training, validation and test targets.
    """
    numberings = numbering_for(settings), numbering_for(settings)
    columns, types, remarks, names = [], [], list[Remark](), []
    for name, source in parts.named():
        events = with_event_types(_read(name, source, read), settings, f"part {name!r}")
        remarks += [replace(each, text=f"part {name!r}: {each.text}") for each in events.remarks]
        types.append(events.event_types)
        columns.append(part_columns(_renumbered(events, numberings)))
        names.append(name)
    check_same_order(remarks, "the parts")
    users, items = (numbering.entries for numbering in numberings)
    joined = joined_parts(columns, (users, items), names, types=types, remarks=remarks)
    return corpus_of_parts(replace(joined, without_test=parts.test is None), "data frames")


def _read(name: str, source: Any, read: Callable[[Any], Interactions]) -> Interactions:
    """Return the events of a part.

    Raises:
        DataError: The part cannot be read; the message begins with its name.
    """
    try:
        return read(source)
    except SettingNeeded as error:
        raise error.with_text(f"part {name!r}: {error}") from error
    except DataError as error:
        raise DataError(f"part {name!r}: {error}") from error


def _renumbered(events: Interactions, numberings: tuple[Numbering, Numbering]) -> Interactions:
    """Return events with the token numbers that all parts share."""
    found = []
    for name, entries, numbering in zip(
        ("user", "item"), (events.users, events.items), numberings, strict=True
    ):
        numbers: pl.Series = numbering.add(entries)
        found.append(numbers.gather(events.frame[name] - 1).alias(name))
    return replace(events, frame=events.frame.with_columns(found))
