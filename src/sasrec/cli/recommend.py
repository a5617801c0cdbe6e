"""recommend: lists of recommended items for histories, users, or a file of histories."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain, tee
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import typer

from sasrec.cli.histories import Request, TokenCounts, file_requests, requests_for, tokens_in
from sasrec.cli.list_counts import ListCounts
from sasrec.cli.lists import Answer, checked_target, print_json, write_lists
from sasrec.cli.options import SavedModel, as_source
from sasrec.cli.output_paths import expanded
from sasrec.cli.reading import checked_settings, reading_layers
from sasrec.cli.recommend_options import (
    AllowUnknown,
    AllUsers,
    AsJsonLines,
    Candidates,
    ExcludeSeen,
    Histories,
    HistoryFile,
    ListsOut,
    RecommendedItems,
    UserData,
    Users,
)
from sasrec.cli.terminal import plain_console
from sasrec.errors import DataError, SettingsError, counted, printable

if TYPE_CHECKING:
    from rich.table import Table

    from sasrec.recommender.recommendation import Recommendation
    from sasrec.recommender.recommender import Recommender
    from sasrec.recommender.rules.prepared import PreparedRules
    from sasrec.recommender.rules.rules import Rules
    from sasrec.settings.files import Layer


class AllOptions(TypedDict):
    """What lists for all users may contain."""

    k: int
    exclude_seen: bool
    candidates: list[str] | None
    rules: PreparedRules | None
    next_type: str | None


def recommend(
    context: typer.Context,
    model: SavedModel,
    history: Histories = None,
    user: Users = None,
    file: HistoryFile = None,
    all_users: AllUsers = False,
    data: UserData = None,
    k: RecommendedItems = 10,
    exclude_seen: ExcludeSeen = True,
    candidates: Candidates = None,
    out: ListsOut = None,
    as_json: AsJsonLines = False,
    allow_unknown: AllowUnknown = False,
    rules: Rules | None = None,
    items: str | None = None,
    next_type: str | None = None,
) -> None:
    """Recommend items for users of the data, or for any histories.

    Give settings of other data as --key=value, such as --user-column=customer.
    """
    from sasrec.recommender.loading import load

    words = None if candidates is None else tokens_in(candidates)
    layers = reading_layers(
        context, needed_by=None if user or all_users else "--user or --all-users"
    )
    if all_users:
        if history or user or file is not None or as_json or out is None:
            raise SettingsError(
                "--all-users makes a list for every user of the data and writes them to a file; "
                "add --out lists.parquet (or .csv, .tsv, .jsonl), and remove --history, --user, "
                "--file and --json"
            )
        recommender = load(model)
        prepared = None if rules is None else _ruled(recommender, rules, items)
        _write_all(
            recommender,
            as_source(data),
            expanded(out),
            layers,
            k=k,
            exclude_seen=exclude_seen,
            candidates=words,
            rules=prepared,
            next_type=next_type,
        )
        return
    path = None if out is None else checked_target(out)
    recommender = load(model)
    requests = requests_for(recommender, history or [], user or [], as_source(data), layers=layers)
    if history:
        _note_unknown_items(recommender, requests[: len(history)])
    lines: Iterator[Request] = iter(())
    if file is not None:
        lines = file_requests(file, recommender.items, allow_unknown=allow_unknown)
    answers = _answers(
        recommender,
        chain(requests, lines),
        k=k,
        exclude_seen=exclude_seen,
        candidates=words,
        rules=None if rules is None else _ruled(recommender, rules, items),
        next_type=next_type,
    )
    if path is not None:
        listed = (Answer(each.name, found, each.user) for each, found in answers)
        count = write_lists(listed, path, recommender.titles)
        print(f"{counted(count, 'list')} written to {path}", file=sys.stderr)
    elif as_json:
        listed = (Answer(each.name, found, each.user) for each, found in answers)
        print_json(listed, recommender.titles)
    else:
        for each, found in answers:
            _print(each, found, recommender)


def _write_all(
    recommender: Recommender,
    data: str | None,
    out: Path,
    layers: list[Layer],
    **options: Unpack[AllOptions],
) -> None:
    from sasrec.experiment.recommend_all import recommend_all

    settings = checked_settings(recommender, data, layers)
    written = recommend_all(recommender, data, out=out, settings=settings, **options)
    lists, rows = counted(written.n_users, "list"), counted(written.n_rows, "row")
    print(f"{lists} ({rows}) written to {written.path}", file=sys.stderr)


def _answers(
    recommender: Recommender,
    requests: Iterator[Request],
    *,
    k: int,
    exclude_seen: bool,
    candidates: list[str] | None,
    rules: PreparedRules | None,
    next_type: str | None,
) -> Iterator[tuple[Request, Recommendation]]:
    """Yield each request with its list; at most a few thousand are in memory at once."""
    first = next(requests, None)
    if first is None:
        raise DataError("no history to recommend for; give --history, --user or --file")
    requests, histories, times, users, types = tee(chain([first], requests), 5)
    found = recommender.recommend_iter(
        (each.tokens for each in histories),
        k,
        exclude_seen=exclude_seen,
        candidates=candidates,
        times=(each.times for each in times),
        users=(each.user for each in users),
        rules=rules,
        types=(each.types for each in types),
        next_type=next_type,
    )
    unknown_users, told = 0, ListCounts(k)
    for each, answer in zip(requests, found, strict=True):
        told.add(answer)
        unknown_users += answer.by_popularity and bool(each.tokens)
        yield each, answer
    if rules is not None and (note := told.summary()):
        print(f"note: {note}", file=sys.stderr)
    if unknown_users and recommender.model.needs_users:
        name = recommender.settings["model_name"]
        print(
            f"note: {name} recommends by user, not by history; for "
            f"{counted(unknown_users, 'history', 'histories')} the user is unknown, so the most "
            "popular items are listed; give --user",
            file=sys.stderr,
        )


def _ruled(recommender: Recommender, rules: Rules, items: str | None) -> PreparedRules:
    """Return the rules with everything looked up; print how many items each condition leaves."""
    prepared = recommender.prepare_rules(rules, items)
    for each in prepared.remarks:
        if each.kind == "items_left":
            print(printable(f"{each.text} of {len(recommender.items):,}"), file=sys.stderr)
    return prepared


def _note_unknown_items(recommender: Recommender, requests: list[Request]) -> None:
    """Print a note if the model knows almost no item of the --history options."""
    counts = TokenCounts(recommender.items)
    for each in requests:
        counts.add(each.tokens, "--history")
    if counts.total and counts.looks_wrong():
        print(printable(f"note: {counts.summary()}"), file=sys.stderr)


def _print(request: Request, found: Recommendation, recommender: Recommender) -> None:
    titles = recommender.titles
    console = plain_console()
    recent = " → ".join(printable(titles.get(token, token)) for token in request.tokens[-5:])
    events = counted(len(request.tokens), "event")
    console.print(
        f"{printable(request.name)}: {events}"
        + (f", most recent: {recent}" if request.tokens else "")
    )
    if request.note:
        console.print(printable(request.note))
    for line in _remarks(found, needs_users=recommender.model.needs_users):
        console.print(line)
    if found.items:
        console.print(_table(found, titles))


def _remarks(found: Recommendation, *, needs_users: bool) -> Iterator[str]:
    if found.unknown:
        yield f"skipped items unknown to the model: {printable(', '.join(found.unknown))}"
    if found.by_popularity:
        reason = "the model does not know this user" if needs_users else "no known item in history"
        yield f"{reason}: these are the most popular items"
    if found.filled_up:
        yield f"filled up by popularity: {printable(', '.join(found.filled_up))}"
    if found.untrained:
        yield f"items that never occurred in training: {printable(', '.join(found.untrained))}"
    if not found.items:
        yield "no items left to recommend; --seen always allows items of the history"


def _table(found: Recommendation, titles: dict[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("", justify="right")
    table.add_column("item")
    if titles:
        table.add_column("title")
    table.add_column("score", justify="right")
    for rank, (item, score) in enumerate(zip(found.items, found.scores, strict=True), start=1):
        title = [Text(printable(titles.get(item, "")))] if titles else []
        table.add_row(str(rank), Text(printable(item)), *title, f"{score:.3f}")
    return table
