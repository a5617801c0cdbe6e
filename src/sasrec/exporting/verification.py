"""Comparing an exported network with the model it was made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sasrec.errors import ModelError
from sasrec.exporting.files import NETWORKS, Kind
from sasrec.exporting.inputs import Inputs
from sasrec.exporting.networks import is_built_in
from sasrec.exporting.samples import queries_of, sample_histories
from sasrec.recommender.recommender import Recommender

TOLERANCE = 1e-4
"""Largest difference of scores, as a share of the largest score, or of 1 if that is smaller:
float32 sums in another order."""
MOST_ITEMS = 10_000
"""Number of items whose scores are compared, evenly spread over the catalogue."""

Run = Callable[[dict[str, np.ndarray]], np.ndarray]
"""Computes the output of a network from its inputs."""


def onnx_runner(path: Path) -> Run:
    """Return a function that runs an ONNX file.

    Args:
        path: The file.

    Returns:
        The function.
    """
    # It would otherwise report how it is used to its makers, over the network.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        output: np.ndarray = session.run(None, inputs)[0]
        return output

    return run


def torch_runner(path: Path) -> Run:
    """Return a function that runs a network written by ``torch.export``.

    Args:
        path: The file.

    Returns:
        The function.
    """
    import torch

    network = torch.export.load(path).module()

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        with torch.no_grad():
            output = network(**{name: torch.from_numpy(each) for name, each in inputs.items()})
        found: np.ndarray = output.numpy()
        return found

    return run


RUNNERS: dict[Kind, Callable[[Path], Run]] = {"onnx": onnx_runner, "torch": torch_runner}


def largest_difference(recommender: Recommender, inputs: Inputs, run: Run) -> float:
    """Return how far scores of an exported network are from those of the model.

    Args:
        recommender: The model.
        inputs: Inputs of the network.
        run: Runs the network.

    Returns:
        The largest difference for the sample histories, in one batch and each alone, as a share of
        the largest score, or of 1 if that is smaller.
    """
    samples = sample_histories(recommender)
    queries = queries_of(recommender, samples)
    if not len(queries):
        return 0.0
    numbers = np.unique(np.linspace(1, len(recommender.items), MOST_ITEMS, dtype=np.int64))
    scorer = recommender.answerer().scorer
    expected = scorer.scores(queries, numbers)
    found = [_scores(recommender, run(inputs.arrays(queries, scorer.asked_type)), numbers)]
    alone = [inputs.arrays(queries.only(i), scorer.asked_type) for i in range(len(queries))]
    found.append(np.concatenate([_scores(recommender, run(one), numbers) for one in alone]))
    size = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(np.stack(found) - expected).max()) / size  # NaN if any score is NaN


def _scores(recommender: Recommender, output: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    table = recommender.answerer().scorer.table
    if table is None:
        return output[:, numbers]
    vectors: np.ndarray = table.vectors.detach()[numbers].float().cpu().numpy()
    scores: np.ndarray = output @ vectors.T
    return scores


def check_weights(recommender: Recommender) -> None:
    """Raise an error if a weight of a model is not a finite number.

    Args:
        recommender: The model.

    Raises:
        ModelError: A weight is NaN or infinite.
    """
    for name, weight in recommender.model.named_parameters():
        if n_bad := int((~weight.isfinite()).sum()):
            raise ModelError(
                f"{recommender.settings['model_name']} cannot be exported: {n_bad:,} numbers of "
                f"its weight {name!r} are NaN or infinite; train it again, with a lower "
                "learning_rate if that repeats"
            )


def check_network(recommender: Recommender, inputs: Inputs, folder: Path, kind: Kind) -> float:
    """Compare a written network with its model.

    Args:
        recommender: The model.
        inputs: Inputs of the network.
        folder: Contains the network.
        kind: Its format.

    Returns:
        The largest difference of scores.

    Raises:
        ModelError: The scores differ by more than rounding.
    """
    found = largest_difference(recommender, inputs, RUNNERS[kind](folder / NETWORKS[kind]))
    if not found <= TOLERANCE:
        name = recommender.settings["model_name"]
        advice = (
            ""
            if is_built_in(recommender.model)
            else ("; a plug-in must compute the same for windows with padding after their events")
        )
        raise ModelError(
            f"{name} cannot be exported: scores of the exported network differ by {found:.2g}, and "
            f"at most {TOLERANCE:g} is rounding{advice}"
        )
    return found
