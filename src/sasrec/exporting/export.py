"""Export of a trained model: one folder that programs can serve without this package."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sasrec.data.source_names import short_name
from sasrec.errors import SettingsError
from sasrec.exporting.files import (
    CARD,
    CHECK,
    FORMAT,
    ITEM_COLUMNS,
    NETWORKS,
    POPULARITY,
    SERVING,
    TITLES,
    TRAINED,
    TRAINED_USERS,
    VECTORS,
    VOCABULARY,
    Kind,
    check_target,
    write_export,
)
from sasrec.exporting.inputs import Inputs
from sasrec.exporting.network_files import write_network
from sasrec.exporting.samples import LIST, listed, sample_histories
from sasrec.exporting.strict_json import finite, without_infinity
from sasrec.exporting.verification import TOLERANCE, check_network, check_weights
from sasrec.recommender.columns_file import item_columns_as_json
from sasrec.recommender.lineage import steps_of
from sasrec.recommender.loading import load
from sasrec.recommender.recommender import Recommender

PACKAGES: dict[Kind, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "torch": (),
}
"""Packages that writing and checking a network needs."""
DATA_SETTINGS = (
    "max_history",
    "user_column",
    "item_column",
    "time_column",
    "type_column",
    "title_column",
    "item_columns",
    "clean_tokens",
    "missing_values",
    "time_format",
    "encoding",
    "separator",
    "list_suffix",
)
"""Data settings that reading requests and tables of items needs. The others may name private places
or people, such as ``items_file`` and ``where``, and do not belong in a service."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that was written and checked.

    Attributes:
        folder: The folder.
        network: Name of the file with the network.
        largest_difference: How far scores of the exported network are from those of the model, as a
            share of the largest score, or of 1 if that is smaller.
        n_bytes: Size of all files together.
    """

    folder: Path
    network: str
    largest_difference: float
    n_bytes: int


def export(
    model: str | Path | Recommender,
    out: str | Path,
    *,
    format: Kind = "onnx",  # noqa: A002 - the name of the command's option
    overwrite: bool = False,
) -> Exported:
    """Write a trained model as one folder that can be served without this package.

    The network is compared with the model before the folder gets its name.

    Args:
        model: A model folder, or a recommender.
        out: The folder to write; missing parent folders are created.
        format: Format of the network: ``onnx``, or ``torch``, which ``torch.export.load`` reads.
        overwrite: Replace an export that is already there.

    Returns:
        What was written.

    Raises:
        ModelError: The model cannot be loaded or exported, or the folder cannot be written.
        SettingsError: The format is unknown, or a package that it needs is not installed.
    """  # ModelError is raised by the parts
    if format not in tuple(NETWORKS):
        raise SettingsError(f"unknown format {format!r} of an export; choose onnx or torch")
    _require_packages(format)
    target = check_target(Path(out), overwrite=overwrite)
    recommender = _plain(model) if isinstance(model, Recommender) else load(model)
    check_weights(recommender)
    inputs = Inputs.of(recommender.model, recommender.event_types, recommender.max_history)
    differences = []

    def write_and_check(folder: Path) -> None:
        write_network(recommender, inputs, folder, format)
        differences.append(check_network(recommender, inputs, folder, format))

    texts, arrays = _texts(recommender, inputs, format), _arrays(recommender)
    size = write_export(target, texts, arrays, write_and_check, overwrite=overwrite)
    return Exported(Path(out), NETWORKS[format], differences[0], size)


def _plain(recommender: Recommender) -> Recommender:
    """Return a recommender whose model is on the CPU, in float32; a copy if it was not."""
    weights = [*recommender.model.parameters(), *recommender.model.buffers()]
    types = {each.dtype for each in weights if each.is_floating_point()}
    if recommender.answerer().scorer.device.type == "cpu" and types <= {torch.float32}:
        return recommender
    return replace(recommender, model=deepcopy(recommender.model).cpu().float())


def _require_packages(kind: Kind) -> None:
    missing = [name for name in PACKAGES[kind] if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"format {kind} needs {', '.join(missing)}, which this environment lacks; install it "
            "with: pip install 'sasrec[export]'"
        )


def _arrays(recommender: Recommender) -> dict[str, np.ndarray]:
    """Return the arrays of the folder, by file name."""
    answerer = recommender.answerer()
    arrays = {
        TRAINED: answerer.trained,
        POPULARITY: np.asarray(answerer.popularity, dtype=np.int64),
    }
    if answerer.scorer.table is not None:
        vectors = answerer.scorer.table.vectors.detach().float().cpu().numpy()
        arrays[VECTORS] = np.ascontiguousarray(vectors)
    if recommender.people is not None:
        arrays[TRAINED_USERS] = recommender.people
    return arrays


def _texts(recommender: Recommender, inputs: Inputs, kind: Kind) -> dict[str, Any]:
    """Return the contents of the JSON files of the folder, by file name."""
    items, users = recommender.items.entries.to_list(), recommender.users
    texts: dict[str, Any] = {
        SERVING: _serving(recommender, inputs, kind),
        VOCABULARY: {"items": items}
        | ({} if users is None else {"users": users.entries.to_list()}),
        CARD: finite(_card(recommender)),
        CHECK: {
            "k": LIST,
            "tolerance": TOLERANCE,
            "cases": [listed(recommender, each) for each in sample_histories(recommender)],
        },
    }
    if recommender.titles:
        texts[TITLES] = [recommender.titles.get(item) for item in items]
    if recommender.item_columns is not None:
        columns = item_columns_as_json(recommender.item_columns)
        texts[ITEM_COLUMNS] = without_infinity(columns, recommender.settings["model_name"])
    return texts


def _serving(recommender: Recommender, inputs: Inputs, kind: Kind) -> dict[str, Any]:
    """Return what a program needs to know to recommend with the network."""
    model, answerer = recommender.model, recommender.answerer()
    data = recommender.settings["data"]
    return {
        "format": FORMAT,
        "sasrec": version("sasrec"),
        "model": recommender.settings["model_name"],
        "network": {
            "file": NETWORKS[kind],
            "inputs": list(inputs.names),
            "output": "states" if model.has_item_table() else "scores",
        },
        "n_items": len(recommender.items),
        "n_users": 0 if recommender.users is None else len(recommender.users),
        "max_history": recommender.max_history,
        "needs_users": model.needs_users,
        "event_types": list(recommender.event_types),
        "asked_type": answerer.scorer.asked_type,
        "time_unit": answerer.time_unit,
        "data": {name: data[name] for name in DATA_SETTINGS if name in data},
        "evaluation": recommender.settings["evaluation"],
    }


def _card(recommender: Recommender) -> dict[str, Any]:
    """Return what people want to know about the model: data, settings, metrics, versions.

    The data are named without their folder or server, as a service may show the card to anyone.
    """
    settings: Mapping[str, Any] = recommender.settings
    source = settings.get("source")
    return {
        "source": None if source is None else short_name(source),
        "preset": settings.get("preset"),
        "model": settings.get("model"),
        "training": settings.get("training"),
        "lineage": steps_of(recommender.metrics),
        "best_epoch": recommender.metrics.get("best_epoch"),
        "reports": recommender.metrics.get("reports", []),
        "environment": recommender.environment,
        "exported_with": {name: _version(name) for name in ("torch", *PACKAGES["onnx"])},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
