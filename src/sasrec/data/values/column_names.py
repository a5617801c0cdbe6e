"""Names of columns that are recognised as those of users, items or times."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import SequenceMatcher

from sasrec.settings.data import DataSettings

MIN_SIMILARITY = 0.8
"""Names at least this similar are taken for misspellings, such as ``timestmap``."""
TIME_WORDS = {
    "time",
    "date",
    "datetime",
    "timestamp",
    "ts",
    "epoch",
    "when",
    "dt",
    "dat",
    "timeframe",
    "datum",
    "zeit",
    "zeitpunkt",
    "zeitstempel",
    "bestelldatum",
    "kaufdatum",
    "rechnungsdatum",
}
QUALIFIERS = {
    *("at", "on", "in", "of", "the", "utc", "gmt", "local", "server", "client", "unix", "epoch"),
    *("event", "review", "rating", "rate", "rated", "interaction", "action", "activity", "click"),
    *("clicked", "view", "viewed", "visit", "visited", "purchase", "purchased", "buy", "bought"),
    *("order", "ordered", "transaction", "trans", "tx", "request", "log", "logged", "record"),
    *("recorded", "created", "create", "creation", "added", "occurred", "happened", "start"),
    *("invoice", "sale", "sales", "sold", "payment", "basket", "stamp", "watch", "updated", "t"),
    *("started", "begin", "play", "played", "listened", "watched", "read", "s", "ms", "us", "ns"),
    *("sec", "seconds", "millis", "iso", "str", "session", "checkin", "timestamp", "time", "date"),
}
"""Words that a time column may have beside one of ``TIME_WORDS`` (``unixReviewTime``), or before
``at``."""
EPOCHS = {"unix", "epoch", "timestamp"}
"""Words of columns whose times are numbers."""
ENDINGS = ("timestamp", "datetime", "time", "date", "at")
"""Second halves of words that are two words joined together: ``reviewtime``, ``createdat``."""
DURATIONS = {"play time", "view time", "session time", "read time", "watch time"}
"""Combinations of these words that more likely name a duration."""

USERS = (
    {
        *("user", "customer", "client", "member", "visitor", "reviewer", "person", "buyer"),
        *("shopper", "uid", "userid", "username", "account", "subscriber", "listener", "viewer"),
        *("reader", "player", "student", "patient", "guest", "household", "traveler", "traveller"),
        *("cust", "profile", "email", "msno"),
        *("kunde", "kunden", "kundennummer", "kundennr", "kundenid", "nutzer", "benutzer"),
    },
    {"cookie", "device", "fingerprint", "browser", "visit"},
    {"session", "sess", "sid"},
)
"""Words for users; those of an earlier set are likelier."""
ITEMS = (
    {
        *("item", "product", "movie", "film", "article", "sku", "asin", "stock", "book", "isbn"),
        *("song", "track", "video", "game", "business", "venue", "poi", "restaurant", "hotel"),
        *("anime", "news", "document", "doc", "course", "job", "app", "recipe", "merchandise"),
        *("gtin", "ean", "upc", "show", "podcast", "listing", "beer", "goods", "prod", "gmap"),
        *("iid", "itemid", "pid", "aid"),
        *("artikel", "artikelnummer", "artikelnr", "artikelid", "produkt"),
    },
    {"artist", "album", "title", "place", "location", "content", "offer", "page", "url"},
    {"description"},
)
IDS = (
    {"id", "ids", "code", "number", "no", "nr", "num", "key", "index", "idx", "hash", "uuid"}
    | {"guid", "ref", "unique", "nummer"},
    {"name", "parent"},
)
"""Words beside those, for ids; and words for descriptions, which come after ids."""
JOINED = re.compile(
    r"(user|customer|client|member|visitor|reviewer|session|item|product|movie|film|article|book|"
    r"song|track|video|game|business|venue|stock|anime|artist|content|document)"
    r"(id|ids|code|no|number|key|name|title)"
)
"""Two words written as one in lower case, such as ``visitorid``."""


def likely_users(names: Collection[str]) -> list[str]:
    """Return the column names that look like those of users, the most likely first.

    >>> likely_users(["InvoiceNo", "CustomerID", "session_id"])
    ['CustomerID', 'session_id']

    Args:
        names: Names of columns.
    """
    return _likely(names, USERS)


def likely_items(names: Collection[str]) -> list[str]:
    """Return the column names that look like those of items, the most likely first.

    >>> likely_items(["Description", "StockCode", "product_category_id", "parent_asin"])
    ['StockCode', 'parent_asin', 'Description']

    Args:
        names: Names of columns.
    """
    return _likely(names, ITEMS)


def _likely(names: Collection[str], ranks: tuple[set[str], ...]) -> list[str]:
    """Return names that have one of some words and otherwise only words for ids, in order of rank.

    Args:
        names: Names of columns.
        ranks: The words.
    """
    found = [(rank, name) for name in names if (rank := _rank(_words(name), ranks))]
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def _rank(words: list[str], ranks: tuple[set[str], ...]) -> tuple[int, int, int] | None:
    """Return how likely a name is, the lowest first; None if it is no such name."""
    own = [rank for word in words for rank, known in enumerate(ranks) if word in known]
    ids = [rank for word in words for rank, known in enumerate(IDS) if word in known]
    if not own or len(own) + len(ids) < len(words):
        return None
    return max(own), max(ids, default=0), len(own)


def _words(name: str) -> list[str]:
    """Return the words of a name, in lower case: of ``CustomerID``, customer and id."""
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    words = [word.lower() for word in found]
    return [part for word in words for part in _joined_words(word)]


def _joined_words(word: str) -> list[str]:
    parts = JOINED.fullmatch(word)
    return [word] if parts is None else [parts[1], parts[2]]


def likely_times(names: Collection[str]) -> list[str]:
    """Return the column names that look like those of a time column, the most likely first.

    Args:
        names: Names of columns.

    Returns:
        Misspellings of ``timestamp``, then names such as ``created_at`` or ``reviewTime``; those
        that say that they are numbers (``unixReviewTime``) come before the others.
    """
    default = DataSettings().time_column
    similarity = {name: SequenceMatcher(None, _letters(name), default).ratio() for name in names}
    misspelled = [name for name in names if similarity[name] >= MIN_SIMILARITY]
    misspelled.sort(key=similarity.__getitem__, reverse=True)
    others = [name for name in names if name not in misspelled and _names_time(name)]
    return misspelled + sorted(others, key=lambda name: not EPOCHS & set(_words(name)))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names_time(name: str) -> bool:
    words = [part for word in _words(name) for part in _parts(word)]
    if not words or " ".join(words) in DURATIONS:
        return False
    others = [word for word in words if word not in TIME_WORDS]
    if not all(word in QUALIFIERS for word in others):
        return False
    return len(others) < len(words) or (len(words) > 1 and words[-1] in {"at", "on"})


def _parts(word: str) -> list[str]:
    for ending in ENDINGS:
        if word.endswith(ending) and word.removesuffix(ending) in QUALIFIERS:
            return [word.removesuffix(ending), ending]
    return [word]
