"""Writing the network of a model, in either format."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from sasrec.errors import ModelError
from sasrec.exporting.files import NETWORKS, Kind
from sasrec.exporting.inputs import Inputs
from sasrec.exporting.networks import is_built_in, network_of
from sasrec.exporting.onnx_file import write_onnx
from sasrec.exporting.tracing import traced
from sasrec.recommender.recommender import Recommender

if TYPE_CHECKING:
    from torch.export import ExportedProgram

ADVICE = (
    "a plug-in must use operators that {} has, take sizes from x.shape instead of len(x), and not "
    "turn tensors into Python numbers, as int(x) does"
)


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
    model, path = recommender.model, folder / NETWORKS[kind]
    try:
        program = traced(network_of(model, inputs, kind), inputs)
        if kind == "onnx":
            write_onnx(program, path, "states" if model.has_item_table() else "scores")
        else:
            _save(program, path)
    except OSError:
        raise
    except Exception as error:  # PyTorch raises errors of many kinds for what it cannot export
        advice = "" if is_built_in(model) else f"; {ADVICE.format(kind)}"
        name = recommender.settings["model_name"]
        raise ModelError(
            f"{name} cannot be exported to {kind}: {_reason(error)}{advice}"
        ) from error


def _save(program: ExportedProgram, path: Path) -> None:
    """Write a traced network for ``torch.export.load``.

    It is first written to memory, because PyTorch ends the process if the disk is full.
    """
    import torch
    from torch import fx

    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # paths and lines of the Python code
    content = io.BytesIO()
    torch.export.save(program, content)
    path.write_bytes(content.getbuffer())


def _reason(error: BaseException) -> str:
    """Return the first cause of an error on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:300] or type(error).__name__
