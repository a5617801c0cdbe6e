"""What a recommender returns: the recommended items for a history, and similar items."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The recommended items for one history.

    Attributes:
        items: Item tokens, best first; items with equal scores are in vocabulary order.
        scores: Their scores, which are comparable only within one list.
        unknown: Tokens of the history that were skipped because the model does not know them, or
            because they occur in no training event.
        by_popularity: Whether the list is the most popular items of recent training events,
            because the model could not use the history.
        untrained: Recommended items that occur in no training event, so that their scores are
            meaningless; only candidates can be untrained.
        filled_up: The last items of the list, if the rules left too few and it was filled up by
            popularity.
    """

    items: list[str]
    scores: list[float]
    unknown: list[str]
    by_popularity: bool
    untrained: list[str] = field(default_factory=list)
    filled_up: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SimilarItems:
    """The items most similar to an item.

    Attributes:
        item: The token asked about.
        items: Tokens of the similar items, the most similar first; without the item itself.
        scores: Cosines of their vectors with the item's, -1 to 1.
        recall: Share of the true neighbours that the search finds; 1, as the search is exact.
    """

    item: str
    items: list[str]
    scores: list[float]
    recall: float = 1.0
