"""Prints the result of a search."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from sasrec.cli.output_paths import model_folder_name
from sasrec.errors import counted

if TYPE_CHECKING:
    from sasrec.tuning.found import Found


def print_found(found: Found, data: str, *, as_json: bool) -> None:
    """Print the best settings of a search.

    Args:
        found: The result of the search.
        data: Name or path of the data.
        as_json: Print only one JSON object.
    """
    if as_json:
        print(json.dumps(_as_json(found)))
        return
    also = f", {found.failed} failed" if found.failed else ""
    best = f"{found.watched} {found.score:.4f} (validation)"
    print(f"best of {counted(found.judged, 'trial')}{also}: {best}")
    for key, value in found.settings.items():
        print(f"  {key}: {short(value)}")
    for sentence in found.sentences():
        print(sentence)
    if found.folder is None:
        return
    print(
        f"saved in {found.folder}: best.yaml, search.html and its pictures. To train with the "
        "best settings:"
    )
    model = "" if found.model == "SASRec" else f" --model {found.model}"
    file = shlex.quote(str(found.folder / "best.yaml"))
    # Another folder than the default, so that a model trained before the search is not replaced.
    out = shlex.quote(f"saved/{model_folder_name(data, found.model)}-tuned")
    print(f"  sasrec train -d {shlex.quote(data)}{model} --config {file} --out {out}")
    if "epochs" in found.fixed:
        print(
            f"best.yaml contains epochs: {found.fixed['epochs']}, which was given for the search; "
            "add --epochs=N to train longer"
        )


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "valid_metric": found.watched,
        "validation": found.score,
        "settings": dict(found.settings),
        "trials": found.judged,
        "failed": found.failed,
        "tests": [dict(test) for test in found.tests],
    }


def short(value: Any) -> str:
    """Return the value of a setting as a short text.

    Args:
        value: The value.

    Returns:
        Floats with four significant digits, other values in full.
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
