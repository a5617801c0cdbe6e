"""Reports: metrics of one model on one data set, with protocol and data fingerprint."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sasrec.data.corpus import Corpus
from sasrec.kernels import library


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics of one model on one data set.

    Attributes:
        model: Name of the model.
        validation: Metric key to value on the validation cases; empty if there are none.
        test: The same for the test cases.
        protocol: A sentence that describes how the metrics were measured.
        dataset: Name, size and fingerprint of the data.
        ranks: ``validation`` and ``test`` to the rank of each target, int64 [M]; not in the JSON.
    """

    model: str
    validation: dict[str, float]
    test: dict[str, float]
    protocol: str
    dataset: dict[str, Any]
    ranks: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return everything except ``ranks``, in types JSON has."""
        return {name: value for name, value in asdict(self).items() if name != "ranks"}


def describe_corpus(corpus: Corpus) -> dict[str, Any]:
    """Return the name, size and fingerprint of a data set.

    Args:
        corpus: The data set.

    Returns:
        A dictionary of types JSON has.
    """
    return {
        "name": corpus.name,
        "users": len(corpus.users),
        "items": len(corpus.items),
        "interactions": corpus.sequences.n_events,
        "fingerprint": corpus.sequences.fingerprint(),
    }


def environment() -> dict[str, str]:
    """Return the versions and hardware that affect results."""
    packages = ("sasrec", "torch", "numpy", "polars", "pydantic")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "threads": str(torch.get_num_threads()),
        "kernels": library.available_kernels(),
        **{name: version(name) for name in packages},
    }
