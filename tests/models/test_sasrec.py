from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import LayerNorm

from sasrec.data.batching import Batch, Collator
from sasrec.data.sequences import Sequences
from sasrec.data.windows import Windows
from sasrec.losses.full import softmax_cross_entropy
from sasrec.losses.sampled import bpr
from sasrec.models.sasrec import SASRec, SASRecSettings
from sasrec.recbole_import import renamed_weights

GOLDEN = Path(__file__).parent.parent / "golden"
SMALL = {"hidden_size": 16, "inner_size": 32}
PARITY = [  # RecBole's configurations; the file holds its weights, inputs, scores and loss
    ("sasrec_ce", SMALL, "CE"),
    (
        "sasrec_bpr_relu_1layer_4heads",
        SMALL | {"hidden_act": "relu", "n_layers": 1, "n_heads": 4},
        "BPR",
    ),
    (
        "sasrec_ce_swish_3layers_1head_eps",
        SMALL | {"hidden_act": "swish", "n_layers": 3, "n_heads": 1, "layer_norm_eps": 1e-5},
        "CE",
    ),
]


def batch_of(histories):
    offsets = torch.tensor([0, *np.cumsum([len(history) for history in histories])])
    items = torch.tensor([item for history in histories for item in history])
    rows = torch.zeros(len(histories), dtype=torch.int64)
    return Batch(items, offsets, torch.zeros_like(items), rows, None, max(map(len, histories)))


def golden(name, config):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        vectors = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    weights = {
        key.removeprefix("weight/"): value
        for key, value in vectors.items()
        if key.startswith("weight/")
    }
    settings = SASRecSettings(**config)
    n_items = len(weights["item_embedding.weight"]) - 1
    model = SASRec(settings, n_items=n_items, max_history=20).eval()
    model.load_state_dict(renamed_weights(weights, n_layers=settings.n_layers))
    pairs = zip(vectors["item_seq"].tolist(), vectors["item_length"].tolist(), strict=True)
    return model, batch_of([sequence[:length] for sequence, length in pairs]), vectors


@pytest.mark.parametrize(("name", "config", "loss"), PARITY)
@torch.no_grad()
def test_scores_are_recboles(name, config, loss):
    model, batch, vectors = golden(name, config)
    scores = model.score(model.encode(batch)[batch.last])
    # float32 on both sides, sums in another order: 1e-4 is what the reference promises.
    assert torch.allclose(scores, vectors["scores"], rtol=0, atol=1e-4)
    positive = vectors["positive"].long()
    candidates = model.score(model.encode(batch)[batch.last], positive[:, None])[:, 0]
    assert torch.allclose(candidates, vectors["positive_scores"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "config", "loss"), PARITY)
@torch.no_grad()
def test_losses_are_recboles(name, config, loss):
    model, batch, vectors = golden(name, config)
    hidden = model.encode(batch)[batch.last]
    positive, negative = vectors["positive"].long(), vectors["negative"].long()
    if loss == "CE":
        ours = softmax_cross_entropy(hidden, positive, model.item_table)
    else:
        ours = bpr(hidden, positive, model.item_table, negative[:, None])
    assert ours.item() == pytest.approx(vectors["loss"].item(), rel=1e-5)


def network(n_items=30, max_history=8, seed=0, **settings):
    """Return a small network with weights large enough that everything shows."""
    torch.manual_seed(seed)
    config = {"hidden_size": 16, "inner_size": 24, "initializer_range": 0.3} | settings
    return SASRec(SASRecSettings(**config), n_items=n_items, max_history=max_history)


HISTORIES = [[3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8, 9, 7, 9], [3]]


@torch.no_grad()
def test_a_later_event_leaves_earlier_states_unchanged():
    model = network().eval()
    before = model.encode(batch_of([[3, 1, 4, 1, 5, 9]]))
    after = model.encode(batch_of([[3, 1, 4, 2, 5, 9]]))
    assert torch.equal(before[:3], after[:3])
    assert ((before[3:] - after[3:]).abs().amax(1) > 1e-3).all()


