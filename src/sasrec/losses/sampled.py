"""Losses that set the target against sampled negatives instead of the whole catalogue.

All take states [P, d], targets [P], the item table [V, d], and negatives: int64 [P, K], drawn for
each position, or [K], one set shared by all. A shared set may hold a position's own target; that
pair then counts for nothing. Scores are products of states and item vectors; s+ is the target's
score, s- that of a negative. Without positions every loss is 0.

Where scores are no products, ``table`` is a function that scores candidates: from states [P, d] and
items [P, K] to [P, K].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from sasrec.losses.contract import SampledFunction, SampledLoss
from sasrec.losses.drawing import Negatives
from sasrec.losses.scores import Table, pair_scores
from sasrec.settings.training import TrainingSettings


def bpr(hidden: Tensor, targets: Tensor, table: Table, negatives: Tensor) -> Tensor:
    """Return Bayesian personalised ranking's loss (Rendle et al. 2009, arXiv:1205.2618).

    loss = mean over positions and negatives of  -log sigmoid(s+ - s-).

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].

    Returns:
        A scalar.
    """
    positive, negative = pair_scores(hidden, targets, table, negatives)
    return -F.logsigmoid(positive[:, None] - negative).sum() / max(negative.numel(), 1)


def bce(hidden: Tensor, targets: Tensor, table: Table, negatives: Tensor) -> Tensor:
    """Return binary cross-entropy, the loss of Kang & McAuley 2018 (section 3.5), with K negatives.

    loss = mean over positions of  -log sigmoid(s+) - sum over negatives of log(1 - sigmoid(s-)).

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].

    Returns:
        A scalar.
    """
    return gbce(hidden, targets, table, negatives, beta=1.0)


def gbce(
    hidden: Tensor, targets: Tensor, table: Table, negatives: Tensor, *, beta: float
) -> Tensor:
    """Return generalised binary cross-entropy (gSASRec, Petrov & Macdonald 2023, arXiv:2308.07192).

    loss = mean over positions of
           sum over negatives of -log(1 - sigmoid(s-)), and -beta log sigmoid(s+)

    This is theirs without the factor 1 / (K + 1), which a step of Adam does not feel.

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].
        beta: From ``gbce_beta``; 1 is plain binary cross-entropy.

    Returns:
        A scalar.
    """
    positive, negative = pair_scores(hidden, targets, table, negatives)
    total = F.softplus(negative).sum() - beta * F.logsigmoid(positive).sum()
    return total / max(len(targets), 1)


def gbce_beta(*, negatives: int, n_items: int, calibration: float) -> float:
    """Return the power of the positive's probability that gSASRec takes.

    beta = alpha (t (1 - 1/alpha) + 1/alpha) = 1 - t (1 - alpha) with alpha = K / (V - 1).

    Args:
        negatives: K, drawn for a target.
        n_items: Items in the catalogue.
        calibration: t, from 0 (plain binary cross-entropy) to 1 (probabilities fully calibrated).

    Returns:
        A number from 0 to 1.
    """
    alpha = min(1.0, negatives / max(n_items - 1, 1))
    return 1 - calibration * (1 - alpha)


def sampled_softmax(
    hidden: Tensor,
    targets: Tensor,
    table: Table,
    negatives: Tensor,
    *,
    log_expected: Tensor | float = 0.0,
) -> Tensor:
    """Return softmax cross-entropy over the target and its negatives, corrected for how these came.

    loss = mean over positions of  log(exp(s+) + sum over negatives of exp(s- - log(K q))) - s+,
    where q is the probability with which that negative is drawn. The sum is then an unbiased
    estimate of the sum over all items but the target (Bengio & Senecal 2008). The target itself is
    not drawn but certain, so it is not corrected (Khrylchenko et al. 2025, arXiv:2507.09331).

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].
        log_expected: log(K q) of each negative, of their shape or a number; 0 corrects nothing.

    Returns:
        A scalar.
    """
    positive, negative = pair_scores(hidden, targets, table, negatives)
    scores = torch.cat([positive[:, None], negative - log_expected], dim=1)
    return (scores.logsumexp(1) - positive).sum() / max(len(targets), 1)


def bpr_max(
    hidden: Tensor, targets: Tensor, table: Table, negatives: Tensor, *, penalty: float = 1.0
) -> Tensor:
    """Return BPR-max (GRU4Rec+, Hidasi & Karatzoglou 2018, arXiv:1706.03847, section 3.3).

    loss = mean over positions of  -log(sum over negatives of w sigmoid(s+ - s-))
           + penalty x sum over negatives of w (s-)^2,  with w = softmax of the negatives' scores.

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].
        penalty: Weight of the negatives' squared scores.

    Returns:
        A scalar.
    """
    positive, negative = pair_scores(hidden, targets, table, negatives)
    counts, negative = _counting(negative)
    logarithms, finite = negative.log_softmax(1), _finite_scores(negative)
    ahead = (logarithms + F.logsigmoid(positive[:, None] - finite)).logsumexp(1)
    regular = (logarithms.exp() * finite.square()).sum(1)
    total = torch.where(counts, penalty * regular - ahead, 0.0)
    return total.sum() / max(len(targets), 1)


def top1_max(hidden: Tensor, targets: Tensor, table: Table, negatives: Tensor) -> Tensor:
    """Return TOP1-max (GRU4Rec+, Hidasi & Karatzoglou 2018, arXiv:1706.03847, section 3.3).

    loss = mean over positions of  sum over negatives of w (sigmoid(s- - s+) + sigmoid((s-)^2)),
    with w = softmax of the negatives' scores.

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].

    Returns:
        A scalar.
    """
    positive, negative = pair_scores(hidden, targets, table, negatives)
    counts, negative = _counting(negative)
    finite = _finite_scores(negative)
    worse = torch.sigmoid(finite - positive[:, None]) + torch.sigmoid(finite.square())
    total = torch.where(counts, (negative.softmax(1) * worse).sum(1), 0.0)
    return total.sum() / max(len(targets), 1)


def _counting(negative: Tensor) -> tuple[Tensor, Tensor]:
    """Return which positions have a negative that is not their target, and scores without holes.

    The scores [P, K] of the other positions become 0: a softmax over nothing has no gradient, and
    ``where`` behind it would not keep NaN from the weights.
    """
    counts = (negative != -torch.inf).any(1)  # NaN counts, so that the loss tells of it
    return counts, negative.masked_fill(~counts[:, None], 0.0)


def _finite_scores(negative: Tensor) -> Tensor:
    """Return 0 for negatives that do not count, whose weight is 0 too."""
    return negative.masked_fill(negative == -torch.inf, 0.0)


def _against_items(
    function: Callable[[Tensor, Tensor, Table, Tensor], Tensor],
) -> Callable[[TrainingSettings, int], SampledFunction]:
    """Return what builds a loss that reads no settings and only the items of its negatives."""

    def loss(hidden: Tensor, targets: Tensor, table: Table, negatives: Negatives) -> Tensor:
        return function(hidden, targets, table, negatives.items)

    return lambda settings, n_items: loss


def _gbce(settings: TrainingSettings, n_items: int) -> SampledFunction:
    beta = gbce_beta(
        negatives=settings.negative_count,
        n_items=n_items,
        calibration=settings.gbce_calibration,
    )

    def loss(hidden: Tensor, targets: Tensor, table: Table, negatives: Negatives) -> Tensor:
        return gbce(hidden, targets, table, negatives.items, beta=beta)

    return loss


def _sampled_softmax(settings: TrainingSettings, n_items: int) -> SampledFunction:
    corrects = settings.correct_sampling

    def loss(hidden: Tensor, targets: Tensor, table: Table, negatives: Negatives) -> Tensor:
        items, log_expected = negatives
        return sampled_softmax(
            hidden, targets, table, items, log_expected=log_expected if corrects else 0.0
        )

    return loss


def _bpr_max(settings: TrainingSettings, n_items: int) -> SampledFunction:
    penalty = settings.score_penalty

    def loss(hidden: Tensor, targets: Tensor, table: Table, negatives: Negatives) -> Tensor:
        return bpr_max(hidden, targets, table, negatives.items, penalty=penalty)

    return loss


BPR = SampledLoss("BPR", _against_items(bpr), is_pairwise=True)
BCE = SampledLoss("BCE", _against_items(bce))
GBCE = SampledLoss("gBCE", _gbce, uses=frozenset({"gbce_calibration"}))
SSM = SampledLoss("SSM", _sampled_softmax, uses=frozenset({"correct_sampling"}))
BPR_MAX = SampledLoss("BPRmax", _bpr_max, uses=frozenset({"score_penalty"}))
TOP1_MAX = SampledLoss("TOP1max", _against_items(top1_max))
