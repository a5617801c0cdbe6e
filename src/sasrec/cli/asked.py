"""Asked: the histories that recommend and explain are given, as words, of users or in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.errors import DataError, did_you_mean
from sasrec.system.json_limits import json_within_limits

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.data.vocabulary import Vocabulary
    from sasrec.recommender.recommender import Recommender

Histories = Annotated[
    list[str] | None,
    typer.Option(metavar="ITEM,…", help="Items, oldest first. May be repeated."),
]
Users = Annotated[
    list[str] | None,
    typer.Option(metavar="USER", help="A user of the data. May be repeated."),
]
LONGEST_LINE = 2**24
"""Characters."""
MOST_COMPARED = 10_000
"""Users among whom one of nearly the same name is looked for."""
LOOKED_AT = 1000
"""Tokens of a file after which it is judged for the first time."""
HARDLY_ANY = 0.05
"""Share of known tokens below which a file is not what it was taken for."""
SEPARATORS = {",": "','", ";": "';'", "|": "'|'", "\t": "a tab", " ": "a space", ":": "':'"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody to recommend for.

    Attributes:
        name: What to call them.
        tokens: Their history, oldest first.
        note: What the data say of them, such as ``age 49``; may be empty.
        times: When each event was, or None if that is not known.
        user: Their token in the data, or None.
    """

    name: str
    tokens: list[str]
    note: str = ""
    times: list[float] | None = None
    user: str | None = None


def asked_histories(
    recommender: Recommender,
    histories: list[str],
    users: list[str],
    data: str | None,
    corpus: Corpus | None = None,
) -> list[Asked]:
    """Return the histories given as words, then those of users of the data.

    Args:
        recommender: Which model is asked.
        histories: Item tokens with commas between.
        users: Tokens of users.
        data: Where these are looked up; None takes the training data.
        corpus: What is there, if it has been read already.

    Returns:
        The histories.
    """
    asked = [Asked(f"history {text}", tokens_in(text)) for text in histories]
    if users:
        asked += _user_histories(recommender, users, data, corpus)
    return asked


def tokens_in(text: str) -> list[str]:
    """Return the tokens of a text with commas between.

    Args:
        text: As written.

    Returns:
        The tokens.
    """
    return [token.strip() for token in text.split(",") if token.strip()]


def _user_histories(
    recommender: Recommender, users: list[str], data: str | None, corpus: Corpus | None
) -> list[Asked]:
    from sasrec.data.sources import load_corpus, user_notes
    from sasrec.experiment.evaluate import trained_on
    from sasrec.settings.data import DataSettings

    settings = DataSettings(**recommender.settings["data"])
    source = data if data is not None else trained_on(recommender)
    if corpus is None:
        corpus = load_corpus(source, settings, fetch_progress())
    notes = user_notes(source, settings, users)
    histories: list[Asked] = []
    for token, number in zip(users, corpus.users.numbers(users), strict=True):
        if number == 0:
            near = did_you_mean(token, corpus.users.entries[:MOST_COMPARED].to_list())
            raise DataError(f"no user {token!r} in {source}{near}")
        begin, end = corpus.sequences.offsets[number - 1 : number + 1]
        events = corpus.items.tokens(corpus.sequences.items[begin:end])
        times = corpus.sequences.times
        moments = None if times is None else times[begin:end].tolist()
        histories.append(Asked(f"user {token}", events, notes.get(token, ""), moments, token))
    return histories


def file_histories(path: Path, items: Vocabulary, *, allow_unknown: bool) -> Iterator[Asked]:
    """Read a file of histories, a line at a time.

    Args:
        path: As written.
        items: What the model knows.
        allow_unknown: Whether the file may be of items the model does not know.

    Yields:
        A history a line.

    Raises:
        DataError: It cannot be read, or hardly any of its items is known.
    """
    path = expanded(path)
    met = Acquaintance(items)
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                where = f"{path}, line {number}"
                if len(line) == LONGEST_LINE:
                    raise DataError(f"{where} has more than {LONGEST_LINE:,} characters")
                tokens = _line_tokens(line.rstrip("\n").rstrip("\r"), where)
                if not allow_unknown:
                    is_first = met.total < LOOKED_AT
                    met.meet(tokens, where)
                    if is_first and met.total >= LOOKED_AT:
                        met.check(path)
                yield Asked(f"{path.name}, line {number}", tokens)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    if not number:
        raise DataError(f"{path} is empty; a history is a line, and an empty one a blank line")
    met.check(path)


def _line_tokens(line: str, where: str) -> list[str]:
    if not line.lstrip().startswith(("[", "{", '"')):
        return line.split()
    try:
        tokens = json_within_limits(line)
        json.dumps(tokens, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: no JSON list ({error})") from error
    if not isinstance(tokens, list) or not all(type(token) in {str, int} for token in tokens):
        raise DataError(f"{where}: a history is a list of item tokens (texts or whole numbers)")
    return [str(token) for token in tokens]


@dataclass(slots=True)
class Acquaintance:
    """Counts which tokens a model knows, and which it would know if they were cut otherwise."""

    items: Vocabulary
    total: int = 0
    known: int = 0
    example: str = ""
    cut: dict[str, int] = field(default_factory=dict)

    def meet(self, tokens: list[str], where: str) -> None:
        """Count some tokens.

        Args:
            tokens: Of a history.
            where: Where they stand.
        """
        self.total += len(tokens)
        for token in tokens:
            if token in self.items:
                self.known += 1
                continue
            self.example = self.example or f"{token[:60]!r} ({where})"
            for mark in SEPARATORS:
                if mark in token and any(part.strip() in self.items for part in token.split(mark)):
                    self.cut[mark] = self.cut.get(mark, 0) + 1

    @property
    def separator(self) -> str:
        """What most unknown tokens could be cut at, or an empty text."""
        return max(self.cut, key=self.cut.__getitem__) if self.cut else ""

    def is_strange(self) -> bool:
        """Return whether hardly anything is known, or most of the rest if it were cut otherwise."""
        unknown = self.total - self.known
        most = self.cut.get(self.separator, 0)
        return bool(unknown) and (
            self.known < HARDLY_ANY * self.total
            or (most > unknown / 2 and unknown > HARDLY_ANY * self.total)
        )

    def told(self) -> str:
        """Return in words what was met, with examples."""
        [one] = self.items.tokens([1])
        likely = f"; is {SEPARATORS[self.separator]} the separator?" if self.separator else ""
        share = "none" if not self.known else f"only {self.known:,}"
        tokens = "token" if self.total == 1 else "tokens"
        return (
            f"the model knows {share} of {self.total:,} item {tokens} and not {self.example}, for "
            f"one; among those it knows is {one!r}{likely}"
        )

    def check(self, path: Path) -> None:
        """Refuse a file that is not what it was taken for.

        Args:
            path: The file.

        Raises:
            DataError: Hardly anything in it is known.
        """
        if self.is_strange():
            raise DataError(
                f"{path}: {self.told()}{'' if self.separator else '.'} A line is a history, read "
                "as tokens with spaces between them, or as a JSON list; write it so, or go on "
                "with --allow-unknown"
            )
