"""A model that is served: everything that answers need, so that none mixes two models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec_serve.server.item_search import ItemSearch
from sasrec_serve.server.operator_files import Stamp, files_of, stamps_of
from sasrec_serve.server.prepared_book import PreparedBook

if TYPE_CHECKING:
    from sasrec_serve.recommender import Recommender


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A loaded model with what the server adds to it.

    Attributes:
        recommender: The model.
        folder: The folder it was loaded from, without symbolic links.
        search: Finds items by title.
        rules: Rules that requests can use, looked up for this model.
        files: The operator's files that were read for it, as they were then.
        loaded: When it was loaded, in seconds since 1970.
    """

    recommender: Recommender
    folder: Path
    search: ItemSearch
    rules: PreparedBook
    files: Mapping[Path, Stamp] = field(default_factory=dict)
    loaded: float = field(default_factory=time.time)

    @property
    def digest(self) -> str:
        """Hash of all files of the export; every answer has it."""
        return self.recommender.digest

    def entry(self, item: str, score: float) -> dict[str, Any]:
        """Return an item of a list as it is written in answers.

        Args:
            item: The item.
            score: Its score; NaN becomes null.
        """
        finite = score if score == score else None  # NaN is not equal to itself
        return {"item": item, "title": self.recommender.titles.get(item), "score": finite}


def load_served(
    folder: Path,
    *,
    threads: int = 1,
    approximate: bool = False,
    rules_file: Path | None = None,
    items_file: Path | None = None,
) -> Served:
    """Load an export to serve it.

    Args:
        folder: The folder of the export.
        threads: Threads of a search among many items, 1 or 2.
        approximate: Search with an index, which is built now.
        rules_file: The operator's sets of rules; None for none.
        items_file: Table with a row for each item, for rules; None for that of the export.

    Returns:
        The model.

    Raises:
        ExportError: The folder is no export, is damaged, or fails its own check.
        SettingsError: A rule does not fit the model.
        DataError: A table or a list of items cannot be read.
    """  # raised by load
    from sasrec_serve.loading import load
    from sasrec_serve.rules.switches import RuleSwitches

    folder = folder.resolve()
    recommender = load(folder, threads=threads, approximate=approximate)
    order = recommender.catalogue.by_popularity
    search = ItemSearch(recommender.items.entries, recommender.titles, order)
    files = stamps_of([rules_file, items_file])
    switches = RuleSwitches() if rules_file is None else RuleSwitches.from_file(rules_file)
    files |= stamps_of(files_of(switches))
    book = PreparedBook(recommender, switches, items_file)
    return Served(recommender, folder, search, book, files)
