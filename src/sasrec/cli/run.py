"""evaluate and config; and functions for settings and reports that other commands share."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sasrec.cli.options import (
    PROTOCOL,
    AsJson,
    ConfigFiles,
    CutOffs,
    Preset,
    SavedModel,
    as_source,
    own_options,
)
from sasrec.cli.progress import fetch_progress
from sasrec.cli.terminal import plain_console

if TYPE_CHECKING:
    from sasrec.evaluation.report import Report
    from sasrec.settings.resolve import RunSettings

PRINTED_REMARKS = {"overlap", "other_split", "unknown_items", "unknown_types"}
"""Kinds of remarks that evaluate prints; others are printed when the data are loaded."""


def evaluate(
    context: typer.Context,
    model: SavedModel,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", "-d", metavar="DATA", help="Data to evaluate on; default: the training data."
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…", help="Metrics, such as ndcg,recall,map.", rich_help_panel=PROTOCOL
        ),
    ] = None,
    topk: CutOffs = None,
    as_json: AsJson = False,
) -> None:
    """Measure a saved model on the validation and test events.

    Give settings of data and evaluation as --key=value, such as --user_column=customer.
    """
    from sasrec.experiment.evaluate import evaluate_with
    from sasrec.recommender.loading import load
    from sasrec.settings.files import layers_with_mistakes

    [line] = layers_with_mistakes([], context.args, own_options(context))
    given = {"metrics": metrics, "topk": cut_offs(topk)}
    options = {key: value for key, value in given.items() if value is not None}
    layer = replace(line, values={**line.values, **options})
    found = evaluate_with(
        load(model), as_source(data), [layer], folder=model, fetching=fetch_progress()
    )
    for remark in found.remarks:
        if remark.kind in PRINTED_REMARKS:
            print(f"note: {remark.text}", file=sys.stderr)
    if as_json:
        print(json.dumps(found.as_json()))
        return
    print_reports(found.reports, found.decimals)


def config(
    context: typer.Context,
    config_file: ConfigFiles = None,
    preset: Preset = None,
    topk: CutOffs = None,
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="NAME", help="Model whose settings are printed."),
    ] = "SASRec",
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", "-d", metavar="DATA", help="Data for which the preset chooses its values."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print every setting: its value, its source, what it does.

    Give any setting as --key=value to see the result.
    """
    run = settings_from(context, config_file, preset, {"topk": cut_offs(topk)}, model)
    if (source := as_source(data)) is not None:
        run = _adapted_to(run, source)
    if as_json:
        print(
            json.dumps(
                {
                    **run.as_json(),
                    "origins": {key: str(origin) for key, origin in run.origins.items()},
                }
            )
        )
        return
    for name, group in run.groups().items():
        print(f"{name}:")
        for key, rule in type(group).model_fields.items():
            extra = rule.json_schema_extra
            alias = extra.get("recbole") if isinstance(extra, dict) else None
            also = f" (RecBole: {alias})" if alias not in {None, key} else ""
            text = " ".join((rule.description or "").split())
            origin = f"  ({run.origins[key]})" if key in run.origins else ""
            print(f"  {key} = {getattr(group, key)!r}{origin}\n      {text}{also}")


def _adapted_to(run: RunSettings, data: str) -> RunSettings:
    """Return the settings with the values that their preset chooses for a data set."""
    from sasrec.data.sources import load_corpus
    from sasrec.experiment.prepared import prepare

    return prepare(load_corpus(data, run.data, fetch_progress()), run).run


def cut_offs(text: str | None) -> Any:
    """Return the value of --topk, parsed as the value of any other setting.

    Args:
        text: The text given, such as ``5,10``, or None if the option was not given.

    Returns:
        The parsed value, or None.
    """
    from sasrec.settings.literals import literal

    return None if text is None else literal(text, "--topk")


def settings_from(
    context: typer.Context,
    config_file: list[Path] | None,
    preset: str | None,
    given: dict[str, Any],
    model: str = "SASRec",
) -> RunSettings:
    """Return settings from a preset, files and the command line; later ones override earlier ones.

    Args:
        context: Context of the command, with the ``--key=value`` words.
        config_file: YAML files; later ones override earlier ones.
        preset: Name of the preset; None takes the one named in the files, or the default.
        given: Options that are settings too; None for those not given.
        model: Name of the model in upper or lower case.

    Returns:
        The settings. Keys without effect are listed on standard error.
    """
    from sasrec.settings.files import layers_with_mistakes
    from sasrec.settings.presets import DEFAULT
    from sasrec.settings.registry import canonical_model
    from sasrec.settings.resolve import resolve_layers

    *files, line = layers_with_mistakes(config_file or [], context.args, own_options(context))
    options = {k: v for k, v in {**given, "preset": preset}.items() if v is not None}
    layers = [*files, replace(line, values={**line.values, **options})]
    name = canonical_model(model)
    run = resolve_layers(layers, name, DEFAULT if name == "SASRec" else None)
    if run.without_effect:
        print(f"settings without effect: {', '.join(run.without_effect)}", file=sys.stderr)
    return run


def print_reports(reports: list[Report], decimals: int) -> None:
    """Print a table of models and metrics for validation and another for test.

    Args:
        reports: One report per model, all on the same cases.
        decimals: Decimal places.
    """
    from rich.table import Table
    from rich.text import Text

    from sasrec.evaluation.text import evaluated_parts, metric_rows, models_in_rows, sizes_of

    first = reports[0]
    console = plain_console()
    console.print(f"{sizes_of(first.dataset)}\n{first.protocol}")
    for part in evaluated_parts(reports):
        lines = metric_rows(reports, part, decimals)
        if not lines:
            console.print(f"{part}: no cases")
            continue
        # Models in rows are easier to read, but wide; otherwise the metrics are the rows.
        if _width(models_in_rows(lines)) <= console.width:
            lines = models_in_rows(lines)
        table = Table(title=part, title_justify="left")
        for number, text in enumerate(lines[0]):
            table.add_column(Text(text), justify="right" if number else "left", no_wrap=True)
        for line in lines[1:]:
            table.add_row(*map(Text, line))
        console.print(table)


def _width(lines: list[list[str]]) -> int:
    """Return the width in characters of a table of these lines."""
    return 1 + sum(3 + max(map(len, column)) for column in zip(*lines, strict=True))
