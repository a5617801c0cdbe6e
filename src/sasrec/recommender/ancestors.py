"""The chain of models that a model was made from, and whether they are still there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sasrec.errors import SasrecError
from sasrec.recommender.contents import read_without_weights


def chain_of(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps of a model's lineage, each with the state of the folder it began from.

    Args:
        steps: The lineage, the first step first.

    Returns:
        The same steps with ``parent``: ``unchanged``, ``changed``, ``missing`` or ``not saved``.
    """
    return [{**step, "parent": state_of(step)} for step in steps]


def state_of(step: Mapping[str, Any]) -> str:
    """Return whether the folder that a step began from is still what it was.

    Args:
        step: A step of a lineage, perhaps edited.
    """
    folder, digest = step.get("model"), step.get("digest")
    if not isinstance(folder, str) or not folder:
        return "not saved"
    try:
        if not Path(folder).is_dir():
            return "missing"
        manifest = read_without_weights(Path(folder)).manifest
    except (SasrecError, OSError, ValueError):
        return "changed"
    own = None if manifest is None else manifest.digest
    return "unchanged" if own == digest else "changed"
