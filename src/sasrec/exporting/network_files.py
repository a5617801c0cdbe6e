"""Writing the network of a model, in either format."""

from __future__ import annotations

from pathlib import Path

from sasrec.errors import ModelError
from sasrec.exporting.files import NETWORKS, Kind
from sasrec.exporting.inputs import Inputs
from sasrec.exporting.networks import network_of
from sasrec.exporting.onnx_file import write_onnx
from sasrec.exporting.tracing import traced
from sasrec.recommender.recommender import Recommender


def write_network(recommender: Recommender, inputs: Inputs, folder: Path, kind: Kind) -> None:
    """Write the network of a model to a folder.

    Args:
        recommender: The model.
        inputs: Inputs of the network.
        folder: An existing folder.
        kind: Format of the network.

    Raises:
        ModelError: The model has an operator that the format does not.
        OSError: The file cannot be written.
    """
    import torch

    model, path = recommender.model, folder / NETWORKS[kind]
    try:
        program = traced(network_of(model, inputs, kind), inputs)
        if kind == "onnx":
            write_onnx(program, path, "states" if model.has_item_table() else "scores")
        else:
            torch.export.save(program, path)
    except OSError:
        raise
    except Exception as error:  # PyTorch raises errors of many kinds for what it cannot export
        raise ModelError(
            f"{recommender.settings['model_name']} cannot be exported to {kind}: "
            f"{_reason(error)}; a plug-in must use operators that {kind} has, take sizes from "
            "x.shape instead of len(x), and not turn tensors into Python numbers, as int(x) does"
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first cause of an error on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:300] or type(error).__name__
