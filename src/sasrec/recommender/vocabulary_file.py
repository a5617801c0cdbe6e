"""``vocabulary.json`` of a model folder: item and user tokens, and facts about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import ModelError
from sasrec.recommender.folder import VOCABULARY


@dataclass(frozen=True, slots=True)
class VocabularyFile:
    """Contents of the file.

    Attributes:
        items: Item tokens by number.
        counts: int64 [V], training events of each item.
        titles: Item token to title; may be empty.
        users: User tokens by number; None if the model does not use them.
        recent: int64 [V], the latest training events of each item, if saved.
        learned: bool [V], items the model has learned, if saved.
        learned_users: bool [U + 1], users the model has learned, if saved.
        event_types: Names of the types of events, number 1 first; empty if the model uses none.
    """

    items: Vocabulary
    counts: np.ndarray
    titles: dict[str, str]
    users: Vocabulary | None
    recent: np.ndarray | None
    learned: np.ndarray | None
    learned_users: np.ndarray | None
    event_types: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the contents in types JSON has, without what is None."""
        items = self.items.entries.to_list()
        content: dict[str, Any] = {
            "items": items,
            "counts": self.counts[1:].tolist(),
            "titles": {item: self.titles[item] for item in items if item in self.titles},
        }
        if self.recent is not None:
            content["recent"] = self.recent[1:].tolist()
        if self.learned is not None:
            content["learned"] = self.learned[1:].tolist()
        if self.users is not None:
            content["users"] = self.users.entries.to_list()
        if self.learned_users is not None:
            content["learned_users"] = self.learned_users[1:].tolist()
        if self.event_types:
            content["event_types"] = list(self.event_types)
        return content


def vocabulary_from_json(content: dict[str, Any]) -> VocabularyFile:
    """Return the contents of the file from its JSON.

    Args:
        content: What ``as_json`` returned.

    Returns:
        The contents; ``users`` is empty if none were saved.

    Raises:
        ModelError: A value has the wrong type, or a list the wrong length.
    """
    items, counts, titles = content["items"], content["counts"], content["titles"]
    if not isinstance(items, list) or not all(isinstance(token, str) for token in items):
        raise ModelError("'items' is not a list of tokens")
    counts = _counts(counts, "counts", len(items))
    if not all(isinstance(title, str) for title in titles.values()):
        raise ModelError("'titles' contains a value that is not text")
    for text in (*items, *titles.values()):
        text.encode()  # raises for lone surrogates, which could not be printed
    vocabulary = Vocabulary(items)
    recent = _counts(content["recent"], "recent", len(items)) if "recent" in content else None
    learned = _flags(content, "learned", len(vocabulary), "items")
    users = _users(content)
    return VocabularyFile(
        items=vocabulary,
        counts=counts,
        titles=dict(titles),
        users=users,
        recent=recent,
        learned=learned,
        learned_users=_flags(content, "learned_users", len(users), "users"),
        event_types=_event_types(content),
    )


def _counts(counts: Any, name: str, n_items: int) -> np.ndarray:
    """Return counts of items, int64 [V].

    Raises:
        ModelError: They are not counts, or there is not one for each item.
    """
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        raise ModelError(f"{name!r} is not a list of whole numbers of at least 0")
    if len(counts) != n_items:
        raise ModelError(f"{VOCABULARY} holds {n_items} items and {len(counts)} {name}")
    return np.array([0, *counts], dtype=np.int64)


def _flags(content: dict[str, Any], name: str, count: int, entries: str) -> np.ndarray | None:
    """Return which items or users the model has learned, bool [count + 1], if saved.

    Raises:
        ModelError: The flags are not booleans, or there is not one for each entry.
    """
    if name not in content:
        return None
    flags = content[name]
    if not isinstance(flags, list) or not all(type(each) is bool for each in flags):
        raise ModelError(f"{name!r} is not a list of true and false")
    if len(flags) != count:
        raise ModelError(f"{VOCABULARY} holds {count} {entries} and {len(flags)} of {name!r}")
    return np.array([False, *flags])


def _event_types(content: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the event types.

    Raises:
        ModelError: They are not a list of distinct texts.
    """
    names = content.get("event_types", [])
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not is_list or len(set(names)) < len(names):
        raise ModelError("'event_types' is not a list of distinct names")
    for name in names:
        name.encode()  # raises for lone surrogates, which could not be printed
    return tuple(names)


def _users(content: dict[str, Any]) -> Vocabulary:
    users = content.get("users", [])
    if not isinstance(users, list) or not all(isinstance(token, str) for token in users):
        raise ModelError("'users' is not a list of tokens")
    return Vocabulary(users)
