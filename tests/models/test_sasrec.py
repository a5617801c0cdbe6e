from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import LayerNorm

from sasrec.data.batches.batching import Batch, Collator
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.losses.full import softmax_cross_entropy
from sasrec.losses.sampled import bpr
from sasrec.models.contract import Catalogue
from sasrec.models.parts.content import ContentForm
from sasrec.models.parts.layers import layout_of
from sasrec.models.sasrec import SASRec, SASRecSettings
from sasrec.recbole.importing import renamed_weights

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
    times = torch.cat([(10.0 ** torch.arange(len(history))).cumsum(0) for history in histories])
    longest = max(map(len, histories))
    return Batch(items, offsets, torch.zeros_like(items), rows, None, longest, times.double())


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
    model = SASRec(settings, Catalogue(n_items, 0, 20)).eval()
    model.load_state_dict(renamed_weights(weights, n_layers=settings.n_layers))
    pairs = zip(vectors["item_seq"].tolist(), vectors["item_length"].tolist(), strict=True)
    return model, batch_of([sequence[:length] for sequence, length in pairs]), vectors


@pytest.mark.parametrize(("name", "config", "loss"), PARITY)
@torch.no_grad()
def test_scores_equal_recboles(name, config, loss):
    model, batch, vectors = golden(name, config)
    scores = model.score(model.encode(batch)[batch.last])
    # float32 on both sides, sums in another order: 1e-4 is what the reference promises.
    assert torch.allclose(scores, vectors["scores"], rtol=0, atol=1e-4)
    positive = vectors["positive"].long()
    candidates = model.score(model.encode(batch)[batch.last], positive[:, None])[:, 0]
    assert torch.allclose(candidates, vectors["positive_scores"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "config", "loss"), PARITY)
@torch.no_grad()
def test_losses_equal_recboles(name, config, loss):
    model, batch, vectors = golden(name, config)
    hidden = model.encode(batch)[batch.last]
    positive, negative = vectors["positive"].long(), vectors["negative"].long()
    if loss == "CE":
        ours = softmax_cross_entropy(hidden, positive, model.item_table)
    else:
        ours = bpr(hidden, positive, model.item_table, negative[:, None])
    assert ours.item() == pytest.approx(vectors["loss"].item(), rel=1e-5)


FORMS = {
    "defaults": {},
    "pre_norm": {"block": "pre_norm", "output_norm": True, "input_norm": False},
    "gated": {"block": "gated", "output_norm": True, "feed_forward": "swiglu"},
    "paper": {
        "block": "paper",
        "output_norm": True,
        "input_norm": False,
        "scale_embedding": True,
        "hidden_act": "relu",
        "n_heads": 1,
    },
    "rms": {"norm": "rms", "block": "pre_norm"},
    "rotary": {"positions": "rotary"},
    "reversed": {"positions": "reversed"},
    "by distance": {"positions": "none", "relative_bias": "both"},
    "untied": {"tied_output": False},
    "cosine": {"similarity": "cosine", "temperature": 0.05},
}
any_form = pytest.mark.parametrize("form", FORMS)


def network(form="defaults", n_items=30, max_history=8, seed=0, **settings):
    """Return a small network whose weights are large enough for every part to have an effect."""
    torch.manual_seed(seed)
    config = {"hidden_size": 16, "inner_size": 24, "initializer_range": 0.3, **FORMS[form]}
    model = SASRec(SASRecSettings(**(config | settings)), Catalogue(n_items, 0, max_history))
    for name, weight in model.named_parameters():
        if ".bias.by_" in name:  # they begin at zero
            nn.init.normal_(weight)
    return model


HISTORIES = [[3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8, 9, 7, 9], [3]]


@any_form
@torch.no_grad()
def test_a_later_event_leaves_earlier_states_unchanged(form):
    model = network(form).eval()
    before = model.encode(batch_of([[3, 1, 4, 1, 5, 9]]))
    after = model.encode(batch_of([[3, 1, 4, 2, 5, 9]]))
    assert torch.equal(before[:3], after[:3])
    assert ((before[3:] - after[3:]).abs().amax(1) > 1e-3).all()


@any_form
@torch.no_grad()
def test_states_depend_neither_on_padding_nor_on_other_windows(form):
    model = network(form).eval()
    together = model.encode(batch_of(HISTORIES))
    alone = torch.cat([model.encode(batch_of([history])) for history in HISTORIES])
    # Products of other shapes round in another order.
    assert torch.allclose(together, alone, rtol=0, atol=1e-5)


@any_form
@torch.no_grad()
def test_the_order_of_windows_does_not_matter(form):
    model = network(form).eval()
    forwards = model.encode(batch_of(HISTORIES)).split([len(some) for some in HISTORIES])
    backwards = model.encode(batch_of(HISTORIES[::-1])).split(
        [len(some) for some in HISTORIES[::-1]]
    )
    for first, second in zip(forwards, backwards[::-1], strict=True):
        assert torch.allclose(first, second, rtol=0, atol=1e-5)


