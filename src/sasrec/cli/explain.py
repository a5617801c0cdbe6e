"""explain: an HTML page with the attention of a model and the effect of each event."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sasrec.cli.histories import Request, requests_for
from sasrec.cli.options import SavedModel, as_source
from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.cli.reading import reading_layers
from sasrec.cli.recommend_options import AveragedData, ExplainedItems, Histories, PageOut, Users
from sasrec.errors import counted, printable
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import write_atomically

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.explanation.explain import AverageAttention
    from sasrec.explanation.pictures import ExplainedHistory
    from sasrec.recommender.recommender import Recommender
    from sasrec.settings.data import DataSettings


PAGE = "explanation.html"


def explain(
    context: typer.Context,
    model: SavedModel,
    history: Histories = None,
    user: Users = None,
    data: AveragedData = None,
    k: ExplainedItems = 5,
    out: PageOut = None,
) -> None:
    """Show how each event of a history affects the recommendations.

    Writes an HTML page that works offline, and its pictures as PNG files.

    Without --user and --history, the first user of the data is explained.
    Give settings of other data as --key=value, such as --user-column=customer.
    """
    from sasrec.experiment.data_reading import settings_for
    from sasrec.experiment.known_data import load_with_any_types, source_for, told_remarks
    from sasrec.explanation.page import explanation_page
    from sasrec.explanation.pictures import pictures_of
    from sasrec.recommender.loading import load

    recommender = load(model)
    layers = reading_layers(context)
    settings = settings_for(recommender, as_source(data), layers)
    source = str(source_for(recommender, as_source(data)))
    told = told_remarks(recommender)
    corpus = load_with_any_types(source, settings, fetch_progress(), told=told)
    averages = _averages(recommender, corpus, source, settings)
    default = [] if history else corpus.users.entries.to_list()[:1]
    users = list(dict.fromkeys(user or default))  # each user once
    requests = requests_for(recommender, history or [], users, source, corpus=corpus, layers=layers)
    explained = [_explained(recommender, each, k) for each in requests]
    pictures = draw_or_warn("the explanation", partial(pictures_of, averages, explained)) or {}
    title = f"{recommender.settings['model_name']} on {source}"
    path = _page_path(out if out is not None else model / PAGE)
    write_atomically(path, explanation_page(title, averages, explained, pictures))
    for name, picture in pictures.items():
        write_atomically(path.with_name(f"{path.stem}-{name}.png"), picture)
    _print_skipped(explained)
    written = f"; {counted(len(pictures), 'picture')}: {path.stem}-*.png" if pictures else ""
    averaged = counted(averages.histories, "history", "histories")
    print(f"{path}: averages over {averaged}, {len(explained)} explained{written}")


def _page_path(out: Path) -> Path:
    path = expanded(out)
    if path.is_dir():
        return path / PAGE
    if path.suffix.lower() not in {".html", ".htm"}:
        return path.with_name(f"{path.name}.html")
    return path


def _print_skipped(explained: list[ExplainedHistory]) -> None:
    for each in explained:
        if each.skipped:
            tokens = printable(", ".join(each.skipped))
            print(
                f"{printable(each.name)}: skipped items unknown to the model: {tokens}",
                file=sys.stderr,
            )


def _averages(
    recommender: Recommender, corpus: Corpus, source: str, settings: DataSettings
) -> AverageAttention:
    from sasrec.data.corpus import renumbered
    from sasrec.data.sources import item_groups
    from sasrec.explanation.explain import average_attention

    known = renumbered(corpus, recommender.items, event_types=recommender.event_types)
    groups = item_groups(source, settings, recommender.items.entries)
    return average_attention(recommender, known.sequences, groups=groups)


def _explained(recommender: Recommender, request: Request, k: int) -> ExplainedHistory:
    from sasrec.explanation.explain import effects
    from sasrec.explanation.pictures import ExplainedHistory

    times, types = request.times, request.types
    events, maps = recommender.attention(request.tokens, times=times, types=types)
    [found] = recommender.recommend(
        [request.tokens],
        k,
        times=None if times is None else [times],
        users=[request.user],
        types=[types],
    )
    skipped = set(found.unknown)
    known = [place for place, token in enumerate(request.tokens) if token not in skipped]
    used = known[-len(events) :]
    titles = recommender.titles
    return ExplainedHistory(
        name=request.name,
        titles=[titles.get(token, token) for token in events],
        maps=maps,
        recommended=[titles.get(token, token) for token in found.items],
        scores=found.scores,
        effects=effects(
            recommender,
            events,
            found.items,
            times=None if times is None else [times[place] for place in used],
            user=request.user,
            types=None if types is None else [types[place] for place in used],
        ),
        skipped=found.unknown,
    )
