"""Reading a whole export: every file is checked against the manifest before it is used."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sasrec_serve.errors import ExportError
from sasrec_serve.exported.arrays import mapped_array
from sasrec_serve.exported.manifest import AGAIN, MANIFEST, Manifest, read_manifest
from sasrec_serve.exported.network import NETWORK, WEIGHTS, Network
from sasrec_serve.exported.serving import SERVING, Serving, serving_of
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.vocabulary import Titles, Vocabulary

VOCABULARY, TITLES, ITEM_COLUMNS = "vocabulary.json", "titles.json", "item_columns.json"
CARD, CHECK = "card.json", "check.json"
VECTORS, TRAINED, POPULARITY = "item_vectors.npy", "trained.npy", "popularity.npy"
TRAINED_USERS = "trained_users.npy"
THREADS = 2
"""Threads that compute hashes while others read the vocabulary."""
ATTEMPTS = 3
"""How often a folder is read again if another export takes its place meanwhile."""


@dataclass(frozen=True, slots=True)
class Export:
    """The contents of an export.

    Attributes:
        manifest: Versions, and the hashes of all files.
        serving: What the network needs.
        network: The network.
        items: Item tokens by number.
        users: User tokens by number; None if the model does not use them.
        titles: Item token to title.
        trained: bool [V], items that the model has learned.
        popularity: int64 [V], event counts that define the most popular items.
        trained_users: bool [U + 1], users that the model has learned; None counts all as learned.
        vectors: The item vectors; None if the network computes scores.
        item_columns: Columns of items for rules: name to ``type`` and ``values``.
        card: Data, settings, metrics and versions of the training.
        check: Some histories with their lists.
    """

    manifest: Manifest
    serving: Serving
    network: Network
    items: Vocabulary
    users: Vocabulary | None
    titles: Titles
    trained: np.ndarray
    popularity: np.ndarray
    trained_users: np.ndarray | None
    vectors: ItemVectors | None
    item_columns: dict[str, Any]
    card: dict[str, Any]
    check: dict[str, Any]


def read_export(folder: Path) -> Export:
    """Return the contents of an export; all files are those that its manifest lists.

    Args:
        folder: The folder.

    Returns:
        The contents. Arrays and weights stay mapped into memory, so the files must not be changed
        in place, but a new folder may take the name.

    Raises:
        ExportError: The folder is not an export, is damaged, incomplete, or of a newer version.
    """
    for attempt in range(ATTEMPTS):
        manifest = read_manifest(folder)
        try:
            found = _read(manifest)
        except ExportError:
            if attempt + 1 == ATTEMPTS or not _was_replaced(manifest):
                raise
            continue
        if not _was_replaced(manifest):  # then all files were read from the same folder
            return found
    raise ExportError(f"{folder} changed while it was read; try again")


def _was_replaced(manifest: Manifest) -> bool:
    try:
        return (manifest.folder / MANIFEST).read_bytes() != manifest.raw
    except OSError:
        return True


def _read(manifest: Manifest) -> Export:
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="sasrec-serve-load")
    try:
        reader = _Reader(manifest, executor)
        try:
            found = reader.export()
        finally:  # if something else is wrong too, a wrong hash says more
            for future in reader.checks:
                future.result()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        path = manifest.folder / reader.name
        raise ExportError(f"{path} is damaged: {reason}; {AGAIN}") from error
    finally:
        executor.shutdown(cancel_futures=True)
    return found


class _Reader:
    """Reads the files of an export; remembers which one it is at, for error messages."""

    def __init__(self, manifest: Manifest, executor: ThreadPoolExecutor) -> None:
        self.manifest, self.name = manifest, SERVING
        self.checks: list[Future[None]] = []
        self._executor = executor

    def export(self) -> Export:
        """Read all files.

        Returns:
            The contents; the hashes of large files are still being computed.

        Raises:
            ValueError: A file is not what ``serving.json`` says.
        """
        folder = self.manifest.folder
        serving = serving_of(self._json(SERVING), str(folder / SERVING))
        rows = serving.n_items + 1
        # Large files first: other threads work on them while the vocabulary is read.
        vectors = self._vectors(rows) if serving.output == "states" else None
        for name in (WEIGHTS, NETWORK):
            if name == NETWORK or name in self.manifest.files:
                self._mapped(name)
        trained = self._array(TRAINED, np.bool_, (rows,))
        popularity = self._array(POPULARITY, np.int64, (rows,))
        trained_users = None
        if TRAINED_USERS in self.manifest.files:
            trained_users = self._array(TRAINED_USERS, np.bool_, (serving.n_users + 1,))
        items, users = self._vocabularies(serving)
        titles = self._optional(TITLES, [])
        if len(titles) not in (0, serving.n_items):
            raise ValueError(f"it has {len(titles)} titles for {serving.n_items} items")
        columns = self._optional(ITEM_COLUMNS, {})
        card, check = self._json(CARD), self._json(CHECK)
        network = Network.load(folder, serving)
        self.name = NETWORK if vectors is None else VECTORS
        prepared = None if vectors is None else vectors.result()
        network.check_width(rows if prepared is None else prepared.values.shape[1])
        return Export(
            manifest=self.manifest,
            serving=serving,
            network=network,
            items=items,
            users=users,
            titles=Titles(items, titles),
            trained=trained,
            popularity=popularity,
            trained_users=trained_users,
            vectors=prepared,
            item_columns=columns,
            card=card,
            check=check,
        )

    def _vectors(self, rows: int) -> Future[ItemVectors]:
        values = self._array(VECTORS, np.float32, (rows, -1))
        return self._executor.submit(ItemVectors.of, values)

    def _vocabularies(self, serving: Serving) -> tuple[Vocabulary, Vocabulary | None]:
        """Return items and users.

        Raises:
            ValueError: There is not one token for each, or a token is not a text.
        """
        content = self._json(VOCABULARY)
        cleanings = serving.data.get("clean_tokens") or ()
        found: list[Vocabulary | None] = []
        for key, count in (("items", serving.n_items), ("users", serving.n_users)):
            tokens = content.get(key)
            if tokens is None and key == "users":
                found.append(None)
                continue
            if len(tokens) != count:
                raise ValueError(f"it has {len(tokens)} {key} and {SERVING} says {count}")
            if set(map(type, tokens)) - {str}:
                raise ValueError(f"a token of {key} is not a text")
            found.append(Vocabulary(tokens, cleanings))
        items, users = found
        return items, users  # type: ignore[return-value]  # there are always items

    def _json(self, name: str) -> Any:
        self.name = name
        return self.manifest.json(name)

    def _optional(self, name: str, default: Any) -> Any:
        return self._json(name) if name in self.manifest.files else default

    def _mapped(self, name: str) -> Any:
        self.name = name
        mapped, check = self.manifest.mapped(name, self._executor)
        self.checks.append(check)
        return mapped

    def _array(self, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
        return mapped_array(self._mapped(name), dtype, shape)
