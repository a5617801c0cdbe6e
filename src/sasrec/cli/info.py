"""info: checks a model folder and prints what it contains and how good the model was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sasrec.cli.options import AsJson, SavedModel
from sasrec.cli.output_paths import expanded
from sasrec.errors import ModelError, printable
from sasrec.recommender.lineage import UPDATE, how, in_words, steps_of, what_was_added

if TYPE_CHECKING:
    from sasrec.recommender.contents import Contents

VERSIONS = ("python", "torch", "numpy", "polars", "device", "precision")
"""Keys of the environment that are printed."""


def info(
    model: SavedModel,
    history: Annotated[
        bool,
        typer.Option(
            "--history", metavar="", help="Print the models that it was made from, the first first."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a saved model; print its data, metrics and versions."""
    from sasrec.recommender.ancestors import chain_of
    from sasrec.recommender.contents import read_without_weights

    path = expanded(model)
    found = described(path, read_without_weights(path))
    if history:
        found = {"folder": str(path), "digest": found["digest"], "lineage": found["lineage"]}
        found["lineage"] = chain_of(found["lineage"])
    if as_json:
        print(json.dumps(found))
        return
    for line in history_lines(found) if history else lines_of(found):
        print(printable(line))


def history_lines(found: dict[str, Any]) -> list[str]:
    """Return the chain of models as lines of text, the first model first.

    Args:
        found: Folder and digest of the model, and its lineage from ``chain_of``.
    """
    lines = []
    for step in found["lineage"]:
        lines.append(f"{step.get('model') or 'a model in memory'} {_digest(step)}{step['parent']}")
        lines.append(f"  + {what_was_added(step)}")
        lines += [f"    {text}" for text in how(step)]
    return [*lines, f"{found['folder']} {_digest(found)}this model"]


def _digest(step: dict[str, Any]) -> str:
    digest = step.get("digest")
    return f"(digest {str(digest)[:12]}…): " if digest else "(no digest): "


def described(path: Path, contents: Contents) -> dict[str, Any]:
    """Return the facts about a model folder.

    Args:
        path: The folder.
        contents: Its contents, checked.

    Returns:
        Only types that JSON has; None for what is not known.

    Raises:
        ModelError: The vocabulary is damaged.
    """
    vocabulary, manifest = contents.vocabulary, contents.manifest
    items, counts = vocabulary.get("items"), vocabulary.get("counts")
    if not isinstance(items, list) or not isinstance(counts, list):
        raise ModelError(
            f"{path} is damaged or was edited: its vocabulary lacks the lists 'items' and "
            "'counts'; train the model again"
        )
    reports = contents.metrics.get("reports", [])
    users = vocabulary.get("users")
    return {
        "folder": str(path),
        "model": contents.settings.get("model_name"),
        "preset": contents.settings.get("preset"),
        "trained_on": contents.settings.get("source"),
        "dataset": reports[0].get("dataset", {}) if reports else {},
        "items": len(items),
        "untrained_items": sum(count == 0 for count in counts),
        "content": _content(path, contents),
        "users": len(users) if isinstance(users, list) else None,
        "lineage": steps_of(contents.metrics),
        "best_epoch": contents.metrics.get("best_epoch"),
        "stopped_because": contents.metrics.get("stopped_because"),
        "validation": reports[0].get("validation", {}) if reports else {},
        "test": reports[0].get("test", {}) if reports else {},
        "written": None if manifest is None else manifest.written,
        "sasrec": contents.version if manifest is None else manifest.version,
        "environment": contents.environment,
        "digest": None if manifest is None else manifest.digest,
        "files": None
        if manifest is None
        else {name: facts.size for name, facts in manifest.files.items()},
    }


def _content(path: Path, contents: Contents) -> str | None:
    """Return what a model knows about items besides their events.

    Raises:
        ModelError: ``content.json`` is damaged.
    """
    if not contents.content:
        return None
    from sasrec.recommender.content_file import content_from_json

    try:
        return ", ".join(map(str, content_from_json(contents.content))) or None
    except (ModelError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: content.json is damaged or was edited: {error}") from error


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return the facts about a model folder as lines of text.

    Args:
        found: The result of ``described``.
    """
    untrained = f", {found['untrained_items']:,} of them without training events"
    items = f"{found['items']:,}{untrained if found['untrained_items'] else ''}"
    environment, epoch = found["environment"], found["best_epoch"]
    versions = [f"{name} {environment[name]}" for name in VERSIONS if name in environment]
    facts = {
        "model": f"{found['model']}{_in_brackets(found['preset'])}",
        "trained on": found["trained_on"] or "a data frame",
        "items": items,
        "content": found["content"],
        "users known": None if found["users"] is None else f"{found['users']:,}",
        "best epoch": None if epoch is None else f"{epoch}; {found['stopped_because']}",
        "validation": _figures(found["validation"]),
        "test": _figures(found["test"]),
        "written": found["written"],
        "versions": ", ".join([f"sasrec {found['sasrec']}", *versions]),
        "digest": found["digest"] or "none (no manifest.json): its files were not checked",
    }
    lines = [f"{name + ':':13}{value}" for name, value in facts.items() if value is not None]
    for step in found["lineage"]:
        name = "updated:" if step.get("step") == UPDATE else "extended:"
        lines.append(f"{name:13}{in_words(step)}")
    sizes = found["files"] or {}
    return [*lines, *(f"{name:>24}: {size:,} bytes" for name, size in sizes.items())]


def _in_brackets(preset: object) -> str:
    return f" (preset {preset})" if preset else ""


def _figures(values: dict[str, float]) -> str | None:
    return ", ".join(f"{key} {value:.4f}" for key, value in values.items()) or None
