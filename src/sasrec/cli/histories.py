"""The histories given to recommend and explain: as item lists, by user, or in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.errors import DataError, counted, did_you_mean
from sasrec.system.json_limits import json_within_limits

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.data.vocabulary import Vocabulary
    from sasrec.recommender.recommender import Recommender
    from sasrec.settings.files import Layer

LONGEST_LINE = 2**24
"""Maximum number of characters in a line of a file."""
MOST_COMPARED = 10_000
"""Number of users among whom an id similar to an unknown one is searched for."""
FIRST_CHECK = 1000
"""Number of tokens of a file after which the share of known tokens is first checked."""
LEAST_KNOWN = 0.05
"""Smallest share of known tokens in a file; below it, the file is probably in another format."""
SEPARATORS = {",": "','", ";": "';'", "|": "'|'", "\t": "a tab", " ": "a space", ":": "':'"}
"""Separators that a file may use by mistake, and their names in messages."""


@dataclass(frozen=True, slots=True)
class Request:
    """A history to make recommendations for.

    Attributes:
        name: Label in the output, such as ``user 42``.
        tokens: Items of the history, oldest first.
        note: User features from the data, such as ``age 49``; may be empty.
        times: Timestamp of each event, or None if unknown.
        user: User id in the data, or None.
        types: Type of each event, None where it is unknown; None if the data have no types.
    """

    name: str
    tokens: list[str]
    note: str = ""
    times: list[float] | None = None
    user: str | None = None
    types: list[str | None] | None = None


def requests_for(
    recommender: Recommender,
    histories: list[str],
    users: list[str],
    data: str | None,
    *,
    corpus: Corpus | None = None,
    layers: Sequence[Layer] = (),
) -> list[Request]:
    """Return requests for the histories of --history, then for the users of --user.

    Args:
        recommender: The model.
        histories: Item tokens separated by commas.
        users: User ids.
        data: Where users are looked up; None takes the training data.
        corpus: The data, if already loaded.
        layers: Settings of data that differ from those of the training.

    Returns:
        One request for each history and user, in this order.
    """
    requests = [Request(f"history {text}", tokens_in(text)) for text in histories]
    if users:
        requests += _user_requests(recommender, users, data, corpus=corpus, layers=layers)
    return requests


def tokens_in(text: str) -> list[str]:
    """Return the tokens of a comma-separated list; spaces around them are removed.

    Args:
        text: Such as ``i1, i2``.

    Returns:
        The tokens, without empty ones.
    """
    return [token.strip() for token in text.split(",") if token.strip()]


def _user_requests(
    recommender: Recommender,
    users: list[str],
    data: str | None,
    *,
    corpus: Corpus | None,
    layers: Sequence[Layer],
) -> list[Request]:
    from sasrec.data.corpus import type_names
    from sasrec.data.sources import user_features
    from sasrec.experiment.data_reading import settings_for
    from sasrec.experiment.known_data import load_with_any_types, source_for, told_remarks

    settings = settings_for(recommender, data, layers)
    source = str(source_for(recommender, data))
    if corpus is None:
        told = told_remarks(recommender)
        corpus = load_with_any_types(source, settings, fetch_progress(), told=told)
    notes = user_features(source, settings, users)
    requests: list[Request] = []
    for user, number in zip(users, corpus.users.numbers(users), strict=True):
        if number == 0:
            near = did_you_mean(user, corpus.users.entries[:MOST_COMPARED].to_list())
            hint = near or "; choose a user of these data, or other data with --data"
            raise DataError(f"user {user!r} is not in {source}{hint}")
        begin, end = corpus.sequences.offsets[number - 1 : number + 1]
        tokens = corpus.items.tokens(corpus.sequences.items[begin:end])
        times = corpus.sequences.times
        own_times = None if times is None else times[begin:end].tolist()
        note, types = notes.get(user, ""), type_names(corpus, begin, end)
        requests.append(Request(f"user {user}", tokens, note, own_times, user, types))
    return requests


def file_requests(path: Path, items: Vocabulary, *, allow_unknown: bool) -> Iterator[Request]:
    """Read a file of histories line by line.

    Args:
        path: The file; ``~`` is expanded.
        items: Items the model knows.
        allow_unknown: Accept a file even if the model knows almost none of its items.

    Yields:
        One request per line.

    Raises:
        DataError: The file cannot be read, or the model knows almost none of its items.
    """
    path = expanded(path)
    counts = TokenCounts(items)
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                where = f"{path}, line {number}"
                if len(line) == LONGEST_LINE:
                    raise DataError(
                        f"{where} has more than {LONGEST_LINE:,} characters; write one history "
                        "per line"
                    )
                tokens = _line_tokens(line.rstrip("\n").rstrip("\r"), where)
                if not allow_unknown:
                    is_first = counts.total < FIRST_CHECK
                    counts.add(tokens, where)
                    if is_first and counts.total >= FIRST_CHECK:
                        counts.check(path)
                yield Request(f"{path.name}, line {number}", tokens)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    if not number:
        raise DataError(
            f"{path} is empty; write one history per line (a blank line is an empty history)"
        )
    counts.check(path)


def _line_tokens(line: str, where: str) -> list[str]:
    if not line.lstrip().startswith(("[", "{", '"')):
        return line.split()
    try:
        tokens = json_within_limits(line)
        json.dumps(tokens, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: not a valid JSON list ({error}); write item tokens as in "
            '["i1", "i2"], or separated by spaces'
        ) from error
    if not isinstance(tokens, list) or not all(type(token) in {str, int} for token in tokens):
        raise DataError(
            f"{where}: a history must be a list of item tokens (strings or whole numbers)"
        )
    return [str(token) for token in tokens]


@dataclass(slots=True)
class TokenCounts:
    """Counts tokens the model knows, and unknown ones that a wrong separator would explain.

    Attributes:
        items: Items the model knows.
        total: Number of tokens.
        known: Number of known tokens.
        example: The first unknown token, and where it was found.
        splits: Separator to the number of unknown tokens that it splits into known items.
    """

    items: Vocabulary
    total: int = 0
    known: int = 0
    example: str = ""
    splits: dict[str, int] = field(default_factory=dict)

    def add(self, tokens: list[str], where: str) -> None:
        """Count the tokens of a history.

        Args:
            tokens: The tokens.
            where: Where they were found, for messages.
        """
        self.total += len(tokens)
        for token in tokens:
            if token in self.items:
                self.known += 1
                continue
            self.example = self.example or f"{token[:60]!r} ({where})"
            for mark in SEPARATORS:
                if mark in token and any(part.strip() in self.items for part in token.split(mark)):
                    self.splits[mark] = self.splits.get(mark, 0) + 1

    @property
    def separator(self) -> str:
        """The separator that explains most unknown tokens, or an empty string."""
        return max(self.splits, key=self.splits.__getitem__) if self.splits else ""

    def looks_wrong(self) -> bool:
        """Return whether almost no token is known, or a separator explains most unknown ones."""
        unknown = self.total - self.known
        explained = self.splits.get(self.separator, 0)
        return bool(unknown) and (
            self.known < LEAST_KNOWN * self.total
            or (explained > unknown / 2 and unknown > LEAST_KNOWN * self.total)
        )

    def summary(self) -> str:
        """Return a sentence on how many tokens are known, with examples."""
        [one] = self.items.tokens([1])
        guess = f"; is {SEPARATORS[self.separator]} the separator?" if self.separator else ""
        share = "none" if not self.known else f"only {self.known:,}"
        return (
            f"the model knows {share} of {counted(self.total, 'item token')}; an unknown one is "
            f"{self.example}, a known one is {one!r}{guess}"
        )

    def check(self, path: Path) -> None:
        """Raise an error if a file probably does not contain histories for this model.

        Args:
            path: The file.

        Raises:
            DataError: The counts look wrong.
        """
        if self.looks_wrong():
            raise DataError(
                f"{path}: {self.summary()}{'' if self.separator else '.'} Write one history per "
                "line, either as tokens separated by spaces or as a JSON list; to use the file "
                "as it is, add --allow-unknown"
            )
