"""The content of the items of a data set as numbers."""

from __future__ import annotations

import logging

import numpy as np

from sasrec.data.content.encoding import ContentTables, ItemContent, encode_content
from sasrec.data.corpus import Corpus
from sasrec.errors import printable
from sasrec.remarks import log_remarks

logger = logging.getLogger(__name__)


def content_of(corpus: Corpus, counts: np.ndarray, separator: str) -> ItemContent | None:
    """Return the content of the items as numbers, and log remarks on it.

    Args:
        corpus: The data set.
        counts: int64 [V], training events of each item.
        separator: What separates the values of a list in a text.

    Returns:
        The content; None if the settings name none.
    """
    if corpus.content is None:
        return None
    tables = ContentTables(corpus.items, corpus.item_columns, corpus.content, separator)
    found = encode_content(tables, counts)
    logger.info("content: %s", printable(", ".join(map(str, found.columns))))
    log_remarks(found.remarks, corpus.name)
    return found
