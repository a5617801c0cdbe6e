"""extend: adds new items, known by their content, to a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.options import SavedModel
from sasrec.cli.output_paths import expanded
from sasrec.errors import counted, printable

NewItems = Annotated[
    Path,
    typer.Option(
        "--items",
        metavar="FILE",
        help="File with a row per item: the item and the content columns of the training.",
        show_default=False,
    ),
]
ItemVectors = Annotated[
    Path | None,
    typer.Option(
        "--item-vectors",
        metavar="FILE",
        help="Vectors of the new items, if the model was trained with item_vectors.",
    ),
]
ModelOut = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write.", show_default=False),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Replace a model in that folder.")
]


def extend(
    model: SavedModel,
    items: NewItems,
    out: ModelOut,
    item_vectors: ItemVectors = None,
    overwrite: Overwrite = False,
) -> None:
    """Add new items to a model trained with content, without training.

    Items that the model knows already are not changed.
    'sasrec info' shows from which model and table the folder was made.
    """
    from sasrec.recommender.extend import extend as extend_model

    vectors = None if item_vectors is None else expanded(item_vectors)
    found = extend_model(
        expanded(model),
        expanded(items),
        out=expanded(out),
        item_vectors=vectors,
        overwrite=overwrite,
    )
    print(
        printable(
            f"{counted(found.n_new, 'new item')} added; {found.folder} has "
            f"{counted(found.n_items, 'item')}"
        )
    )