@torch.no_grad()
def test_states_depend_neither_on_padding_nor_on_other_windows():
    model = network().eval()
    together = model.encode(batch_of(HISTORIES))
    alone = torch.cat([model.encode(batch_of([history])) for history in HISTORIES])
    # Products of other shapes round in another order.
    assert torch.allclose(together, alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_order_of_windows_does_not_matter():
    model = network().eval()
    forwards = model.encode(batch_of(HISTORIES)).split([len(some) for some in HISTORIES])
    backwards = model.encode(batch_of(HISTORIES[::-1])).split(
        [len(some) for some in HISTORIES[::-1]]
    )
    for first, second in zip(forwards, backwards[::-1], strict=True):
        assert torch.allclose(first, second, rtol=0, atol=1e-5)


@torch.no_grad()
def test_order_within_a_history_matters():
    model = network().eval()
    first, second = (model.encode(batch_of([h]))[-1] for h in ([1, 2, 3], [2, 1, 3]))
    assert (first - second).abs().max() > 1e-3


@torch.no_grad()
def test_calling_the_model_encodes():
    model = network().eval()
    assert torch.equal(model(batch_of(HISTORIES)), model.encode(batch_of(HISTORIES)))


@torch.no_grad()
def test_candidates_get_the_scores_of_the_whole_ranking():
    model = network().eval()
    hidden = model.encode(batch_of(HISTORIES))
    candidates = torch.arange(len(hidden) * 3).reshape(-1, 3) % 31
    expected = model.score(hidden).gather(1, candidates)
    assert model.score(hidden).shape == (len(hidden), 31)
    assert torch.allclose(model.score(hidden, candidates), expected, atol=1e-5)


def test_attention_dropout_alone_changes_training():
    model = network(hidden_dropout_prob=0, attn_dropout_prob=0.5).train()
    batch = batch_of(HISTORIES)
    assert not torch.equal(model(batch), model(batch))


def test_without_dropout_training_is_certain_and_equals_evaluation():
    model = network(hidden_dropout_prob=0, attn_dropout_prob=0)
    batch = batch_of(HISTORIES)
    assert torch.equal(model.train()(batch), model.train()(batch))
    assert torch.equal(model.train()(batch), model.eval()(batch))


CHANGES = {
    "hidden_size": 32,
    "inner_size": 40,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dropout_prob": 0.1,
    "attn_dropout_prob": 0.1,
    "hidden_act": "tanh",
    "layer_norm_eps": 0.1,
    "initializer_range": 0.5,
}


def test_every_setting_is_tried():
    assert set(CHANGES) == set(SASRecSettings.model_fields)


@pytest.mark.parametrize("name", CHANGES)
@torch.no_grad()
def test_every_setting_changes_the_model(name):
    outputs = []
    for settings in ({}, {name: CHANGES[name]}):
        model = network(**settings).train()
        torch.manual_seed(1)  # for dropout
        outputs.append(model.score(model(batch_of(HISTORIES))))
    assert not torch.allclose(*outputs, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("hidden_size", "item_embedding.weight"),
        ("inner_size", "blocks.1.feed_forward.up.weight"),
        ("inner_size", "blocks.0.feed_forward.down.weight"),
    ],
)
def test_sizes_are_those_of_the_weights(name, weight):
    shape = network(**{name: CHANGES[name]}).state_dict()[weight].shape
    assert CHANGES[name] in shape


def test_every_normalisation_has_the_epsilon_of_the_settings():
    norms = [part for part in network(layer_norm_eps=0.1).modules() if isinstance(part, LayerNorm)]
    assert [norm.eps for norm in norms] == [0.1] * 5


def test_initial_weights_are_recboles():
    model = network(n_items=2000, hidden_size=64, inner_size=256, initializer_range=0.02)
    weights = model.state_dict()
    # 128,000 draws: five standard errors of a standard deviation are one per cent of it.
    assert weights["item_embedding.weight"][1:].std() == pytest.approx(0.02, rel=0.01)
    assert weights["blocks.0.feed_forward.up.weight"].std() == pytest.approx(0.02, rel=0.03)
    assert weights["blocks.0.attention.query_key_value.weight"].std() == pytest.approx(
        0.02, rel=0.04
    )
    assert (weights["item_embedding.weight"][0] == 0).all()
    biases = [value for name, value in weights.items() if name.endswith("bias")]
    assert all((bias == 0).all() for bias in biases)
    norms = [value for name, value in weights.items() if name.endswith("norm.weight")]
    assert len(norms) == 5
    assert all((norm == 1).all() for norm in norms)


def test_every_weight_learns():
    model = network(hidden_dropout_prob=0, attn_dropout_prob=0)
    batch = batch_of(HISTORIES)
    targets = torch.arange(1, 1 + len(batch.items))
    softmax_cross_entropy(model(batch), targets, model.item_table).backward()
    still = [name for name, weight in model.named_parameters() if not weight.grad.abs().max() > 0]
    assert still == []


def test_defaults_are_recboles():
    assert SASRecSettings().model_dump() == {
        "hidden_size": 64,
        "inner_size": 256,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dropout_prob": 0.5,
        "attn_dropout_prob": 0.5,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "initializer_range": 0.02,
    }


def test_a_width_the_heads_cannot_share_is_refused():
    with pytest.raises(ValidationError, match="hidden_size 50 cannot be shared by n_heads 4"):
        SASRecSettings(hidden_size=50, n_heads=4)


@torch.no_grad()
def test_filling_windows_up_changes_no_state():
    model = SASRec(SASRecSettings(**SMALL), n_items=30, max_history=20).eval()
    items = np.array([3, 9, 1, 4, *range(1, 14)], dtype=np.int32)
    lengths = np.array([3, 1, 13])
    collator = Collator(Sequences(items, None, np.array([0, 3, 4, 17])))
    windows = Windows(np.array([0, 3, 4]), lengths, lengths - 1, np.array([1, 2, 3]))
    flat, full = collator.batch(windows), collator.rectangle(windows, 20)
    states, filled = model.encode(flat), model.encode(full).view(-1, full.longest, 16)
    rows = torch.cat([filled[row, :length] for row, length in enumerate(lengths)])
    assert torch.allclose(states, rows, atol=1e-5)  # float32 sums in another order