@any_form
@torch.no_grad()
def test_order_within_a_history_matters(form):
    model = network(form).eval()
    first, second = (model.encode(batch_of([h]))[-1] for h in ([1, 2, 3], [2, 1, 3]))
    assert (first - second).abs().max() > 1e-3


@torch.no_grad()
def test_calling_the_model_calls_encode():
    model = network().eval()
    assert torch.equal(model(batch_of(HISTORIES)), model.encode(batch_of(HISTORIES)))


@any_form
@torch.no_grad()
def test_candidates_get_the_scores_of_the_whole_ranking(form):
    model = network(form).eval()
    hidden = model.encode(batch_of(HISTORIES))
    candidates = torch.arange(len(hidden) * 3).reshape(-1, 3) % 31
    expected = model.score(hidden).gather(1, candidates)
    assert model.score(hidden).shape == (len(hidden), 31)
    assert torch.allclose(model.score(hidden, candidates), expected, atol=1e-5)


def test_attention_dropout_alone_changes_training():
    model = network(hidden_dropout_prob=0, attn_dropout_prob=0.5).train()
    batch = batch_of(HISTORIES)
    assert not torch.equal(model(batch), model(batch))


@any_form
def test_without_dropout_training_is_deterministic_and_equals_evaluation(form):
    model = network(form, hidden_dropout_prob=0, attn_dropout_prob=0)
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
    "block": "pre_norm",
    "norm": "rms",
    "feed_forward": "swiglu",
    "input_norm": False,
    "output_norm": True,
    "positions": "rotary",
    "relative_bias": "both",
    "scale_embedding": True,
    "residual": False,
    "event_dropout_prob": 0.5,
    "tied_output": False,
    "similarity": "cosine",
    "temperature": 0.1,
    "time_dropout_prob": 0.9,
}


def test_every_setting_is_tried():
    # Others have no effect without content (test_mixed_tables.py) or types
    # (test_event_type_vectors.py).
    others = {*ContentForm.model_fields, "event_types", "type_dropout_prob"}
    assert set(CHANGES) | others == set(SASRecSettings.model_fields)


@pytest.mark.parametrize("name", CHANGES)
@torch.no_grad()
def test_every_setting_changes_the_model(name):
    outputs = []
    # Normalising twice equals normalising once; times only matter with a bias by time.
    form = {"output_norm": "rms", "time_dropout_prob": "by distance"}.get(name, "defaults")
    for settings in ({}, {name: CHANGES[name]}):
        model = network(form, **settings).train()
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
def test_size_settings_determine_the_shapes_of_weights(name, weight):
    shape = network(**{name: CHANGES[name]}).state_dict()[weight].shape
    assert CHANGES[name] in shape


def test_every_normalisation_has_the_epsilon_of_the_settings():
    norms = [part for part in network(layer_norm_eps=0.1).modules() if isinstance(part, LayerNorm)]
    assert [norm.eps for norm in norms] == [0.1] * 5


def test_initial_weights_equal_recboles():
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


@any_form
def test_every_weight_learns(form):
    model = network(form, hidden_dropout_prob=0, attn_dropout_prob=0)
    batch = batch_of(HISTORIES)
    targets = torch.arange(1, 1 + len(batch.items))
    softmax_cross_entropy(model(batch), targets, model.item_table).backward()
    still = [name for name, weight in model.named_parameters() if not weight.grad.abs().max() > 0]
    assert still == []


