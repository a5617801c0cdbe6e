"""What was done to a model after its training, as it is kept in ``metrics.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sasrec.errors import counted

KEY = "lineage"
UPDATE = "update"
"""Name of a step that learned new events."""
LATEST = "latest_time"
"""Key in the metrics of the time of the latest event that a model was made from."""


def steps_of(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps after the training, the first one first.

    Args:
        metrics: Contents of ``metrics.json``, perhaps edited.

    Returns:
        What is a step; empty for a model as it was trained.
    """
    found = metrics.get(KEY)
    return [dict(step) for step in found if isinstance(step, dict)] if type(found) is list else []


def with_new_items_step(
    metrics: Mapping[str, Any], source: str | None, *, n_before: int, n_new: int
) -> dict[str, Any]:
    """Return metrics with one more step: new items.

    Args:
        metrics: Contents of ``metrics.json``.
        source: Path of the table of new items; None for a data frame.
        n_before: Number of items before the step.
        n_new: Number of new items.

    Returns:
        The metrics.
    """
    step = {
        "step": "new items",
        "source": source,
        "items_before": n_before,
        "items_added": n_new,
        "sasrec": version("sasrec"),
    }
    return {**metrics, KEY: [*steps_of(metrics), step]}


def with_origin(
    steps: list[dict[str, Any]], folder: Path, digest: str | None
) -> list[dict[str, Any]]:
    """Return steps whose last one says which model it was applied to.

    Args:
        steps: At least one step.
        folder: Folder of the model before the step.
        digest: Digest of that folder's files; None if it has no manifest.

    Returns:
        The steps.
    """
    *earlier, last = steps
    return [*earlier, {**last, "model": str(folder), "digest": digest}]


def with_step(metrics: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics with one more step.

    Args:
        metrics: Contents of ``metrics.json``.
        step: What was done, in types JSON has.

    Returns:
        The metrics.
    """
    return {**metrics, KEY: [*steps_of(metrics), {**step, "sasrec": version("sasrec")}]}


def latest_time(metrics: Mapping[str, Any]) -> float | None:
    """Return the time of the latest event that a model was made from; None if it is not known.

    Args:
        metrics: Contents of ``metrics.json``, perhaps edited.
    """
    found = metrics.get(LATEST)
    if not isinstance(found, int | float) or isinstance(found, bool) or not math.isfinite(found):
        return None
    return float(found)


def in_words(step: Mapping[str, Any]) -> str:
    """Return a step as a line for people.

    Args:
        step: From ``steps_of``; it may have been edited.

    Returns:
        Such as ``12 new items from new.csv, added to saved/shop (digest 0f3a…)``.
    """
    text = what_was_added(step)
    if step.get("model"):
        text += f", added to {step['model']}"
    if digest := step.get("digest"):
        text += f" (digest {str(digest)[:12]}…)"
    return text


def what_was_added(step: Mapping[str, Any]) -> str:
    """Return what a step added, such as ``12 new items from new.csv``.

    Args:
        step: From ``steps_of``; it may have been edited.
    """
    parts = (("events_learned", "event"), ("items_added", "new item"), ("people_added", "new user"))
    found = [
        counted(number, unit)
        for key, unit in parts
        if type(number := step.get(key)) is int and (number or key != "people_added")
    ]
    return f"{', '.join(found) or step.get('step')} from {step.get('source') or 'a data frame'}"


def how(step: Mapping[str, Any]) -> list[str]:
    """Return how an update was made, and from which data, as lines of text.

    Args:
        step: From ``steps_of``; it may have been edited.
    """
    if step.get("step") != UPDATE:
        return []
    names = ("epochs", "learning_rate", "batch_size", "targets_replayed", "seconds", "sasrec")
    made = ", ".join(f"{name} {step[name]}" for name in names if name in step)
    data = f"data {step.get('fingerprint')}"
    if step.get("history_fingerprint"):
        data += f", history {step['history_fingerprint']}"
    return [made, data]
