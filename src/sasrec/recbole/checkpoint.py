"""Reads RecBole checkpoints that were converted to safetensors, and holds the conversion script.

A RecBole checkpoint is a pickle with RecBole's own objects, so it cannot be read safely.
``SCRIPT``, run where RecBole is installed, writes weights, settings and token tables to a
safetensors file, which is then read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sasrec.data.vocabulary import Vocabulary
from sasrec.errors import ModelError
from sasrec.system.json_limits import json_within_limits

MODEL_KEYS = (
    "hidden_size",
    "inner_size",
    "n_layers",
    "n_heads",
    "hidden_dropout_prob",
    "attn_dropout_prob",
    "hidden_act",
    "layer_norm_eps",
    "initializer_range",
    "loss_type",
    "MAX_ITEM_LIST_LENGTH",
)
DATA_KEYS = (
    "USER_ID_FIELD",
    "ITEM_ID_FIELD",
    "TIME_FIELD",
    "LIST_SUFFIX",
    "field_separator",
    "seq_separator",
    "load_col",
    "unload_col",
    "rm_dup_inter",
    "val_interval",
    "filter_inter_by_user_or_item",
    "user_inter_num_interval",
    "item_inter_num_interval",
    "normalize_field",
    "normalize_all",
    "benchmark_filename",
    "eval_args",
)
"""RecBole's settings of the data; those that are not set are left out of the converted file."""
USERS, ITEMS = "tokens/users", "tokens/items"
"""Names of the token tables in the converted file: JSON lists as bytes, in RecBole's order."""
SCRIPT = f"""\
# Run this where RecBole and safetensors are installed, in the folder in which the model was
# trained, so that the training data are found:
#     python convert.py saved/SASRec-….pth sasrec.safetensors
import json, sys, torch
from recbole.data import create_dataset
from safetensors.torch import save_file

checkpoint = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
config = checkpoint["config"]
config.compatibility_settings()
names = {["model", *MODEL_KEYS, *DATA_KEYS]}
values = {{name: config[name] for name in names if config[name] is not None}}
weights = {{name: value.contiguous() for name, value in checkpoint["state_dict"].items()}}
dataset = create_dataset(config)
for name, field in (("{USERS}", "USER_ID_FIELD"), ("{ITEMS}", "ITEM_ID_FIELD")):
    tokens = [str(token) for token in dataset.field2id_token[config[field]][1:]]
    weights[name] = torch.frombuffer(bytearray(json.dumps(tokens).encode()), dtype=torch.uint8)
rows, items = len(weights["item_embedding.weight"]) - 1, dataset.item_num - 1
if rows != items:
    sys.exit(f"the model has {{rows}} items and the data have {{items}}: not the training data")
save_file(weights, sys.argv[2], {{"config": json.dumps(values)}})
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Contents of a file written by ``SCRIPT``.

    Attributes:
        weights: RecBole's names to weights.
        values: RecBole's settings by RecBole's keys: sizes of the model, filters of the data.
        items: Item tokens in the order of RecBole's item numbers.
        users: User tokens in the order of RecBole's user numbers.
    """

    weights: dict[str, Tensor]
    values: dict[str, Any]
    items: Vocabulary
    users: Vocabulary


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the weights, settings and tokens of a checkpoint converted by ``SCRIPT``.

    Args:
        path: The safetensors file.

    Returns:
        The checkpoint.

    Raises:
        ModelError: The file is missing, damaged, without token tables, of another model, or a
            RecBole checkpoint that was not converted; the text says how to convert it.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: no such file; give the path of a converted checkpoint")
    if path.suffix != ".safetensors":
        raise ModelError(
            f"{path} is a pickle, which could execute code when read; save the output of 'sasrec "
            "recbole import --script' as convert.py, run 'python convert.py "
            f"{path} sasrec.safetensors' where RecBole is installed, and import that file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            values = json_within_limits((file.metadata() or {})["config"])
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    except KeyError as error:
        raise ModelError(
            f"{path} does not hold the sizes of the model; write it with the script that 'sasrec "
            "recbole import --script' prints"
        ) from error
    if not isinstance(values, dict):
        raise ModelError(
            f"{path} does not hold the sizes of the model: its metadata 'config' is not a JSON "
            "object; convert the checkpoint again"
        )
    if (model := values.pop("model", "SASRec")) != "SASRec":
        raise ModelError(f"{path} holds RecBole's {model}; only SASRec can be imported")
    items, users = (_tokens(weights, name, path) for name in (ITEMS, USERS))
    for name, weight in weights.items():
        if not weight.is_floating_point() or not weight.isfinite().all():
            raise ModelError(
                f"{path}: the weight {name!r} has values that are NaN, infinite or not floats; "
                "train the model again"
            )
    return Checkpoint(weights, values, items, users)


def _tokens(weights: dict[str, Tensor], name: str, path: Path) -> Vocabulary:
    """Return a token table, and remove it from the tensors.

    Args:
        weights: All tensors of the file; changed.
        name: Name of the table.
        path: The file, for error texts.

    Returns:
        The tokens.

    Raises:
        ModelError: The table is missing, or not a list of distinct strings.
    """
    if name not in weights:
        raise ModelError(
            f"{path} has no token tables, which map vectors to items; convert the checkpoint "
            "again with the script that 'sasrec recbole import --script' prints"
        )
    table = weights.pop(name)
    try:
        found = json_within_limits(table.numpy().tobytes(), allowed_values=len(table))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {name}: {error}") from error
    is_list = isinstance(found, list) and all(isinstance(token, str) for token in found)
    if not is_list or len(set(found)) < len(found):
        raise ModelError(f"{path} is damaged: {name} is not a list of distinct strings")
    return Vocabulary(found)
