"""Neighbours: the items with the most similar vectors, exact or through USearch.

Similarity is the cosine of two item vectors, not their dot product, which is the model's score of
an item after a history. The vectors of popular items are often long, so by dot product the same
popular items would be the neighbours of almost every item. For models that score by cosine, both
give the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sasrec.errors import SettingsError
from sasrec.evaluation.block_leaders import candidates_by_blocks, padded_width
from sasrec.evaluation.top_items import ROUNDING, positions_in_row, products, ranking_order
from sasrec.recommender.in_order import in_order

if TYPE_CHECKING:
    from usearch.index import Index

SCORE_BYTES, MOST_ROWS, FEWEST_ROWS = 2**22, 64, 16
"""Largest matrix of cosines in bytes, and limits of its number of rows."""
PIECE_ROWS = 2048
"""Rows whose neighbours one thread searches at a time."""
RECALL_ITEMS = 1000
"""Number of items whose neighbours are also searched exactly, to measure recall."""
SEED = 2026
"""Seed of the choice of these items."""
EXPANSION = 128
"""Candidates that USearch keeps while it builds and searches; its own default is 64 or 128. More
find more of the true neighbours and take longer."""


@dataclass(frozen=True, slots=True)
class FlatNeighbours:
    """The nearest rows of a table to some of its rows.

    Attributes:
        owners: int64 [n], index of the query, ascending.
        rows: int64 [n], neighbouring rows, the most similar first for each query.
        cosines: float32 [n], -1 to 1.
        recall: Share of the true neighbours that were found, measured on a sample; 1 if the search
            is exact.
    """

    owners: np.ndarray
    rows: np.ndarray
    cosines: np.ndarray
    recall: float = 1.0


def unit_vectors(vectors: Tensor) -> Tensor:
    """Return vectors divided by their lengths, float32 [n, d]; zeros stay zeros.

    Args:
        vectors: float [n, d].
    """
    return torch.nn.functional.normalize(vectors.float(), dim=1)


def exact_neighbours(units: Tensor, queries: np.ndarray, k: int) -> FlatNeighbours:
    """Compare some rows of a table with all others, block by block.

    The order is that of cosines in double precision, so it does not depend on the blocks; equal
    cosines are ordered by row.

    Args:
        units: float32 [n, d], vectors of length one.
        queries: int64 [m], rows to find the neighbours of; a row is not its own neighbour.
        k: Number of neighbours, from 1; fewer are returned if there are fewer rows.

    Returns:
        The neighbours.
    """

    def compared(piece: tuple[int, int]) -> FlatNeighbours:
        found = _compared(units, queries[slice(*piece)], k)
        return FlatNeighbours(found.owners + piece[0], found.rows, found.cosines)

    ends = range(PIECE_ROWS, len(queries) + PIECE_ROWS, PIECE_ROWS)
    pieces = ((end - PIECE_ROWS, min(end, len(queries))) for end in ends)
    parts = list(in_order(compared, pieces, units.device))
    return FlatNeighbours(
        _joined([each.owners for each in parts], np.int64),
        _joined([each.rows for each in parts], np.int64),
        _joined([each.cosines for each in parts], np.float32),
    )


@torch.inference_mode()
def _compared(units: Tensor, queries: np.ndarray, k: int) -> FlatNeighbours:
    width = padded_width(len(units))
    size = min(MOST_ROWS, max(FEWEST_ROWS, SCORE_BYTES // (4 * width)))
    matrix = torch.full((min(size, len(queries)), width), -torch.inf, device=units.device)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for begin in range(0, len(queries), size):
        which = torch.from_numpy(queries[begin : begin + size]).to(units.device)
        some, cosines = units[which], matrix[: len(which)]
        torch.mm(some, units.T, out=cosines[:, : len(units)])
        cosines[torch.arange(len(which)), which] = -torch.inf
        margin = torch.full((len(which),), ROUNDING, device=units.device)
        found = candidates_by_blocks(cosines, k, margin)
        exact = products(some, found.rows, units, found.items)
        rows, items = found.rows.cpu().numpy(), found.items.cpu().numpy()
        parts.append((rows + begin, items, exact.cpu().numpy()))
    return _best(*(np.concatenate(each) for each in zip(*parts, strict=True)), k=k)


def _joined(parts: list[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)


def approximate_neighbours(units: Tensor, queries: np.ndarray, k: int) -> FlatNeighbours:
    """Find neighbours with a graph index of USearch, in time that hardly grows with the table.

    Args:
        units: float32 [n, d], vectors of length one.
        queries: int64 [m], rows to find the neighbours of.
        k: Number of neighbours, from 1.

    Returns:
        The neighbours that were found, and their recall, measured on 1,000 rows, or
        on all if there are fewer.

    Raises:
        SettingsError: USearch is not installed.
    """
    index = _index(units)
    found = _searched(index, units, queries, k)
    sample = np.sort(np.random.default_rng(SEED).permutation(len(units))[:RECALL_ITEMS])
    truth = exact_neighbours(units, sample, k)
    recall = _shared(_searched(index, units, sample, k), truth) / max(len(truth.rows), 1)
    return FlatNeighbours(found.owners, found.rows, found.cosines, recall)


def _index(units: Tensor) -> Index:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise SettingsError(
            f"the approximate search needs USearch, which cannot be imported ({error}); install "
            "it with: pip install 'sasrec[search]'"
        ) from error
    index = Index(
        ndim=units.shape[1],
        metric="cos",
        dtype="f32",
        expansion_add=EXPANSION,
        expansion_search=EXPANSION,
    )
    index.add(np.arange(len(units)), units.cpu().numpy(), threads=torch.get_num_threads())
    return index


def _searched(index: Index, units: Tensor, queries: np.ndarray, k: int) -> FlatNeighbours:
    """Return what the index finds, with exact cosines."""
    wanted = min(k + 1, len(units))  # one of them is the query itself
    asked = units[torch.from_numpy(queries).to(units.device)].cpu().numpy()
    matches: Any = index.search(asked, wanted, threads=torch.get_num_threads())
    keys = np.asarray(matches.keys).reshape(len(queries), -1).astype(np.int64)
    counts = np.asarray(matches.counts).reshape(-1, 1)
    real = (np.arange(keys.shape[1]) < counts) & (keys != queries[:, None])
    owners, places = np.nonzero(real)
    rows = keys[owners, places]
    pairs = torch.from_numpy(queries[owners]), torch.from_numpy(rows)
    exact = products(units.cpu(), pairs[0], units.cpu(), pairs[1]).numpy()
    return _best(owners, rows, exact, k=k)


def _best(owners: np.ndarray, rows: np.ndarray, exact: np.ndarray, *, k: int) -> FlatNeighbours:
    order = ranking_order(owners, rows, exact)
    best = order[positions_in_row(owners) < k]
    return FlatNeighbours(owners[best], rows[best], exact[best].astype(np.float32))


def _shared(found: FlatNeighbours, truth: FlatNeighbours) -> int:
    """Return how many of the true neighbours were found."""
    n = int(max(found.rows.max(initial=0), truth.rows.max(initial=0))) + 1
    return int(np.isin(truth.owners * n + truth.rows, found.owners * n + found.rows).sum())
