"""New items for a trained model, known by their content only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.data.content.encoded import EncodedContent
from sasrec.data.content.encoding import ContentTables, ItemContent, encode_new_items
from sasrec.data.content.sources import Tables, content_source, longer
from sasrec.data.formats.item_files import item_table
from sasrec.data.item_columns import ItemColumns, without_infinities
from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import DataError, ModelError, counted
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.recommender.content_tensors import DATA
from sasrec.recommender.lineage import with_new_items_step
from sasrec.recommender.new_columns import in_earlier_types
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark, log_remarks
from sasrec.settings.data import DataSettings
from sasrec.settings.registry import MODELS

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource

LEARNED = ("item_embedding.weight", "output_embedding.weight")
"""Tables of vectors learned from events; new items get zeros."""


def with_new_items(
    recommender: Recommender, items: ItemSource, item_vectors: str | Path | None = None
) -> Recommender:
    """Return a recommender that also knows the new items of a table, by their content.

    >>> shop = with_new_items(sasrec.load("saved/shop"), "new.csv")  # doctest: +SKIP

    Args:
        recommender: A model trained with content.
        items: A table with a row for each item: a path or a data frame; items that the model knows
            already are not changed.
        item_vectors: File with the vectors of the new items, if the model was trained with one.

    Returns:
        A new recommender, on the same device; the items of the model keep their numbers.

    Raises:
        ModelError: The model was not trained with content.
        DataError: The table or the vectors cannot be used, or have no new item.
    """
    if not recommender.content:
        raise ModelError(
            "the model was trained without content, so it cannot know new items; train it with "
            "content_columns or item_vectors"
        )
    own = DataSettings(**recommender.settings["data"])
    vectors = None if item_vectors is None else str(item_vectors)
    settings = own.model_copy(update={"item_vectors": vectors, "item_columns": None})
    table, titles = item_table(items, settings)
    if not len(table.items):
        raise DataError("the table of new items has no rows")
    known = recommender.item_columns
    table = in_earlier_types(table, {} if known is None else dict(known.values.schema))
    where = Tables("the new items", tuple(table.values.columns), None, items, (table,))
    source = content_source(settings, where)
    table = without_infinities(table, tuple(settings.content_types))
    new = table.items.filter(~table.items.is_in(recommender.items.entries.implode()))
    if not len(new):
        raise DataError(f"all {counted(len(table.items), 'item')} of the table are known already")
    added = Vocabulary.of_distinct(new)
    tables = ContentTables(added, table, source, own.sequence_separator)
    content = encode_new_items(tables, recommender.content)
    log_remarks(
        [*table.remarks, *content.remarks, *_without_content(content, added)], "the new items"
    )
    n_new, titles_of_new = len(new), {k: v for k, v in titles.items() if k in added}
    vocabulary = longer(recommender.items, new).cleaning(own.clean_tokens)
    learned = recommender.counts > 0 if recommender.learned is None else recommender.learned
    recent = recommender.recent
    return replace(
        recommender,
        model=_longer_model(recommender, content.encoded),
        items=vocabulary,
        counts=np.pad(recommender.counts, (0, n_new)),
        recent=None if recent is None else np.pad(recent, (0, n_new)),
        learned=np.concatenate([learned, content.known[1:]]),
        titles={**recommender.titles, **titles_of_new},
        item_columns=_longer_columns(recommender.item_columns, table, vocabulary, new),
        metrics=with_new_items_step(
            recommender.metrics,
            str(items) if isinstance(items, str | Path) else None,
            n_before=len(recommender.items),
            n_new=n_new,
        ),
    )


def _without_content(content: ItemContent, items: Vocabulary) -> list[Remark]:
    """Return a remark if the model can use none of the content of some items."""
    found = np.flatnonzero(~content.known[1:]) + 1
    if not len(found):
        return []
    text = (
        f"{counted(len(found), 'new item has', 'new items have')} no content that the model can "
        f"use, such as {items.tokens(found[:1])[0]!r}; they are recommended only as candidates"
    )
    return [Remark("untrained_items", len(found), text)]


def _longer_columns(
    own: ItemColumns | None, table: ItemColumns, items: Vocabulary, new: pl.Series
) -> ItemColumns | None:
    """Return the item columns of a model with those of new items."""
    if own is None:
        return None
    names = [name for name in own.values.columns if name in table.values.columns]
    rows = table.values.select(names).filter(table.items.is_in(new.implode()))
    return ItemColumns(items.entries, pl.concat([own.values, rows], how="diagonal_relaxed"))


def _longer_model(recommender: Recommender, added: EncodedContent) -> NextItemModel:
    """Return a copy of a model with further items."""
    model, settings = recommender.model, recommender.settings
    device = next(model.parameters()).device
    weights = {name: value.cpu() for name, value in model.state_dict().items()}
    n_new = len(added.has_events) - 1
    longer_data = {
        "attributes": torch.cat([weights[DATA + "attributes"], added.attributes]),
        "offsets": torch.cat(
            [weights[DATA + "offsets"], weights[DATA + "offsets"][-1] + added.offsets[2:]]
        ),
        "weights": torch.cat([weights[DATA + "weights"], added.weights]),
        "numbers": torch.cat([weights[DATA + "numbers"], added.numbers[1:]]),
        "has_events": torch.cat([weights[DATA + "has_events"], added.has_events[1:]]),
    }
    n_items = len(recommender.items) + n_new
    encoded = EncodedContent(**longer_data, n_attributes=added.n_attributes)
    n_users = 0 if recommender.users is None else len(recommender.users)
    kind: type[NextItemModel] = MODELS[settings["model_name"]]
    with torch.random.fork_rng(devices=[]):
        form = kind.Settings(**settings["model"])
        sizes = n_items, n_users, recommender.max_history, len(recommender.event_types)
        found = kind(form, Catalogue(*sizes, encoded))
    changed: dict[str, Tensor] = {DATA + name: value for name, value in longer_data.items()}
    changed |= {name: F.pad(weights[name], (0, 0, 0, n_new)) for name in LEARNED if name in weights}
    found.load_state_dict({**weights, **changed})
    return found.to(device).eval()
