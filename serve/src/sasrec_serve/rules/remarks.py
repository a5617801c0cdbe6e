"""Remarks: warnings about rules and tables, each with a count; nothing is changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from sasrec_serve.rules.wording import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the user should know before trusting lists.

    Attributes:
        kind: A name that programs can compare, such as ``missing_item_values``.
        count: Number of items it is about.
        text: A sentence for the user.
    """

    kind: str
    count: int
    text: str


def log_remarks(remarks: Iterable[Remark], where: str) -> None:
    """Log remarks as warnings.

    Args:
        remarks: The remarks.
        where: What they are about, for the log line.
    """
    for remark in remarks:
        logger.warning("%s: %s", where, printable(remark.text))
