"""Runs RecBole with many configurations and records its outcomes; run by parity.py.

Reads a JSON list of cases from the first file, and writes a JSON list of outcomes to the second.
A case is {"dataset", "data_path", "config", "metrics"}; if metrics is true, a model is trained for
one epoch and evaluated by RecBole, and its weights are saved for our side.
"""

import copy
import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

warnings.filterwarnings("ignore")
np.bool = np.bool_  # RecBole's GAUC uses a name that NumPy removed
_load = torch.load
torch.load = lambda *words, **names: _load(*words, **{**names, "weights_only": False})

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.evaluator.collector import Collector  # noqa: E402
from recbole.utils import get_model, get_trainer, init_seed  # noqa: E402
from safetensors.torch import save_file  # noqa: E402


def collected(collector):
    """Return the collected data; RecBole's own version crashes on counts that are not tensors.

    Args:
        collector: RecBole's collector.

    Returns:
        A copy of the data; data of a single evaluation are deleted from the collector.
    """
    found = copy.deepcopy(collector.data_struct)
    for key in ("rec.topk", "rec.meanrank", "rec.score", "rec.items", "data.label"):
        if key in collector.data_struct:
            del collector.data_struct[key]
    return found


Collector.get_data_struct = collected
SIZES = [
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
]


def digest(part) -> dict:
    """Return the number of cases of a part, and a checksum of all of them.

    Args:
        part: A prepared part of the data.

    Returns:
        Cases, sum of history lengths, and a checksum of all users, histories and targets.
    """
    dataset, rows = part.dataset, []
    features = dataset.inter_feat
    users = dataset.id2token("user_id", features["user_id"].numpy())
    items = dataset.id2token("item_id", features["item_id"].numpy())
    lengths = features["item_length"].numpy()
    lists = dataset.id2token("item_id", features["item_id_list"].numpy())
    for user, item, length, history in zip(users, items, lengths, lists, strict=True):
        rows.append(f"{user}|{' '.join(history[:length])}|{item}")
    text = "\n".join(sorted(rows))
    return {
        "cases": len(rows),
        "lengths": int(lengths.sum()),
        "checksum": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def outcome(case: dict, number: int, folder: Path) -> dict:
    """Prepare the data, and train and evaluate if metrics are requested.

    Args:
        case: One configuration.
        number: Number of the case, for file names.
        folder: Folder for the weights.

    Returns:
        Sizes and digests, or the error.
    """
    values = {
        "train_neg_sample_args": None,
        "show_progress": False,
        "use_gpu": False,
        "data_path": case["data_path"],
        "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
        "state": "CRITICAL",
        "checkpoint_dir": str(folder / "saved"),
        **case["config"],
    }
    if case["data_path"] is None:
        del values["data_path"]
    try:
        config = Config(model="SASRec", dataset=case["dataset"], config_dict=values)
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        parts = data_preparation(config, dataset)
    except Exception as error:  # both sides may reject it
        return {"error": f"{type(error).__name__}: {error}"}
    found = {"users": dataset.user_num - 1, "items": dataset.item_num - 1}
    for name, part in zip(("train", "valid", "test"), parts, strict=True):
        found[name] = digest(part)
    if case["metrics"]:
        model = get_model("SASRec")(config, parts[0].dataset).to("cpu")
        trainer = get_trainer(config["MODEL_TYPE"], "SASRec")(config, model)
        trainer.fit(parts[0], parts[1], saved=True, show_progress=False)
        result = trainer.evaluate(parts[2], load_best_model=True, show_progress=False)
        found["metrics"] = {key: float(value) for key, value in result.items()}
        weights = torch.load(trainer.saved_model_file)["state_dict"]
        tables = {
            f"tokens/{kind}s": torch.frombuffer(
                bytearray(
                    json.dumps(list(map(str, dataset.field2id_token[f"{kind}_id"][1:]))).encode()
                ),
                dtype=torch.uint8,
            )
            for kind in ("user", "item")
        }
        save_file(
            {**{name: value.contiguous() for name, value in weights.items()}, **tables},
            str(folder / f"{number}.safetensors"),
            {"config": json.dumps({name: config[name] for name in SIZES})},
        )
    return found


cases = json.loads(Path(sys.argv[1]).read_text())
target = Path(sys.argv[2])
sys.argv = sys.argv[:1]  # RecBole reads the command line itself
target.write_text(
    json.dumps([outcome(case, number, target.parent) for number, case in enumerate(cases)])
)
