"""Filter outputs for all positions of a window at once equal those of separate positions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.data.batches.batching import Batch
from sasrec.models.caser import Caser, CaserSettings
from sasrec.models.contract import Catalogue
from sasrec.models.parts.sliding import largest_outputs


def one_by_one(padded: Tensor, filters: Tensor) -> Tensor:
    """Build the matrix of every position, and slide every filter over it."""
    height = len(filters)
    found = []
    for position in range(padded.shape[1]):
        events = padded[:, : position + 1]
        picture = F.pad(events, (0, 0, 0, height - position - 1))[:, None]
        values = [F.conv2d(picture, filters[h][:, None, : h + 1]) for h in range(height)]
        found.append(torch.stack([value.amax((2, 3)) for value in values], dim=1))
    return torch.stack(found, dim=1)


@pytest.mark.parametrize(
    ("windows", "events", "height", "count"),
    [(3, 7, 7, 2), (2, 4, 7, 3), (1, 1, 1, 1), (1, 1, 4, 2), (2, 2, 3, 1), (4, 12, 12, 2)],
)
def test_values_and_gradients_equal_those_of_separate_positions(
    windows: int, events: int, height: int, count: int
) -> None:
    generator = torch.Generator().manual_seed(windows + 10 * events)
    kinds = {"dtype": torch.float64, "generator": generator}
    padded = torch.randn(windows, events, 3, **kinds).requires_grad_()
    filters = torch.randn(height, count, height, 3, **kinds)
    rows = torch.arange(height)
    filters *= (rows <= rows[:, None])[:, None, :, None]
    filters.requires_grad_()
    together, alone = largest_outputs(padded, filters), one_by_one(padded, filters)
    assert torch.allclose(together, alone, rtol=0, atol=1e-12)
    wanted = torch.randn(alone.shape, **kinds)
    ours = torch.autograd.grad(together, (padded, filters), wanted)
    plain = torch.autograd.grad(alone, (padded, filters), wanted)
    for one, other in zip(ours, plain, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("lengths", [(6, 6), (8, 3, 1, 5)])
def test_caser_gives_the_same_states_with_either_method(lengths: tuple[int, ...]) -> None:
    torch.manual_seed(4)
    settings = CaserSettings(embedding_size=8, nh=2, nv=2, dropout_prob=0)
    model = Caser(settings, Catalogue(20, 5, 8))
    items = torch.randint(1, 21, (sum(lengths),))
    offsets = F.pad(torch.tensor(lengths).cumsum(0), (1, 0))
    users = torch.randint(0, 6, (len(lengths),))
    batch = Batch(items, offsets, torch.zeros_like(items), users, None, max(lengths))
    at = torch.arange(len(items) - 1)  # all but one
    gradients = []
    for found in (model._shared_filter_outputs(batch, at), model._filter_outputs(batch, at)):
        model.zero_grad()
        (found * torch.linspace(-1, 1, found.numel()).view_as(found)).sum().backward()
        gradients.append([found, *(p.grad for p in model.parameters() if p.grad is not None)])
    assert len(gradients[0]) == len(gradients[1]) > 10
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=2e-5)
    # One state per window is computed separately; all states are computed together.
    assert torch.allclose(model.encode(batch)[batch.last], model.encode(batch, batch.last))
