"""Sampled losses against their formulas, written out in plain Python."""

import math
from functools import partial

import pytest
import torch

from sasrec.losses.full import smoothed, softmax_cross_entropy
from sasrec.losses.sampled import (
    bce,
    bpr,
    bpr_max,
    gbce,
    gbce_beta,
    sampled_softmax,
    top1_max,
)
from sasrec.losses.scores import hardest, pair_scores

HIDDEN = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
TABLE = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, -1.0], [0.0, 3.0]])
TARGETS, OWN, SHARED = torch.tensor([1, 2]), torch.tensor([[2, 3], [1, 3]]), torch.tensor([2, 3, 3])
# By hand: position 0 has target 1 with score 3, and scores 0 and 6 for items 2 and 3;
# position 1 has target 2 with score 1, and scores -1 and -3 for items 1 and 3.
OWN_SCORES = [(3.0, [0.0, 6.0]), (1.0, [-1.0, -3.0])]
SHARED_SCORES = [(3.0, [0.0, 6.0, 6.0]), (1.0, [-3.0, -3.0])]  # item 2 is position 1's target
LOG_EXPECTED = 0.7


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def by_hand(name, pairs):
    total = 0.0
    for positive, negatives in pairs:
        if name == "bpr":
            total -= sum(math.log(sigmoid(positive - each)) for each in negatives)
        elif name == "softmax":
            others = sum(math.exp(each - LOG_EXPECTED) for each in negatives)
            total -= math.log(math.exp(positive) / (math.exp(positive) + others))
        elif name in {"bpr_max", "top1_max"}:
            weights = [math.exp(each) / sum(map(math.exp, negatives)) for each in negatives]
            both = list(zip(weights, negatives, strict=True))
            if name == "bpr_max":
                total -= math.log(sum(w * sigmoid(positive - each) for w, each in both))
                total += 0.5 * sum(w * each**2 for w, each in both)
            else:
                total += sum(w * (sigmoid(each - positive) + sigmoid(each**2)) for w, each in both)
        else:
            power = 0.4 if name == "gbce" else 1
            total -= math.log(sigmoid(positive) ** power)
            total -= sum(math.log(1 - sigmoid(each)) for each in negatives)
    return total / len(pairs)


