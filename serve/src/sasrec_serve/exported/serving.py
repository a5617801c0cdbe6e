"""``serving.json``: what a program needs to know to recommend with the network of an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sasrec_serve.errors import ExportError

SERVING = "serving.json"
FORMAT = 1
"""Version of the folder format; a folder with a higher one is refused."""
INPUTS = ("items", "lengths", "times", "users", "types", "next_type")
OUTPUTS = ("states", "scores")


@dataclass(frozen=True, slots=True)
class Serving:
    """The contents of ``serving.json``.

    Attributes:
        model: Name of the model, such as ``SASRec``.
        inputs: Names of the network's inputs.
        output: ``states``, to be multiplied with item vectors, or ``scores`` of all items.
        n_items: Items in the catalogue, padding not counted.
        n_users: Users with a vector of their own; 0 for models without.
        max_history: Number of latest events of a history that the model uses.
        needs_users: Whether scores depend on the user only.
        event_types: Names of the event types the model knows, number 1 first.
        asked_type: Number of the type that is predicted unless the request names one; 0 for any.
        time_unit: Unit of the times of the training; None if it is not known.
        data: Data settings of the training.
    """

    model: str
    inputs: tuple[str, ...]
    output: str
    n_items: int
    n_users: int
    max_history: int
    needs_users: bool
    event_types: tuple[str, ...]
    asked_type: int
    time_unit: str | None
    data: dict[str, Any]

    @property
    def needs_times(self) -> bool:
        """Whether the network reads the times of events."""
        return "times" in self.inputs

    @property
    def uses_users(self) -> bool:
        """Whether the network reads the user."""
        return "users" in self.inputs


def serving_of(content: dict[str, Any], where: str) -> Serving:
    """Return the contents of ``serving.json``, checked.

    Args:
        content: Its JSON.
        where: The file, for error messages.

    Returns:
        The contents.

    Raises:
        ExportError: The folder is of a newer version, or has a network of another kind.
        ValueError: A value is missing or invalid.
    """
    if content["format"] > FORMAT:
        raise ExportError(
            f"{where} was written by sasrec {str(content.get('sasrec'))[:40]} in format "
            f"{content['format']}; this version reads up to format {FORMAT}: upgrade with "
            "'pip install --upgrade sasrec-serve'"
        )
    network = content["network"]
    if not str(network["file"]).endswith(".onnx"):
        raise ExportError(
            f"{where} names the network {network['file']!r}, which only PyTorch can run; export "
            "the model with --format onnx"
        )
    inputs = tuple(network["inputs"])
    if not set(inputs) <= set(INPUTS) or network["output"] not in OUTPUTS:
        raise ExportError(
            f"{where} has a network with inputs {', '.join(map(repr, inputs))} and output "
            f"{network['output']!r}, which this version does not know; upgrade with "
            "'pip install --upgrade sasrec-serve'"
        )
    if not {"items", "lengths"} <= set(inputs):
        raise ValueError("the network has no inputs 'items' and 'lengths'")
    names = tuple(map(str, content["event_types"]))
    return Serving(
        model=str(content["model"]),
        inputs=inputs,
        output=network["output"],
        n_items=_count(content, "n_items"),
        n_users=_count(content, "n_users"),
        max_history=_count(content, "max_history", least=1),
        needs_users=bool(content["needs_users"]),
        event_types=names,
        asked_type=_count(content, "asked_type", most=len(names)),
        time_unit=content.get("time_unit"),
        data=dict(content["data"]),
    )


def _count(content: dict[str, Any], key: str, *, least: int = 0, most: int = 2**31 - 2) -> int:
    value = content[key]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{key!r} is {value!r}; it must be from {least} to {most}")
    return value
