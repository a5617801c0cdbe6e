"""Losses that compare the target with sampled negatives instead of the whole catalogue.

All take states [P, d], targets [P], the item table [V, d], and negatives: int64 [P, K], drawn for
each position, or [K], one set shared by all. If a shared set contains a position's own target, that
pair is ignored. Scores are dot products of states and item vectors; s+ is the score of the target,
s- that of a negative. If there are no positions, every loss is 0.

For models that do not score by dot product, ``table`` is a function that scores candidates: it maps
states [P, d] and items [P, K] to scores [P, K].
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
    """Return the Bayesian personalised ranking loss (Rendle et al. 2009, arXiv:1205.2618).

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
           -beta log sigmoid(s+) - sum over negatives of log(1 - sigmoid(s-))

    The paper has a factor 1 / (K + 1), left out here because it does not change a step of Adam.

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
    """Return beta, the exponent that gSASRec applies to the probability of the target.

    beta = alpha (t (1 - 1/alpha) + 1/alpha) = 1 - t (1 - alpha) with alpha = K / (V - 1).

    Args:
        negatives: K, the number of negatives of a target.
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
    """Return softmax cross-entropy over the target and its negatives, with the logQ correction.

    loss = mean over positions of  log(exp(s+) + sum over negatives of exp(s- - log(K q))) - s+,
    where q is the probability of drawing that negative. The sum is then an unbiased estimate of
    the sum over all items except the target (Bengio & Senecal 2008). The target is always included
    and never drawn, so its score is not corrected (Khrylchenko et al. 2025, arXiv:2507.09331).

    Args:
        hidden: float [P, d], supervised states only.
        targets: int64 [P], the items that followed.
        table: float [V, d], item vectors; or a scorer.
        negatives: int64 [P, K] or [K].
        log_expected: log(K q) of each negative, in their shape or one number; 0 turns the
            correction off.

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
    is_valid, negative = _without_invalid(negative)
    logarithms, finite = negative.log_softmax(1), _finite_scores(negative)
    ahead = (logarithms + F.logsigmoid(positive[:, None] - finite)).logsumexp(1)
    regular = (logarithms.exp() * finite.square()).sum(1)
    total = torch.where(is_valid, penalty * regular - ahead, 0.0)
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
    is_valid, negative = _without_invalid(negative)
    finite = _finite_scores(negative)
    worse = torch.sigmoid(finite - positive[:, None]) + torch.sigmoid(finite.square())
    total = torch.where(is_valid, (negative.softmax(1) * worse).sum(1), 0.0)
    return total.sum() / max(len(targets), 1)


def _without_invalid(negative: Tensor) -> tuple[Tensor, Tensor]:
    """Return which positions have a valid negative, and scores with the other positions set to 0.

    A negative is valid if it is not the target. If a position has none, all its scores [P, K] are
    minus infinity, and the gradient of their softmax is NaN. Applying ``where`` after the softmax
    would not keep NaN out of the weights.
    """
    is_valid = (negative != -torch.inf).any(1)  # True for NaN, so that the loss becomes NaN
    return is_valid, negative.masked_fill(~is_valid[:, None], 0.0)


def _finite_scores(negative: Tensor) -> Tensor:
    """Return the scores with 0 for ignored negatives (minus infinity), whose weight is 0 too."""
    return negative.masked_fill(negative == -torch.inf, 0.0)


def _against_items(
    function: Callable[[Tensor, Tensor, Table, Tensor], Tensor],
) -> Callable[[TrainingSettings, int], SampledFunction]:
    """Return a builder for a loss that reads no settings and uses only the negatives' items."""

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
