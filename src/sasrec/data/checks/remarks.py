"""Remarks: what is doubtful in data, counted and said in a sentence; nothing is changed by them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sasrec.errors import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a user should know before they trust figures made from the data.

    Attributes:
        kind: A name for programs, such as ``exact_duplicates``.
        count: How many rows, tokens or events it concerns.
        text: A sentence for people: what was found, how often, with an example, and which setting
            changes it.
    """

    kind: str
    count: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return the attributes as JSON holds them."""
        return asdict(self)


def tell(remarks: Iterable[Remark], where: str) -> None:
    """Write remarks to the log, as warnings.

    Args:
        remarks: What was found.
        where: What to call the source.
    """
    for remark in remarks:
        logger.warning("%s: %s", printable(where), printable(remark.text))
