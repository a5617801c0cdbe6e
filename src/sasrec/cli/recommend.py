"""recommend: histories in, items out, for one person or a file of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sasrec.cli.places import expanded
from sasrec.cli.terminal import plain_console
from sasrec.cli.watch import fetch_progress
from sasrec.data.limits import json_within_limits
from sasrec.data.writing import write_whole
from sasrec.errors import DataError, printable

if TYPE_CHECKING:
    from sasrec.data.sequences import Corpus
    from sasrec.recommender import Recommendation, Recommender


Histories = Annotated[
    list[str] | None,
    typer.Option(help="Item tokens, oldest first, with commas between; may be repeated."),
]
Users = Annotated[
    list[str] | None,
    typer.Option(help="A user of the data; their whole history counts. May be repeated."),
]


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


def recommend(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    history: Histories = None,
    user: Users = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A history a line: a JSON list, or tokens with spaces."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="Where --user is looked up; default: training data."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Items to recommend.")] = 10,
    exclude_seen: Annotated[bool, typer.Option(help="Leave out items of the history.")] = True,
    candidates: Annotated[
        str | None, typer.Option(help="Choose among these only; commas between.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a JSON line a history to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line a history.")] = False,
) -> None:
    """Recommend what comes next for histories of anybody, known in training or not."""
    from sasrec.loading import load

    recommender = load(model)
    asked = asked_histories(recommender, history or [], user or [], data)
    if file is not None:
        asked += _file_histories(file)
    if not asked:
        raise DataError("nobody to recommend for; give --history, --user or --file")
    allowed = None if candidates is None else _tokens(candidates)
    found: dict[int, Recommendation] = {}
    for timed in (True, False):  # a history without times leaves the others theirs
        places = [place for place, each in enumerate(asked) if (each.times is not None) == timed]
        some = [asked[place] for place in places]
        times = [each.times for each in some if each.times is not None]
        answers = recommender.recommend(
            [each.tokens for each in some],
            k,
            exclude_seen=exclude_seen,
            candidates=allowed,
            times=times if timed else None,
            users=[each.user for each in some],
        )
        found |= dict(zip(places, answers, strict=True))
    if as_json or out is not None:
        answered = [found[place] for place in range(len(asked))]
        _write_lines([each.name for each in asked], answered, out)
    else:
        for place, each in enumerate(asked):
            _print(each, found[place], recommender.titles)


def trained_on(recommender: Recommender) -> str:
    """Return the name or path of the data a model was trained on.

    Args:
        recommender: A loaded model.

    Returns:
        What ``--data`` would take.

    Raises:
        DataError: It was trained on a data frame, which cannot be found again.
    """
    source = recommender.settings.get("source")
    if not source:
        raise DataError("the model was trained on a data frame; say where its data are with --data")
    return str(source)


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
    asked = [Asked(f"history {text}", _tokens(text)) for text in histories]
    if users:
        asked += _user_histories(recommender, users, data, corpus)
    return asked


def _tokens(text: str) -> list[str]:
    return [token.strip() for token in text.split(",") if token.strip()]


def _user_histories(
    recommender: Recommender, users: list[str], data: str | None, corpus: Corpus | None
) -> list[Asked]:
    from sasrec.data.sources import load_corpus, user_notes
    from sasrec.settings import DataSettings

    settings = DataSettings(**recommender.settings["data"])
    source = data if data is not None else trained_on(recommender)
    if corpus is None:
        corpus = load_corpus(source, settings, fetch_progress())
    notes = user_notes(source, settings, users)
    histories: list[Asked] = []
    for token, number in zip(users, corpus.users.numbers(users), strict=True):
        if number == 0:
            raise DataError(f"no user {token!r} in {source}")
        begin, end = corpus.sequences.offsets[number - 1 : number + 1]
        events = corpus.items.tokens(corpus.sequences.items[begin:end])
        times = corpus.sequences.times
        moments = None if times is None else times[begin:end].tolist()
        histories.append(Asked(f"user {token}", events, notes.get(token, ""), moments, token))
    return histories


def _file_histories(path: Path) -> list[Asked]:
    path = expanded(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    if lines[-1] == "":  # what stands behind the last line end
        lines.pop()
    return [
        Asked(
            f"{path.name}, line {number}", _line_tokens(line.rstrip("\r"), f"{path}, line {number}")
        )
        for number, line in enumerate(lines, start=1)
    ]


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


def _write_lines(names: list[str], found: list[Recommendation], out: Path | None) -> None:
    from dataclasses import asdict

    # What a console cannot show is written as JSON's own escapes.
    readable = out is not None or (sys.stdout.encoding or "").lower() in {"utf-8", "utf8"}
    text = "".join(
        json.dumps({"for": name, **asdict(each)}, ensure_ascii=not readable) + "\n"
        for name, each in zip(names, found, strict=True)
    )
    if out is None:
        sys.stdout.write(text)
        return
    path = expanded(out)
    write_whole(path, text)
    print(f"{len(found)} written to {path}", file=sys.stderr)


def _print(asked: Asked, found: Recommendation, titles: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = plain_console()
    recent = " → ".join(printable(titles.get(token, token)) for token in asked.tokens[-5:])
    events = "1 event" if len(asked.tokens) == 1 else f"{len(asked.tokens)} events"
    console.print(
        f"{printable(asked.name)}: {events}" + (f", the last: {recent}" if asked.tokens else "")
    )
    if asked.note:
        console.print(printable(asked.note))
    if found.unknown:
        console.print(f"skipped, unknown to the model: {printable(', '.join(found.unknown))}")
    if found.by_popularity:
        console.print("no known item in the history: these are the most popular")
    if not found.items:
        console.print("nothing left to recommend: --no-exclude-seen lets items of the history in")
        return
    table = Table()
    table.add_column("", justify="right")
    table.add_column("item")
    if titles:
        table.add_column("title")
    table.add_column("score", justify="right")
    for place, (item, score) in enumerate(zip(found.items, found.scores, strict=True), start=1):
        title = [Text(printable(titles.get(item, "")))] if titles else []
        table.add_row(str(place), Text(printable(item)), *title, f"{score:.3f}")
    console.print(table)
