"""Models other than SASRec: RecBole's scores and losses, and the model contract."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.batching import Batch
from sasrec.data.corpus import build_corpus
from sasrec.data.sources import load_corpus
from sasrec.data.synthetic import checkerboard
from sasrec.experiment.run import run_experiment
from sasrec.losses.full import softmax_cross_entropy
from sasrec.losses.sampled import bpr
from sasrec.models.bert4rec import BERT4Rec
from sasrec.models.contract import Catalogue, NextItemModel
from sasrec.models.transrec import distances
from sasrec.settings.registry import MODELS
from sasrec.settings.resolve import resolve_settings
from sasrec.training.progress import LogObserver

GOLDEN = Path(__file__).parent.parent / "golden"
RENAMED = {
    "gru_layers.": "gru.",
    "dense.": "output.",
    "conv_v.": "vertical.",
    "conv_h.": "horizontal.",
    "fc1.": "mix.",
    "fc2.": "join.",
    "UI_emb.": "user_embedding.",
    "IU_emb.": "user_item_embedding.",
    "LI_emb.": "last_embedding.",
    "IL_emb.": "next_embedding.",
    "T": "translation",
    "trm_encoder.layer.": "blocks.",
    "LayerNorm.": "norm.",
    "output_ffn.": "transform.",
    "output_ln.": "transform_norm.",
    "output_bias": "bias",
}
INNER = {
    "multi_head_attention.dense.": "attention.output.",
    "multi_head_attention.LayerNorm.": "attention_norm.",
    "feed_forward.dense_1.": "feed_forward.up.",
    "feed_forward.dense_2.": "feed_forward.down.",
    "feed_forward.LayerNorm.": "feed_forward_norm.",
}
SMALL = {"embedding_size": 16}
PARITY = {  # vectors: model, settings, longest history
    "gru4rec_ce": ("GRU4Rec", SMALL | {"hidden_size": 24}, 20),
    "caser_ce": ("Caser", SMALL, 12),
    "fpmc_bpr": ("FPMC", SMALL, 12),
    "transrec_bpr": ("TransRec", SMALL, 12),
    "bpr": ("BPR", SMALL, 50),
    "bert4rec_ce": ("BERT4Rec", {"hidden_size": 16, "inner_size": 32}, 19),
}
NAMES = [name for name in MODELS if name != "SASRec"]
every_rival = pytest.mark.parametrize("name", NAMES)


def batch_of(histories: list[list[int]], users: list[int] | None = None) -> Batch:
    offsets = torch.tensor([0, *np.cumsum([len(history) for history in histories])])
    items = torch.tensor([item for history in histories for item in history])
    whose = torch.tensor(users or [0] * len(histories))
    return Batch(items, offsets, torch.zeros_like(items), whose, None, max(map(len, histories)))


def build(
    name: str, n_items: int = 30, n_users: int = 9, longest: int = 8, **values: object
) -> NextItemModel:
    settings = MODELS[name].Settings(**values)
    model: NextItemModel = MODELS[name](settings, Catalogue(n_items, n_users, longest))
    return model


def renamed(weights: dict[str, torch.Tensor], model: NextItemModel) -> dict[str, torch.Tensor]:
    """Return RecBole's weights under our names; its three projections are combined into one."""
    ours: dict[str, torch.Tensor] = {}
    for key, value in weights.items():
        name = key
        for theirs, new in RENAMED.items():
            if key.startswith(theirs) or key == theirs:
                name = new + key.removeprefix(theirs)
                break
        for theirs, new in INNER.items():
            name = name.replace(theirs, new)
        ours[name] = value
    for block in range(len(getattr(model, "blocks", []))):
        for kind in ("weight", "bias"):
            parts = [
                ours.pop(f"blocks.{block}.multi_head_attention.{part}.{kind}")
                for part in ("query", "key", "value")
            ]
            ours[f"blocks.{block}.attention.query_key_value.{kind}"] = torch.cat(parts)
    return ours


def golden(vectors_of: str) -> tuple[NextItemModel, Batch, dict[str, torch.Tensor]]:
    name, values, longest = PARITY[vectors_of]
    with np.load(GOLDEN / f"{vectors_of}.npz") as arrays:
        vectors = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    weights = {k.removeprefix("weight/"): v for k, v in vectors.items() if k.startswith("weight/")}
    model = build(name, n_items=1682, n_users=943, longest=longest, **values).eval()
    model.load_state_dict(renamed(weights, model))
    pairs = zip(vectors["item_seq"].tolist(), vectors["item_length"].tolist(), strict=True)
    histories = [sequence[:length] for sequence, length in pairs]
    if name == "BERT4Rec":  # RecBole always drops the oldest event to make room for the mask
        kept = vectors["item_length"] > 1
        histories = [history[1:] for history in histories if len(history) > 1]
        vectors = {k: v[kept] if len(v.shape) and len(v) == 16 else v for k, v in vectors.items()}
        assert kept.sum() > 10
    return model, batch_of(histories, vectors["user"].tolist()), vectors


