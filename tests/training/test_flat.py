import pytest
import torch
from torch import nn

from sasrec.training import flat
from sasrec.training.flat import FlatWeights


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.LayerNorm(3))


@pytest.mark.parametrize("small", [1, 8, 2**20])
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.Adagrad, torch.optim.SGD])
def test_training_flat_weights_equals_training_the_weights(
    small: int, kind: type[torch.optim.Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat, "SMALL_ELEMENTS", small)
    plain, other = network(), network()
    stand_in = FlatWeights(list(other.parameters()))
    optimisers = [kind(plain.parameters(), lr=0.1), kind(stand_in.weights, lr=0.1)]
    for step in range(4):
        given = torch.randn(6, 5, generator=torch.Generator().manual_seed(step))
        optimisers[0].zero_grad()
        plain(given).square().sum().backward()
        stand_in.forget_gradients()
        other(given).square().sum().backward()
        stand_in.gather_gradients()
        for optimiser in optimisers:
            optimiser.step()
    stand_in.release()
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_combining_changes_no_value_and_release_restores_own_memory() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    stand_in = FlatWeights(list(model.parameters()))
    assert len(stand_in.weights) == 1
    storages = {value.untyped_storage().data_ptr() for value in model.state_dict().values()}
    assert len(storages) == 1
    stand_in.release()
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert len({value.untyped_storage().data_ptr() for value in after.values()}) == len(before)


def test_a_weight_without_gradient_does_not_change() -> None:
    model = network()
    before = model[0].weight.detach().clone()
    stand_in = FlatWeights(list(model.parameters()))
    model[2](torch.ones(1, 7)).sum().backward()
    stand_in.gather_gradients()
    torch.optim.SGD(stand_in.weights, lr=1.0).step()
    assert torch.equal(model[0].weight, before)
    assert not torch.equal(model[2].weight, network()[2].weight)


@pytest.mark.parametrize("small", [1, 8, 2**20])
def test_each_weight_is_located_in_memory(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "SMALL_ELEMENTS", small)
    model = network()
    stand_in = FlatWeights(list(model.parameters()))
    for weight in model.parameters():
        which, begin = stand_in.location_of(weight.detach())
        found = stand_in.weights[which].detach().flatten()[begin : begin + weight.numel()]
        assert found.data_ptr() == weight.data_ptr()
        assert torch.equal(found.view_as(weight), weight)
    with pytest.raises(ValueError, match="shares no memory with the weights"):
        stand_in.location_of(torch.ones(3))
