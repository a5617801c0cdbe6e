"""recommend: histories in, items out, for one person or a file of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain, tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sasrec.cli.asked import (
    Acquaintance,
    Asked,
    Histories,
    Users,
    asked_histories,
    file_histories,
    tokens_in,
)
from sasrec.cli.lists import checked_target, print_json, write_lists
from sasrec.cli.options import RESULT
from sasrec.cli.terminal import plain_console
from sasrec.errors import DataError, counted, printable

if TYPE_CHECKING:
    from sasrec.recommender.answers import Recommendation
    from sasrec.recommender.recommender import Recommender


def recommend(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder.")],
    history: Histories = None,
    user: Users = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="A history a line: a JSON list, or items with spaces between.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="Where to look up --user; default: the training data.",
        ),
    ] = None,
    k: Annotated[
        int,
        typer.Option("--topk", "-k", min=1, metavar="K", help="How many items to recommend."),
    ] = 10,
    exclude_seen: Annotated[
        bool, typer.Option(metavar="", help="Leave out items of the history.")
    ] = True,
    candidates: Annotated[
        str | None, typer.Option(metavar="ITEM,…", help="Recommend only some of these.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            rich_help_panel=RESULT,
            help="Write to this file: .jsonl a JSON line a history; .csv, .tsv or .parquet a row "
            "an item.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", metavar="", help="Print a JSON line a history.", rich_help_panel=RESULT
        ),
    ] = False,
    allow_unknown: Annotated[
        bool,
        typer.Option(
            "--allow-unknown",
            metavar="",
            help="Accept a --file with hardly any item the model knows.",
        ),
    ] = False,
) -> None:
    """Recommend items for histories, of users or of anybody."""
    from sasrec.recommender.loading import load

    path = None if out is None else checked_target(out)
    recommender = load(model)
    asked = asked_histories(recommender, history or [], user or [], data)
    if history:
        _tell_strange(recommender, asked[: len(history)])
    lines: Iterator[Asked] = iter(())
    if file is not None:
        lines = file_histories(file, recommender.items, allow_unknown=allow_unknown)
    answers = _answers(
        recommender,
        chain(asked, lines),
        k=k,
        exclude_seen=exclude_seen,
        candidates=None if candidates is None else tokens_in(candidates),
    )
    if path is not None:
        count = write_lists(((each.name, found) for each, found in answers), path)
        print(f"{count} written to {path}", file=sys.stderr)
    elif as_json:
        print_json((each.name, found) for each, found in answers)
    else:
        for each, found in answers:
            _print(each, found, recommender)


def _answers(
    recommender: Recommender,
    asked: Iterator[Asked],
    *,
    k: int,
    exclude_seen: bool,
    candidates: list[str] | None,
) -> Iterator[tuple[Asked, Recommendation]]:
    """Yield everybody asked for with their list; some thousands are held at a time."""
    first = next(asked, None)
    if first is None:
        raise DataError("nobody to recommend for; give --history, --user or --file")
    people, histories, times, users = tee(chain([first], asked), 4)
    found = recommender.recommend_iter(
        (each.tokens for each in histories),
        k,
        exclude_seen=exclude_seen,
        candidates=candidates,
        times=(each.times for each in times),
        users=(each.user for each in users),
    )
    strangers = 0
    for each, answer in zip(people, found, strict=True):
        strangers += answer.by_popularity and bool(each.tokens)
        yield each, answer
    if strangers and recommender.model.needs_users:
        name = recommender.settings["model_name"]
        print(
            f"note: {name} goes by people, not by histories, and does not know {strangers:,} of "
            "those asked for, who get the most popular items; give --user",
            file=sys.stderr,
        )


def _tell_strange(recommender: Recommender, asked: list[Asked]) -> None:
    """Say it if no item of the histories given as words is known."""
    met = Acquaintance(recommender.items)
    for each in asked:
        met.meet(each.tokens, "--history")
    if met.total and met.is_strange():
        print(printable(f"note: {met.told()}"), file=sys.stderr)


def _print(asked: Asked, found: Recommendation, recommender: Recommender) -> None:
    from rich.table import Table
    from rich.text import Text

    titles = recommender.titles
    console = plain_console()
    recent = " → ".join(printable(titles.get(token, token)) for token in asked.tokens[-5:])
    events = counted(len(asked.tokens), "event")
    console.print(
        f"{printable(asked.name)}: {events}" + (f", the last: {recent}" if asked.tokens else "")
    )
    if asked.note:
        console.print(printable(asked.note))
    if found.unknown:
        console.print(f"skipped, unknown to the model: {printable(', '.join(found.unknown))}")
    if found.by_popularity and recommender.model.needs_users:
        console.print("a person the model does not know: these are the most popular")
    elif found.by_popularity:
        console.print("no known item in the history: these are the most popular")
    if found.untrained:
        console.print(f"nothing was learned of: {printable(', '.join(found.untrained))}")
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