def test_defaults_equal_recboles():
    recboles = {
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
    assert SASRecSettings().model_dump(include=set(recboles)) == recboles


def test_a_width_the_heads_cannot_share_is_refused():
    with pytest.raises(ValidationError, match="hidden_size 50 cannot be shared by n_heads 4"):
        SASRecSettings(hidden_size=50, n_heads=4)


@any_form
@torch.no_grad()
def test_padding_windows_changes_no_state(form):
    model = network(form, max_history=20).eval()
    items = np.array([3, 9, 1, 4, *range(1, 14)], dtype=np.int32)
    lengths = np.array([3, 1, 13])
    sequences = Sequences(items, np.arange(17.0) ** 4, np.array([0, 3, 4, 17]))
    collator = Collator(sequences, with_times=True)
    windows = Windows(np.array([0, 3, 4]), lengths, lengths - 1, np.array([1, 2, 3]))
    flat, full = collator.batch(windows), collator.rectangle(windows, 20)
    states, filled = model.encode(flat), model.encode(full).view(-1, full.longest, 16)
    rows = torch.cat([filled[row, :length] for row, length in enumerate(lengths)])
    assert torch.allclose(states, rows, atol=1e-5)  # float32 sums in another order


@any_form
@torch.no_grad()
def test_states_computed_at_some_positions_equal_those_computed_at_all(form):
    model = network(form).eval()
    batch = batch_of(HISTORIES)
    at = torch.tensor([4, 2, 13, 13])
    assert torch.allclose(model.encode(batch, at), model.encode(batch)[at], rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_paper_form_matches_the_papers_code():
    model = network("paper", n_layers=1, hidden_dropout_prob=0).eval()
    history = torch.tensor([3, 1, 4, 1, 5])
    [block] = model.blocks
    at_input = model.item_embedding(history) * 4 + model.position_embedding.weight[:5]
    queries = block.attention_norm(at_input)
    weight, bias = (part.chunk(3) for part in block.attention.query_key_value.parameters())
    query, key, value = (
        given @ weight[part].T + bias[part]
        for part, given in enumerate((queries, at_input, at_input))
    )
    scores = query @ key.T / 4
    scores[torch.ones(5, 5).triu(1).bool()] = -torch.inf
    normed = block.feed_forward_norm(queries + scores.softmax(1) @ value)
    up, down = block.feed_forward.up, block.feed_forward.down
    expected = model.output_norm(normed + down(up(normed).relu()))
    assert torch.allclose(model.encode(batch_of([history.tolist()])), expected, atol=1e-5)


@pytest.mark.parametrize("block", ["post_norm", "pre_norm", "paper", "gated"])
@torch.no_grad()
def test_without_residual_connections_history_enters_through_attention_only(block):
    for residual in (True, False):
        settings = {"block": block, "residual": residual, "n_layers": 1}
        model = network("defaults", **settings).eval()
        for part in model.blocks[0].attention.parameters():
            part.zero_()
        one, other = model.encode(batch_of([[3]])), model.encode(batch_of([[7]]))
        assert torch.allclose(one, other) is not residual


@torch.no_grad()
def test_the_gated_form_matches_ligr():
    model = network("gated", n_layers=1, hidden_dropout_prob=0).eval()
    history = [3, 1, 4, 1, 5]
    batch, [block] = batch_of([history]), model.blocks
    hidden = model.norm(model.item_embedding(batch.items) + model.position_embedding.weight[:5])
    attended = block.attention(block.attention_norm(hidden), layout_of(batch))
    hidden = hidden + torch.sigmoid(block.attention_gate(hidden)) * attended
    feed = block.feed_forward
    gate, up = feed.gate_and_up(block.feed_forward_norm(hidden)).split(24, dim=1)
    inside = feed.down(gate * torch.sigmoid(gate) * up)
    hidden = hidden + torch.sigmoid(block.feed_forward_gate(hidden)) * inside
    assert torch.allclose(model.encode(batch), model.output_norm(hidden), atol=1e-5)


@torch.no_grad()
def test_reversed_positions_count_from_the_newest_event():
    model = network("reversed").eval()
    table = model.position_embedding.weight
    short, long = batch_of([[7]]), batch_of([[7, 8, 9]])
    only = model._embed(short, layout_of(short))[0]
    assert torch.allclose(only, table[0] + model.item_table[7])
    first = model._embed(long, layout_of(long))[0]
    assert torch.allclose(first, table[2] + model.item_table[7])


@torch.no_grad()
def test_cosine_scores_are_bounded_by_the_temperature():
    model = network("cosine").eval()
    scores = model.score(model.encode(batch_of(HISTORIES)))
    assert scores.abs().max() <= 20 + 1e-4
    assert scores[:, 1:].abs().max() > 10


@torch.no_grad()
def test_times_change_states_if_the_bias_uses_them():
    batch = batch_of(HISTORIES)
    other = replace(batch, times=batch.times * 1000)
    by_time = network("by distance").eval()
    assert not torch.allclose(by_time.encode(batch), by_time.encode(other), atol=1e-3)
    unknown = replace(batch, times=None)
    assert not torch.allclose(by_time.encode(batch), by_time.encode(unknown), atol=1e-3)
    assert not network().needs_times
    assert by_time.needs_times


@torch.no_grad()
def test_time_dropout_hides_the_times_of_some_windows():
    model = network("by distance", hidden_dropout_prob=0, attn_dropout_prob=0).train()
    batch = batch_of([[3, 1, 4, 1, 5]] * 400)
    states = model.encode(batch)[batch.last]
    known, unknown = (
        model.eval().encode(some)[some.last][0] for some in (batch, replace(batch, times=None))
    )
    hidden = (states - unknown).abs().amax(1) < 1e-5
    assert ((states - known).abs().amax(1) < 1e-5).equal(~hidden)
    assert hidden.float().mean().item() == pytest.approx(0.1, abs=0.08)  # five standard errors


def test_a_head_of_odd_width_cannot_be_rotated():
    with pytest.raises(
        ValidationError, match="rotary needs heads of even width, but hidden_size / n_heads is"
    ):
        SASRecSettings(hidden_size=6, n_heads=2, positions="rotary")
