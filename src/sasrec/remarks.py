"""Remarks: warnings about doubtful data or results, each with a count; nothing is changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sasrec.errors import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the user should know before trusting metrics computed from the data.

    Attributes:
        kind: A name that programs can compare, such as ``exact_duplicates``.
        count: Number of rows, tokens or events it is about.
        text: A sentence for the user: what was found, how often, an example, and which setting
            changes it.
    """

    kind: str
    count: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return the attributes as a JSON object."""
        return asdict(self)


def log_remarks(remarks: Iterable[Remark], where: str) -> None:
    """Log remarks as warnings.

    Args:
        remarks: The remarks.
        where: Name of the data source, for the log line.
    """
    for remark in remarks:
        logger.warning("%s: %s", printable(where), printable(remark.text))
