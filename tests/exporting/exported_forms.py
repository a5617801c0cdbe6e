"""Models with random weights, in all forms that can be exported."""

from typing import Any

import numpy as np
import torch

from sasrec.data.content.encoded import EncodedContent
from sasrec.data.vocabulary import Vocabulary
from sasrec.models.contract import Catalogue
from sasrec.recommender.recommender import Recommender
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.registry import MODELS

N_ITEMS, N_USERS, LONGEST = 40, 8, 6
TYPES = ("view", "buy")
SMALL = {"hidden_size": 8, "inner_size": 16, "n_heads": 2}
SASREC: dict[str, dict[str, Any]] = {
    "recbole": {},
    "pre_norm_reversed": {"block": "pre_norm", "positions": "reversed", "output_norm": True},
    "paper": {"block": "paper", "input_norm": False},
    "gated_swiglu": {"block": "gated", "feed_forward": "swiglu", "norm": "rms"},
    "rotary": {"positions": "rotary", "scale_embedding": True},
    "no_positions": {"positions": "none", "residual": False, "hidden_act": "swish"},
    "by_position": {"relative_bias": "position", "hidden_act": "tanh"},
    "by_time": {"relative_bias": "time"},
    "by_both": {"relative_bias": "both", "block": "pre_norm", "positions": "none"},
    "cosine": {"similarity": "cosine", "temperature": 0.05, "hidden_act": "relu"},
    "untied": {"tied_output": False, "hidden_act": "sigmoid", "n_layers": 1},
    "types": {"event_types": "both"},
    "types_of_history": {"event_types": "history"},
    "next_type": {"event_types": "next", "relative_bias": "both"},
    "content": {"content_mix": "sum"},
    "content_gate_untied": {"content_mix": "gate", "tied_output": False},
}
OTHERS: dict[str, dict[str, Any]] = {
    "GRU4Rec": {"embedding_size": 8, "hidden_size": 12, "num_layers": 2},
    "NextItNet": {"embedding_size": 8, "block_num": 1},
    "Caser": {"embedding_size": 8},
    "BERT4Rec": SMALL,
    "FPMC": {"embedding_size": 8},
    "FMC": {"embedding_size": 8},
    "TransRec": {"embedding_size": 8},
    "BPR": {"embedding_size": 8},
}
FORMS = [*SASREC, *OTHERS]


def recommender_of(form: str, longest: int = LONGEST) -> Recommender:
    """Return random weights; items 38 to 40 and user 8 occur in no training event."""
    name = "SASRec" if form in SASREC else form
    values = SMALL | SASREC[form] if form in SASREC else OTHERS[form]
    types = TYPES if "type" in form else ()
    torch.manual_seed(1)
    content = _content() if form.startswith("content") else None
    catalogue = Catalogue(N_ITEMS, N_USERS, longest, len(types), content)
    model = MODELS[name](MODELS[name].Settings(**values), catalogue).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape) * 0.3 + (weight == 1))
    uses_users = model.uses_users
    return Recommender(
        model=model,
        items=Vocabulary([f"i{number}" for number in range(1, N_ITEMS + 1)]),
        counts=np.array([0, *range(N_ITEMS - 3, 0, -1), 0, 0, 0]),
        titles={"i1": "Ä <b>title</b>", "i3": "Three"},
        users=Vocabulary([f"u{number}" for number in range(1, N_USERS + 1)])
        if uses_users
        else None,
        settings={
            "model_name": name,
            "model": values,
            "data": DataSettings(max_history=longest).model_dump(mode="json"),
            "evaluation": EvaluationSettings().model_dump(mode="json"),
        },
        people=np.arange(N_USERS + 1) % 8 > 0 if uses_users else None,
        event_types=types,
    )


def _content() -> EncodedContent:
    items = torch.arange(N_ITEMS + 1)
    return EncodedContent(
        attributes=items[1:] % 5,
        offsets=torch.cat([torch.zeros(1, dtype=torch.long), items]),
        weights=torch.rand(N_ITEMS),
        numbers=torch.randn(N_ITEMS + 1, 2),
        has_events=(items > 0) & (items <= N_ITEMS - 5),
        n_attributes=5,
    )
