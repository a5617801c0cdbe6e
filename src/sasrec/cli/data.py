"""data: list, fetch and describe data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sasrec.cli.help import Command
from sasrec.cli.options import own_options
from sasrec.cli.output_paths import expanded
from sasrec.cli.progress import fetch_progress
from sasrec.cli.proposed_command import train_command, with_command
from sasrec.errors import SettingNeeded

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus

data_app = typer.Typer(help="List, download and describe data sets.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print only JSON.")]


@data_app.command("list", cls=Command)
def list_data(as_json: AsJson = False) -> None:
    """List the data sets that are available by name."""
    from sasrec.data.catalogue import ENTRIES, cached, damaged_file

    rows = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "source": entry.source,
            "fetched": cached(entry.name) is not None and damaged_file(entry.name) is None,
        }
        for entry in ENTRIES.values()
    ]
    rows.append(
        {
            "name": "synthetic",
            "summary": "generated, of any size: synthetic:users=5000,items=800",
            "source": "this package",
            "fetched": True,
        }
    )
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        state = "ready" if row["fetched"] else "not downloaded yet"
        print(f"{row['name']:<10} {row['summary']}\n{'':<10} {row['source']}; {state}")


@data_app.command(cls=Command)
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name (see 'sasrec data list'), or synthetic[:key=value,…]."
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for generated data; default dataset."),
    ] = None,
) -> None:
    """Download a data set to the cache, or generate synthetic data."""
    from sasrec.data import catalogue
    from sasrec.data.sources import generate, write_atomic

    if name.partition(":")[0] == "synthetic":
        target = expanded(to or Path("dataset")) / "synthetic" / "synthetic.inter"
        write_atomic(generate(name), target)
        print(f"written to {target}; to train on it: sasrec train -d {target.parent}")
        return
    folder = catalogue.fetch_intact(name, fetch_progress())
    print(f"{name} is in {folder}")


def describe(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA …",
            help="Name (see 'sasrec data list'), file, folder, pattern or URL; or several files.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Print the size of a data set, the lengths of its histories, and its time span.

    Give settings of the data as --key=value, such as --user_column=customer. It proposes the
    command that trains on the data, with the settings that are missing.
    """
    from itertools import takewhile

    from sasrec.data.source_names import as_one
    from sasrec.data.sources import load_corpus
    from sasrec.settings.files import layers_with_mistakes
    from sasrec.settings.resolve import resolve_layers

    others = list(takewhile(lambda word: not word.startswith("-"), context.args))
    layers = layers_with_mistakes([], context.args[len(others) :], own_options(context))
    settings = resolve_layers(layers).data
    try:
        corpus = load_corpus(as_one([data, *others]), settings, fetch_progress())
    except SettingNeeded as error:
        raise with_command(error, context, [data, *others], settings) from error
    facts = describe_facts(corpus)
    facts["train"] = train_command(context, [data, *others])
    if as_json:
        print(json.dumps(facts))
        return
    facts.pop("remarks")  # already printed to standard error when the data were loaded
    command = facts.pop("train")
    for name, value in facts.items():
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        print(f"{name.replace('_', ' '):<22} {text}")
    print(f"to train on it: {command}")


def describe_facts(corpus: Corpus) -> dict[str, Any]:
    """Return sizes and statistics of a data set.

    Args:
        corpus: The data set.

    Returns:
        Name to number or text. Timestamps are dates if they look like seconds, milliseconds,
        microseconds or nanoseconds since 1970, and otherwise numbers in the unit of the source.
    """
    import numpy as np

    from sasrec.data.checks.repetition import repetition

    lengths = corpus.sequences.lengths()
    users, items, events = len(corpus.users), len(corpus.items), corpus.sequences.n_events
    counts = np.bincount(corpus.sequences.items, minlength=items + 1)[1:]
    times = corpus.sequences.times
    top = np.sort(counts)[::-1][: max(1, items // 10)].sum()
    return {
        "name": corpus.name,
        "users": users,
        "items": items,
        "interactions": events,
        "density": round(events / (users * items), 6),
        "shortest_history": int(lengths.min()),
        "median_history": float(np.median(lengths)),
        "mean_history": round(float(lengths.mean()), 2),
        "longest_history": int(lengths.max()),
        **repetition(corpus.sequences).as_json(),
        "share_of_top_tenth": round(float(top / events), 4),
        "first_event": None
        if times is None
        else _date_or_number(float(times.min()), float(times.max())),
        "last_event": None
        if times is None
        else _date_or_number(float(times.max()), float(times.max())),
        "titles": len(corpus.item_titles()),
        "fingerprint": corpus.sequences.fingerprint(),
        "remarks": [remark.as_json() for remark in corpus.remarks],
    }


def _date_or_number(value: float, latest: float) -> str | float:
    from datetime import UTC, datetime

    from sasrec.data.date_splits import unit_seconds

    seconds = value * (unit_seconds(latest) or 1)
    is_unix_time = 3e8 < seconds < 5e9  # 1979 to 2128
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:16] if is_unix_time else value