LOSSES = {
    "bpr": bpr,
    "bce": bce,
    "gbce": partial(gbce, beta=0.4),
    "bpr_max": partial(bpr_max, penalty=0.5),
    "top1_max": top1_max,
    "softmax": partial(sampled_softmax, log_expected=LOG_EXPECTED),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@every_loss
@pytest.mark.parametrize(
    ("negatives", "pairs"), [(OWN, OWN_SCORES), (SHARED, SHARED_SCORES)], ids=["own", "shared"]
)
def test_two_positions_by_hand(name, negatives, pairs):
    loss = LOSSES[name](HIDDEN, TARGETS, TABLE, negatives)
    draws = negatives.shape[-1] if name == "bpr" else 1  # it is a mean over the pairs drawn
    assert loss.item() == pytest.approx(by_hand(name, pairs) / draws, rel=1e-6)


@every_loss
@pytest.mark.parametrize("kind", ["own", "shared", "many"])
def test_gradients_pass_gradcheck(name, kind):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    table = torch.randn(70, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([1, 2, 3, 4, 1])
    negatives = {
        "own": torch.tensor([[2], [4], [1], [5], [6]]),
        "shared": torch.tensor([6, 2, 1, 1]),
        "many": torch.tensor([[2, 3, 9], [4, 4, 9], [1, 6, 9], [5, 1, 9], [6, 2, 9]]),
    }[kind]

    def loss(hidden, table):
        return LOSSES[name](hidden, targets, table, negatives).double()

    assert torch.autograd.gradcheck(loss, (hidden, table))


@every_loss
@pytest.mark.parametrize("shape", [(0, 2), (3,)])
def test_without_positions_the_loss_is_zero(name, shape):
    none, negatives = torch.zeros(0, dtype=torch.int64), torch.ones(shape, dtype=torch.int64)
    assert LOSSES[name](torch.zeros(0, 3), none, torch.randn(4, 3), negatives).item() == 0


@every_loss
def test_huge_scores_stay_finite(name):
    hidden = torch.tensor([[1e4]], requires_grad=True)
    table = torch.tensor([[0.0], [-1e3], [1e3]])
    for negatives in (torch.tensor([[2]]), torch.tensor([1, 2])):
        hidden.grad = None
        loss = LOSSES[name](hidden, torch.tensor([1]), table, negatives)
        loss.backward()
        assert loss.isfinite()
        assert loss > (1 if name == "top1_max" else 1e6)  # that one is bounded by 2
        assert hidden.grad.isfinite().all()


@every_loss
def test_the_order_of_positions_does_not_matter(name):
    generator = torch.Generator().manual_seed(0)
    hidden, table = (torch.randn(9, 4, generator=generator) for _ in range(2))
    targets, negatives = torch.arange(9) % 8 + 1, (torch.arange(9) * 5 % 8 + 1)[:, None]
    order = torch.randperm(9, generator=generator)
    shuffled = LOSSES[name](hidden[order], targets[order], table, negatives[order])
    plain = LOSSES[name](hidden, targets, table, negatives)
    assert shuffled.item() == pytest.approx(plain.item(), rel=1e-6)


@every_loss
def test_the_loss_falls_when_the_targets_score_rises(name):
    losses = [
        LOSSES[name](
            torch.tensor([[rise]]),
            torch.tensor([1]),
            torch.tensor([[0.0], [1.0], [0.0]]),
            torch.tensor([[2]]),
        )
        for rise in (-1.0, 0.0, 1.0)
    ]
    assert losses[0] > losses[1] > losses[2]


def test_scores_selected_from_the_whole_catalogue_equal_gathered_ones():
    generator = torch.Generator().manual_seed(0)
    hidden, targets = torch.randn(6, 4, generator=generator), torch.arange(6)
    table = torch.randn(200, 4, generator=generator)
    many = torch.randint(0, 200, (6, 7), generator=generator)  # a product with the whole table
    _, together = pair_scores(hidden, targets, table, many)
    one_by_one = [pair_scores(hidden, targets, table, many[:, [k]])[1] for k in range(7)]
    assert torch.allclose(together, torch.cat(one_by_one, dim=1), atol=1e-5)


def test_a_target_within_its_shared_negatives_is_ignored():
    positive, negative = pair_scores(HIDDEN, TARGETS, TABLE, SHARED)
    assert positive.tolist() == [3, 1]
    assert negative.tolist() == [[0, 6, 6], [-math.inf, -3, -3]]


@pytest.mark.parametrize(
    ("negatives", "calibration", "beta"), [(1, 0, 1), (100, 1, 0.1), (100, 0.5, 0.55), (9999, 1, 1)]
)
def test_beta_goes_from_plain_to_calibrated(negatives, calibration, beta):
    found = gbce_beta(negatives=negatives, n_items=1001, calibration=calibration)
    assert found == pytest.approx(beta)
    if negatives <= 1000:  # as the paper writes it
        alpha = negatives / 1000
        power = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
        assert found == pytest.approx(power)


def test_corrected_sampled_softmax_has_the_gradient_of_the_full_softmax_on_average():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(1, 3, generator=generator)
    table, target = torch.randn(6, 3, generator=generator), torch.tensor([2])
    share = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.3, 0.1])
    drawn = torch.multinomial(share, 200_000, replacement=True, generator=generator)
    expected = (share[drawn] * len(drawn)).log()
    found = sampled_softmax(hidden, target, table, drawn, log_expected=expected)
    scores = (hidden @ table.T)[0, 1:]  # without padding, which is never drawn
    assert found.item() == pytest.approx((scores.logsumexp(0) - scores[1]).item(), rel=0.01)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_smoothed_labels_equal_pytorchs(share):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 3, generator=generator, requires_grad=True)
    table = torch.randn(7, 3, generator=generator, requires_grad=True)
    targets = torch.tensor([1, 2, 3, 6, 1])
    ours = smoothed(softmax_cross_entropy(hidden, targets, table), hidden, targets, table, share)
    theirs = torch.nn.functional.cross_entropy(hidden @ table.T, targets, label_smoothing=share)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    for one, two in zip(
        torch.autograd.grad(ours, (hidden, table)),
        torch.autograd.grad(theirs, (hidden, table)),
        strict=True,
    ):
        assert torch.allclose(one, two, atol=1e-6)


def test_the_hardest_candidate_is_the_one_that_scores_highest():
    hidden, table = torch.tensor([[1.0], [-1.0]]), torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    candidates = torch.tensor([[[1, 3], [2, 1]], [[1, 3], [3, 2]]])
    assert hardest(hidden, table, candidates).tolist() == [[[1], [0]], [[0], [1]]]


@pytest.mark.parametrize("loss", [bpr_max, top1_max])
def test_a_position_without_negatives_has_no_gradient(loss):
    torch.manual_seed(0)
    hidden = torch.randn(3, 4, requires_grad=True)
    table = torch.randn(3, 4, requires_grad=True)
    value = loss(hidden, torch.tensor([1, 2, 1]), table, torch.tensor([1]))
    grads = torch.autograd.grad(value, (hidden, table))
    assert all(grad.isfinite().all() for grad in grads)
    assert (grads[0][[0, 2]] == 0).all()
    assert (grads[0][1] != 0).any()


@pytest.mark.parametrize("loss", [bpr_max, top1_max])
def test_nan_weights_make_the_loss_nan(loss):
    table = torch.full((4, 2), float("nan"))
    value = loss(torch.ones(2, 2), torch.tensor([1, 2]), table, torch.tensor([[3], [3]]))
    assert not value.isfinite()