@pytest.mark.parametrize("vectors_of", PARITY)
@torch.no_grad()
def test_scores_equal_recboles(vectors_of: str) -> None:
    model, batch, vectors = golden(vectors_of)
    hidden = model.encode(batch, batch.last)
    scores = model.score(hidden)
    # float32 on both sides, sums in another order: 1e-4 is what the reference promises.
    assert torch.allclose(scores[:, 1:], vectors["scores"][:, 1:], rtol=0, atol=1e-4)
    positive = vectors["positive"].long()
    candidates = model.score(hidden, positive[:, None])[:, 0]
    assert torch.allclose(candidates, vectors["positive_scores"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("vectors_of", [name for name in PARITY if name != "bert4rec_ce"])
@torch.no_grad()
def test_losses_equal_recboles(vectors_of: str) -> None:
    model, batch, vectors = golden(vectors_of)
    hidden = model.encode(batch, batch.last)
    positive, negative = vectors["positive"].long(), vectors["negative"].long()
    table = model.item_table
    if vectors_of.endswith("ce"):
        assert table is not None
        loss = softmax_cross_entropy(hidden, positive, table)
    else:
        loss = bpr(hidden, positive, model.score if table is None else table, negative[:, None])
    penalty = model.penalty()
    loss = loss if penalty is None else loss + penalty
    if vectors_of == "transrec_bpr":  # RecBole adds lengths without a gradient, which do nothing
        users = vectors["user"].long()
        for some in (
            model.item_embedding(positive),  # type: ignore[operator]
            model.user_embedding(users),  # type: ignore[operator]
            model.bias(positive),  # type: ignore[operator]
        ):
            loss = loss + some.norm() / len(some)
    assert loss.item() == pytest.approx(vectors["loss"].item(), rel=1e-5)


@every_rival
@torch.no_grad()
def test_a_later_event_leaves_earlier_states_unchanged(name: str) -> None:
    torch.manual_seed(0)
    model = build(name).eval()
    before = model.encode(batch_of([[3, 1, 4, 1, 5, 9]]))
    after = model.encode(batch_of([[3, 1, 4, 2, 5, 9]]))
    assert torch.allclose(before[:3], after[:3], rtol=0, atol=1e-6)
    assert torch.allclose(before[3], after[3], rtol=0, atol=1e-6) == (name == "BPR")


@every_rival
@torch.no_grad()
def test_users_change_the_states_of_models_that_use_users(name: str) -> None:
    torch.manual_seed(0)
    model = build(name).eval()
    first, second = (model.encode(batch_of([[3, 1]], [user])) for user in (1, 2))
    assert torch.equal(first, second) != model.uses_users


@every_rival
def test_every_rival_learns_what_follows(name: str) -> None:
    """The next item depends on the last one, so BPR, which ignores it, cannot learn it."""
    corpus = build_corpus(checkerboard(users=60, length=12), "checkerboard")
    settings = {
        "epochs": 60,
        "patience": 60,
        "batch_size": 128,
        "learning_rate": 0.02,
        "loss": "BPR" if name == "TransRec" else "CE",
        "metrics": "hit",
        "topk": [1, 3],
        "valid_metric": "hit@3",
        "max_history": 8,
    }
    run = resolve_settings(settings, name)
    outcome = run_experiment(corpus, run, observer=LogObserver())
    model, popularity, *_ = outcome.reports
    if name == "TransRec":  # for which the last item is as close as the next one
        assert model.test["hit@3"] > 0.9 > popularity.test["hit@3"]
    elif name == "BPR":
        assert model.test["hit@1"] < 0.9
    else:
        assert model.test["hit@1"] > 2 * popularity.test["hit@1"]


def test_bert4rec_is_trained_on_masked_events_only() -> None:
    torch.manual_seed(0)
    model = BERT4Rec(BERT4Rec.Settings(), Catalogue(30, 0, 8))
    whole = Batch(
        items=torch.tensor([3, 1, 4, 0, 9, 0, 0, 0, 0, 0, 0, 0]),  # two windows, one of padding
        offsets=torch.tensor([0, 4, 8, 12]),
        targets=torch.tensor([1, 4, 7, 0, 2, 0, 0, 0, 0, 0, 0, 0]),
        users=torch.tensor([1, 2, 0]),
        negatives=None,
        longest=4,
    )
    seen = set()
    for _ in range(200):
        batch = model.prepare(whole)
        assert batch.offsets.tolist() == [0, 4, 6]
        masked = batch.items == 31
        assert torch.equal(masked, batch.targets > 0)
        assert torch.where(masked, batch.targets, batch.items).tolist() == [3, 1, 4, 7, 9, 2]
        seen.add(tuple(masked.tolist()))
    assert (False, False, False, True, False, True) in seen  # both windows masked as in prediction
    assert len(seen) > 10


def test_a_recurrent_network_beats_popularity_on_hidden_markov_data() -> None:
    corpus = load_corpus("synthetic:users=300,items=60,topics=6", resolve_settings().data)
    run = resolve_settings({"epochs": 20, "learning_rate": 0.01}, "GRU4Rec")
    model, popularity, *_ = run_experiment(corpus, run, observer=LogObserver()).reports
    assert model.test["ndcg@10"] > 1.2 * popularity.test["ndcg@10"]


@given(st.integers(0, 2**31), st.sampled_from([1e-6, 1e-3, 1.0, 1e3]))
def test_distances_from_products_equal_the_plain_ones(seed: int, apart: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(5, 8, generator=generator)
    right = torch.cat([left + apart * torch.randn(5, 8, generator=generator), left[:1]])
    plain = torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distances(left, right), plain, rtol=1e-5, atol=1e-7)
    weights = left.clone().requires_grad_()
    distances(weights, right).sum().backward()
    assert weights.grad is not None
    assert weights.grad.isfinite().all()
