"""Content in item vectors: the tables against plain arithmetic, in every form of SASRec."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.data.content.encoded import EncodedContent
from sasrec.models.contract import Catalogue
from sasrec.models.parts.content import ContentData, ContentForm, MixedTables, _Bags
from sasrec.models.sasrec import SASRec
from sasrec.settings.presets import PRESETS
from sasrec.settings.resolve import resolve_settings

N_ITEMS, WIDTH = 6, 4
CONTENT = EncodedContent(
    attributes=torch.tensor([0, 2, 1, 0, 1, 2]),
    offsets=torch.tensor([0, 0, 2, 3, 3, 6, 6, 6]),
    weights=torch.tensor([0.5, 0.25, 1.0, 1.0, 2.0, 3.0]),
    numbers=torch.tensor([[0.0, 0], [1, 2], [3, 4], [0, 0], [5, 6], [7, 8], [0, 0]]),
    has_events=torch.tensor([False, True, True, True, False, True, True]),
    n_attributes=3,
)
FORMS = {
    "defaults": {},
    **{name: {"preset": name} for name in PRESETS},
    "gate": {"content_mix": "gate"},
    "untied": {"tied_output": False},
    "scaled": {"scale_embedding": True, "event_dropout_prob": 0.2},
}


def network(content: EncodedContent | None = CONTENT, **settings: object) -> SASRec:
    values = {"hidden_size": WIDTH, "n_heads": 1, "inner_size": 8, **settings}
    form = resolve_settings(values).model
    torch.manual_seed(0)
    return SASRec(form, Catalogue(N_ITEMS, 0, 5, content=content)).eval()  # type: ignore[arg-type]


def batch_of(*items: int) -> Batch:
    events = torch.tensor(items)
    return Batch(
        items=events,
        offsets=torch.tensor([0, len(items)]),
        targets=events.roll(-1),
        users=torch.tensor([0]),
        negatives=None,
        longest=len(items),
        times=None,
        n_supervised=len(items),
    )


def plain_content(model: SASRec) -> Tensor:
    """Return the content vectors of all items by a loop."""
    part = model.content
    assert part is not None
    assert part.at_input.attribute_vectors is not None
    assert part.at_input.from_numbers is not None
    vectors = part.at_input.attribute_vectors.weight
    rows = []
    for item in range(N_ITEMS + 1):
        row = part.at_input.from_numbers.weight @ CONTENT.numbers[item]
        for entry in range(int(CONTENT.offsets[item]), int(CONTENT.offsets[item + 1])):
            row = row + CONTENT.weights[entry] * vectors[CONTENT.attributes[entry]]
        rows.append(row)
    return torch.stack(rows)


@torch.no_grad()
def test_an_item_vector_is_the_sum_of_learned_vector_and_content() -> None:
    model = network()
    learned = model.item_embedding.weight * CONTENT.has_events[:, None]
    assert torch.allclose(model.item_table, learned + plain_content(model), atol=1e-6)


@torch.no_grad()
def test_a_gate_weighs_learned_vector_and_content() -> None:
    model = network(content_mix="gate")
    learned, content = model.item_embedding.weight, plain_content(model)
    assert model.content is not None
    assert model.content.at_input.gate is not None
    share = model.content.at_input.gate(torch.cat([learned, content], 1)).sigmoid()
    share = share * CONTENT.has_events[:, None]
    assert torch.allclose(model.item_table, share * learned + (1 - share) * content, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_events_and_outputs_use_the_same_rows(form: str) -> None:
    model = network(**FORMS[form])
    assert model.content is not None
    learned = model.item_embedding.weight
    items = torch.tensor([5, 1, 1, 0, 4])
    rows = model.content.input(learned, items)
    assert torch.allclose(
        rows, model.content.at_input.table(learned, model.content.data)[items], atol=1e-6
    )
    if model.settings.tied_output and model.settings.similarity == "dot":
        assert torch.allclose(rows / model.settings.temperature, model.item_table[items], atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_the_learned_vector_of_an_item_without_events_has_no_effect(form: str) -> None:
    model = network(**FORMS[form])
    batch = batch_of(1, 4, 2)
    before = model.score(model(batch))
    for table in (model.item_embedding, getattr(model, "output_embedding", None)):
        if table is not None:
            table.weight[4] = 100.0
    assert torch.equal(model.score(model(batch)), before)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_content_distinguishes_items_without_events(form: str) -> None:
    model = network(**FORMS[form])
    assert model.item_table[4].abs().sum() > 0
    assert model.item_table[0].abs().sum() == 0


@pytest.mark.parametrize("form", FORMS)
def test_all_content_is_learned_in_a_step_but_not_from_items_without_events(form: str) -> None:
    model = network(id_dropout_prob=0.0, **FORMS[form]).train()
    hidden = model(batch_of(1, 2, 5))
    table = model.item_table
    assert table[4].abs().sum() == 0
    F.cross_entropy(hidden @ table.T, torch.tensor([2, 5, 1])).backward()
    assert model.content is not None
    for name, weight in model.content.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all()
        assert weight.grad.abs().sum() > 0, name
    assert model.item_embedding.weight.grad is not None
    assert model.item_embedding.weight.grad[[0, 4]].abs().sum() == 0


def test_input_and_output_hide_the_same_items_in_a_step() -> None:
    model = network(id_dropout_prob=0.5).train()
    assert model.content is not None
    items = torch.arange(1, N_ITEMS + 1)
    torch.manual_seed(1)
    rows = model.content.input(model.item_embedding.weight, items)
    assert torch.equal(rows, model.item_table[items])
    assert not torch.equal(rows, model.item_table[items])  # the next step hides others


def test_hidden_items_are_their_content() -> None:
    model = network(id_dropout_prob=0.999).train()
    expected = plain_content(model) * CONTENT.has_events[:, None]
    assert torch.allclose(model.item_table, expected, atol=1e-6)


def test_gradients_equal_those_of_plain_sums() -> None:
    data = ContentData(CONTENT)
    data.weights = data.weights.double()
    vectors = torch.randn(3, WIDTH, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: _Bags.apply(v, data), (vectors,))


def test_without_content_there_are_no_further_weights() -> None:
    without = network(None)
    assert without.content is None
    further = network().state_dict().keys() - without.state_dict().keys()
    assert further
    assert all(name.startswith("content.") for name in further)


@pytest.mark.parametrize(
    "content",
    [
        dataclasses.replace(CONTENT, numbers=torch.zeros(N_ITEMS + 1, 0)),
        dataclasses.replace(
            CONTENT,
            attributes=torch.zeros(0, dtype=torch.int64),
            weights=torch.zeros(0),
            offsets=torch.zeros(N_ITEMS + 2, dtype=torch.int64),
            n_attributes=0,
        ),
    ],
    ids=["attributes only", "numbers only"],
)
def test_content_of_one_kind_is_enough(content: EncodedContent) -> None:
    model = network(content).train()
    model.score(model(batch_of(1, 2, 4))).sum().backward()
    model.eval()
    assert model.score(model(batch_of(1, 2, 4))).isfinite().all()


@pytest.mark.parametrize(("name", "value"), [("content_mix", "gate"), ("id_dropout_prob", 0.9)])
@torch.no_grad()
def test_every_setting_changes_the_model(name: str, value: object) -> None:
    assert name in ContentForm.model_fields
    assert len(ContentForm.model_fields) == 2
    scores = []
    for settings in ({}, {name: value}):
        model = network(**settings).train()
        torch.manual_seed(1)
        scores.append(model.score(model(batch_of(1, 2, 5))))
    assert not torch.equal(*scores)


def test_tied_tables_share_their_content() -> None:
    tied = MixedTables(CONTENT, WIDTH, ContentForm(), tied=True)
    untied = MixedTables(CONTENT, WIDTH, ContentForm(), tied=False)
    assert len(list(untied.parameters())) == 2 * len(list(tied.parameters()))
