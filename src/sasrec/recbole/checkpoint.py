"""RecBole's checkpoint, converted: the script that converts it, and what that has written.

A checkpoint is a pickle that holds objects of RecBole's own, so it cannot be read safely as it is.
``SCRIPT``, run where RecBole is installed, writes weights, settings and the tables of tokens into a
plain safetensors file, and that is what is read.
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
"""What RecBole was told of the data; what it was not told is left out."""
USERS, ITEMS = "tokens/users", "tokens/items"
"""Names of the tables of tokens in the converted file: JSON lists as bytes, in RecBole's order."""
SCRIPT = f"""\
# Run this where RecBole and safetensors are installed, in the folder in which RecBole was run, so
# that it finds the data the model was trained on:
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
    sys.exit(f"the model knows {{rows}} items and the data hold {{items}}: these are other data")
save_file(weights, sys.argv[2], {{"config": json.dumps(values)}})
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What ``SCRIPT`` has written.

    Attributes:
        weights: RecBole's names to weights.
        values: RecBole's keys to what they were: sizes of the model, filters of the data.
        items: Token of each item number, in RecBole's numbers.
        users: The same of users.
    """

    weights: dict[str, Tensor]
    values: dict[str, Any]
    items: Vocabulary
    users: Vocabulary


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the weights, settings and tokens of a checkpoint that ``SCRIPT`` has written.

    Args:
        path: The safetensors file.

    Returns:
        The checkpoint.

    Raises:
        ModelError: It is missing, damaged, without tables of tokens, of another model, or a RecBole
            checkpoint as it is, which cannot be read safely; the text holds the way out.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if path.suffix != ".safetensors":
        raise ModelError(
            f"{path} is a pickle, which could execute anything; save the script that 'sasrec "
            "recbole import --script' prints as convert.py, run 'python convert.py "
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
            f"{path} names no sizes; write it with the script that 'sasrec recbole import "
            "--script' prints"
        ) from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} names no sizes; its metadata 'config' is no JSON object")
    if (model := values.pop("model", "SASRec")) != "SASRec":
        raise ModelError(f"{path} holds RecBole's {model}; only its SASRec can be imported")
    items, users = (_tokens(weights, name, path) for name in (ITEMS, USERS))
    for name, weight in weights.items():
        if not weight.is_floating_point() or not weight.isfinite().all():
            raise ModelError(f"{path}: the weight {name!r} holds what is no finite number")
    return Checkpoint(weights, values, items, users)


def _tokens(weights: dict[str, Tensor], name: str, path: Path) -> Vocabulary:
    """Return a table of tokens, and take it out of what the file holds.

    Args:
        weights: All tensors of the file.
        name: Of the table.
        path: The file, for an error text.

    Returns:
        The tokens.

    Raises:
        ModelError: It is not there, or no list of distinct texts.
    """
    if name not in weights:
        raise ModelError(
            f"{path} has no tables of tokens, so nothing says which vector belongs to which item; "
            "convert the checkpoint again with the script that 'sasrec recbole import --script' "
            "prints"
        )
    table = weights.pop(name)
    try:
        found = json_within_limits(table.numpy().tobytes(), allowed_values=len(table))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {name}: {error}") from error
    is_list = isinstance(found, list) and all(isinstance(token, str) for token in found)
    if not is_list or len(set(found)) < len(found):
        raise ModelError(f"{path} is damaged: {name}: it is no list of distinct texts")
    return Vocabulary(found)
