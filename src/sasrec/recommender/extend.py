"""extend: a saved model with new items, written as a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sasrec.recommender.contents import read_without_weights
from sasrec.recommender.folder import check_target
from sasrec.recommender.lineage import steps_of, with_origin
from sasrec.recommender.loading import load
from sasrec.recommender.new_items import with_new_items

if TYPE_CHECKING:
    from sasrec.data.formats.item_files import ItemSource


@dataclass(frozen=True, slots=True)
class Extended:
    """A model folder with new items.

    Attributes:
        folder: The folder.
        n_new: Number of new items.
        n_items: Number of all items.
    """

    folder: Path
    n_new: int
    n_items: int


def extend(
    model: str | Path,
    items: ItemSource,
    *,
    out: str | Path,
    item_vectors: str | Path | None = None,
    overwrite: bool = False,
) -> Extended:
    """Write a saved model with the new items of a table, which it knows by their content.

    >>> extend("saved/shop", "new.csv", out="saved/shop-today").n_new  # doctest: +SKIP
    12

    Args:
        model: Folder of a model trained with content.
        items: A table with a row for each item, as for ``with_new_items``.
        out: The folder to write; missing parent folders are created. It may be that of the model.
        item_vectors: File with the vectors of the new items, if the model was trained with one.
        overwrite: Replace a model that is already there.

    Returns:
        The folder, and numbers of items. The folder's ``metrics.json`` says from which model it was
        made (``lineage``).

    Raises:
        ModelError: The model cannot be loaded or was not trained with content, or the folder cannot
            be written.
        DataError: The table or the vectors cannot be used, or have no new item.
    """  # raised by the parts
    target = Path(out).expanduser()
    check_target(target, overwrite=overwrite)
    folder = Path(model).expanduser()
    manifest = read_without_weights(folder).manifest
    before = load(folder)
    longer = with_new_items(before, items, item_vectors)
    digest = None if manifest is None else manifest.digest
    steps = with_origin(steps_of(longer.metrics), folder, digest)
    replace(longer, metrics={**longer.metrics, "lineage": steps}).save(target, overwrite=overwrite)
    return Extended(Path(out), len(longer.items) - len(before.items), len(longer.items))
