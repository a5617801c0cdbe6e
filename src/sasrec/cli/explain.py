"""explain: what a model looks at, and what its recommendations rest on, as one HTML page."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sasrec.cli.asked import Asked, Histories, Users, asked_histories
from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.errors import counted, printable
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import write_atomically

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.explanation.explain import AverageAttention
    from sasrec.explanation.pictures import Person
    from sasrec.recommender.recommender import Recommender
    from sasrec.settings.data import DataSettings


PAGE = "explanation.html"


def explain(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder.")],
    history: Histories = None,
    user: Users = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="Data to average over; default: the training data.",
        ),
    ] = None,
    k: Annotated[
        int,
        typer.Option(
            "--topk", "-k", min=1, metavar="K", help="How many recommendations to explain."
        ),
    ] = 5,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="HTML; default MODEL/explanation.html."),
    ] = None,
) -> None:
    """Show which events of a history decide what is recommended.

    Writes an HTML page that needs no network, and its pictures beside it.

    Without --user and --history, the first user of the data is taken.
    """
    from sasrec.data.sources import load_corpus
    from sasrec.experiment.evaluate import trained_on
    from sasrec.explanation.page import explanation_page
    from sasrec.explanation.pictures import pictures_of
    from sasrec.recommender.loading import load
    from sasrec.settings.data import DataSettings

    recommender = load(model)
    settings = DataSettings(**recommender.settings["data"])
    source = data if data is not None else trained_on(recommender)
    corpus = load_corpus(source, settings, fetch_progress())
    averages = _averages(recommender, corpus, source, settings)
    first = [] if history else corpus.users.entries.to_list()[:1]
    wanted = list(dict.fromkeys(user or first))  # a user asked for twice is shown once
    asked = asked_histories(recommender, history or [], wanted, source, corpus)
    people = [_person(recommender, each, k) for each in asked]
    pictures = draw_or_warn("the explanation", partial(pictures_of, averages, people)) or {}
    title = f"{recommender.settings['model_name']} on {source}"
    path = expanded(out if out is not None else model / PAGE)
    if path.is_dir():
        path /= PAGE
    elif path.suffix.lower() not in {".html", ".htm"}:
        path = path.with_name(f"{path.name}.html")
    write_atomically(path, explanation_page(title, averages, people, pictures))
    for name, picture in pictures.items():
        write_atomically(path.with_name(f"{path.stem}-{name}.png"), picture)
    for person in people:
        if person.skipped:
            names = printable(", ".join(person.skipped))
            print(f"{printable(person.name)}: skipped, unknown: {names}", file=sys.stderr)
    beside = ""
    if pictures:
        beside = f"; beside it {counted(len(pictures), 'picture')}, {path.stem}-*.png"
    histories = counted(averages.histories, "history", "histories")
    print(f"{path}: averages over {histories}, {len(people)} shown{beside}")


def _averages(
    recommender: Recommender, corpus: Corpus, source: str, settings: DataSettings
) -> AverageAttention:
    from sasrec.data.corpus import renumbered
    from sasrec.data.sources import item_groups
    from sasrec.explanation.explain import average_attention

    known = renumbered(corpus, recommender.items)
    groups = item_groups(source, settings, recommender.items.entries)
    return average_attention(recommender, known.sequences, groups=groups)


def _person(recommender: Recommender, asked: Asked, k: int) -> Person:
    from sasrec.explanation.explain import effects
    from sasrec.explanation.pictures import Person

    times = asked.times
    looked_at, maps = recommender.attention(asked.tokens, times=times)
    [found] = recommender.recommend(
        [asked.tokens], k, times=None if times is None else [times], users=[asked.user]
    )
    moments = None
    if times is not None:
        pairs = zip(asked.tokens, times, strict=True)
        skipped = set(found.unknown)
        moments = [time for token, time in pairs if token not in skipped]
        moments = moments[-len(looked_at) :]
    titles = recommender.titles
    return Person(
        name=asked.name,
        titles=[titles.get(token, token) for token in looked_at],
        maps=maps,
        recommended=[titles.get(token, token) for token in found.items],
        scores=found.scores,
        effects=effects(recommender, looked_at, found.items, times=moments, user=asked.user),
        skipped=found.unknown,
    )
