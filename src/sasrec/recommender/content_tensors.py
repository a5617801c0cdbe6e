"""Tensors of content in a model folder: their sizes, and whether their values are in range."""

from __future__ import annotations

import torch
from torch import Tensor

from sasrec.data.content.columns import ContentColumn
from sasrec.data.content.encoded import EncodedContent
from sasrec.errors import ModelError
from sasrec.models.contract import NextItemModel

DATA = "content.data."
"""Begin of the names of the tensors with attributes and numbers of the items."""


def content_sizes(
    columns: tuple[ContentColumn, ...], weights: dict[str, Tensor], n_items: int
) -> EncodedContent | None:
    """Return content of the right sizes but without values, to build a model that has them.

    Args:
        columns: The content columns; empty for a model without content.
        weights: Tensors of the folder.
        n_items: Items of the vocabulary.
    """
    if not columns:
        return None
    n_attributes = sum(len(column.values) for column in columns)
    n_numbers = sum(column.width for column in columns)
    n_entries = weights[DATA + "attributes"].numel()
    with torch.device("meta"):
        return EncodedContent(
            attributes=torch.empty(n_entries, dtype=torch.int64),
            offsets=torch.empty(n_items + 2, dtype=torch.int64),
            weights=torch.empty(n_entries),
            numbers=torch.empty(n_items + 1, n_numbers),
            has_events=torch.empty(n_items + 1, dtype=torch.bool),
            n_attributes=n_attributes,
        )


def check_content(model: NextItemModel, columns: tuple[ContentColumn, ...]) -> None:
    """Raise an error if attributes of items are out of range; PyTorch would read other memory.

    Args:
        model: The loaded model.
        columns: The content columns.

    Raises:
        ModelError: An attribute does not exist, or the items' attributes overlap.
    """
    if not columns:
        return
    buffers = dict(model.named_buffers())
    attributes, offsets = (buffers[DATA + name].numpy() for name in ("attributes", "offsets"))
    n_attributes = sum(len(column.values) for column in columns)
    is_known = not len(attributes) or 0 <= attributes.min() <= attributes.max() < n_attributes
    is_ordered = offsets[0] == offsets[1] == 0 and (offsets[1:] >= offsets[:-1]).all()
    if not (is_known and is_ordered and offsets[-1] == len(attributes)):
        raise ModelError("attributes of items are out of range")
