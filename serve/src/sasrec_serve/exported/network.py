"""The network of an export, run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sasrec_serve.errors import ExportError
from sasrec_serve.exported.manifest import AGAIN
from sasrec_serve.exported.serving import Serving
from sasrec_serve.queries import Queries

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NETWORK, WEIGHTS = "network.onnx", "network.onnx.data"
BATCH = 64
"""Histories computed at once; of similar lengths, so that there is little padding."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network; its methods may be called from several threads.

    Attributes:
        session: The network in ONNX Runtime; it computes with one thread.
        names: Names of its inputs.
        longest: Number of latest events that it reads.
    """

    session: InferenceSession
    names: tuple[str, ...]
    longest: int

    @classmethod
    def load(cls, folder: Path, serving: Serving) -> Network:
        """Load the network of an export.

        Args:
            folder: Contains ``network.onnx``.
            serving: What its network is like.

        Returns:
            The network.

        Raises:
            ExportError: ONNX Runtime cannot load the network, or it has other inputs.
        """
        # It would otherwise report how it is used to its makers, over the network.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # it would keep memory for every shape of a batch
        try:
            session = onnxruntime.InferenceSession(
                str(folder / NETWORK), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common class for its errors
            reason = " ".join(str(error).split())[:300]
            raise ExportError(
                f"{folder / NETWORK} cannot be loaded by ONNX Runtime "
                f"{onnxruntime.__version__} ({reason}); {AGAIN}"
            ) from error
        names = {each.name for each in session.get_inputs()}
        if names != set(serving.inputs):
            raise ExportError(
                f"{folder / NETWORK} has the inputs {', '.join(sorted(names))}, and not those in "
                f"serving.json; {AGAIN}"
            )
        return cls(session, serving.inputs, serving.max_history)

    def check_width(self, width: int) -> None:
        """Raise an error if the output has another number of columns.

        Args:
            width: The right number.

        Raises:
            ValueError: It has another.
        """
        found = self.session.get_outputs()[0].shape[-1]
        if isinstance(found, int) and found != width:  # otherwise the name of a size
            raise ValueError(
                f"the network's output has {found} numbers for each history instead of {width}"
            )

    def outputs(self, queries: Queries, asked_type: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Compute the network's output, with bounded memory.

        Args:
            queries: The histories.
            asked_type: Number of the type of the event to be predicted; 0 for any type.

        Yields:
            Indices of some histories, int64 [b], and their output, float32 [b, n].
        """
        lengths = [min(len(each), self.longest) for each in queries.items]
        order = np.argsort(lengths, kind="stable")
        for begin in range(0, len(order), BATCH):
            some = order[begin : begin + BATCH]
            yield some, self.run(queries.of(some), asked_type)

    def run(self, queries: Queries, asked_type: int) -> np.ndarray:
        """Return the network's output for one batch, float32 [b, n].

        Args:
            queries: At least one history.
            asked_type: Number of the type of the event to be predicted; 0 for any type.
        """
        inputs = queries.inputs(self.names, self.longest, asked_type)
        output: np.ndarray = self.session.run(None, inputs)[0]
        return output
