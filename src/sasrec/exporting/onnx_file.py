"""Writing a network as ONNX."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from sasrec.exporting.tracing import plain_attention

OPSET = 20
"""Version of the ONNX operators."""
LARGEST_EXPONENT = 63
"""Of the numbers whose exponent is asked for; gaps between times are below 2**62."""


def write_onnx(program: ExportedProgram, path: Path, output: str) -> None:
    """Write a traced network as ONNX, and its weights to a second file, ``PATH.data``.

    ONNX Runtime maps the second file into memory instead of reading it: with a million items, it
    loads the network in 10 milliseconds instead of a second.

    Args:
        program: The traced network.
        path: The file to write, which must end in ``.onnx``.
        output: Name of the network's output.
    """
    with _quiet(), plain_attention():
        found = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            output_names=[output],
            custom_translation_table=_translations(),
            optimize=True,
            verbose=False,
        )
        assert found is not None  # noqa: S101 - for the type checker; it is None if a path is given
        for node in found.model.graph.all_nodes():
            node.metadata_props.clear()  # paths and lines of the Python code
        found.save(path, external_data=True)


def _translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return translations to ONNX of operators that PyTorch does not translate."""
    from onnxscript import opset20 as op

    def frexp(values: Any) -> Any:
        """Return mantissas and exponents of positive numbers from 0.5 to 2**62."""
        powers = op.Constant(value_floats=[2.0**n for n in range(-1, LARGEST_EXPONENT + 1)])
        # The logarithm is off by rounding next to powers of two; the comparisons correct it.
        guess = op.Cast(op.Floor(op.Div(op.Log(values), op.Log(2.0))), to=7)
        guess = op.Where(op.Less(values, op.Gather(powers, guess + 1)), guess - 1, guess)
        above = op.GreaterOrEqual(values, op.Gather(powers, guess + 2))
        exponent = op.Where(above, guess + 2, guess + 1)
        mantissa = op.Div(values, op.Gather(powers, exponent + 1))
        return mantissa, op.Cast(exponent, to=6)

    def gru_layer(values: Any, inputs: Any, state: Any) -> Any:
        """Return the outputs of a GRU layer; ONNX has the first two gates in the other order."""
        first, hidden = op.Transpose(values, perm=[1, 0, 2]), state.shape[1]
        weights = [op.Unsqueeze(_gates_of_onnx(op, each, hidden), [0]) for each in (inputs, state)]
        outputs, _ = op.GRU(first, *weights, hidden_size=hidden, linear_before_reset=1)
        return op.Transpose(op.Squeeze(outputs, [1]), perm=[1, 0, 2])

    return {
        torch.ops.aten.frexp.Tensor: frexp,
        torch.ops.sasrec.gru_layer.default: gru_layer,
    }


def _gates_of_onnx(op: Any, weights: Any, hidden: int) -> Any:
    """Return weights [3 h, n] with the gates reset, update, new as update, reset, new."""
    gates = [range(hidden, 2 * hidden), range(hidden), range(2 * hidden, 3 * hidden)]
    order = op.Constant(value_ints=[row for gate in gates for row in gate])
    return op.Gather(weights, order, axis=0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's messages about itself from the user's terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
