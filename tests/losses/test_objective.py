"""The loss of a run, and whether each sampler draws items as often as it states."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sasrec.errors import SettingsError
from sasrec.losses.contract import PairObjective, SampledLoss
from sasrec.losses.drawing import negative_sampler
from sasrec.losses.objective import training_loss
from sasrec.losses.scores import pair_scores
from sasrec.settings.registry import LOSSES
from sasrec.settings.resolve import resolve_settings
from sasrec.settings.training import TrainingSettings

COUNTS = np.array([0, 9, 4, 1, 16])
CPU = torch.device("cpu")
SOURCE = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("distribution", ["uniform", "popularity"])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_items_are_drawn_as_often_as_log_expected_says(shared, distribution, alpha):
    settings = TrainingSettings(
        loss="SSM", negatives=distribution, shared_negatives=shared, negative_alpha=alpha
    )
    draw = negative_sampler(settings, counts=COUNTS, device=CPU, generator=SOURCE)
    count = 100_000
    negatives, log_expected = draw(torch.tensor([1, 4]), count)
    assert negatives.shape == ((count,) if shared else (2, count))
    rows = negatives[None] if shared else negatives
    expected = torch.as_tensor(log_expected).expand(negatives.shape).reshape(rows.shape)
    for target, drawn, said in zip((1, 4), rows, expected, strict=False):
        found = torch.bincount(drawn, minlength=5)
        assert found[0] == 0
        assert shared or found[target] == 0
        for item in drawn.unique().tolist():
            # The logarithm of a count n scatters by 1 / sqrt(n), here at most 0.02.
            assert found[item].log().item() == pytest.approx(
                said[drawn == item][0].item(), abs=0.08
            )


def test_the_other_targets_of_the_batch_are_negatives():
    settings = TrainingSettings(loss="SSM", negatives="in_batch")
    targets = torch.tensor([1, 4, 4, 2])
    negatives, log_expected = negative_sampler(
        settings, counts=COUNTS, device=CPU, generator=SOURCE
    )(targets, 1)
    assert torch.equal(negatives, targets)
    assert log_expected.exp().tolist() == pytest.approx([9 * 4 / 30, 64 / 30, 64 / 30, 16 / 30])


def test_switching_the_correction_off_changes_sampled_softmax():
    generator = torch.Generator().manual_seed(0)
    hidden, table = torch.randn(3, 4, generator=generator), torch.randn(5, 4, generator=generator)
    values = [
        training_loss(
            TrainingSettings(loss="SSM", negative_count=5, correct_sampling=correct),
            counts=COUNTS,
            device=CPU,
        )(hidden, torch.tensor([1, 2, 4]), table).item()
        for correct in (True, False)
    ]
    assert values[0] != pytest.approx(values[1], rel=0.01)


def test_calibration_changes_gbce():
    hidden, table = torch.ones(1, 2), torch.ones(5, 2)
    values = [
        training_loss(TrainingSettings(loss="gBCE", gbce_calibration=t), counts=COUNTS, device=CPU)(
            hidden, torch.tensor([1]), table
        ).item()
        for t in (0.0, 1.0)
    ]
    # beta falls from 1 to K / (V - 1) = 1/3, and -log sigmoid(2) = 0.1269.
    assert values[0] - values[1] == pytest.approx(0.126928 * 2 / 3, rel=1e-4)


def test_score_penalty_is_part_of_the_loss():
    hidden, table = torch.ones(1, 2), torch.ones(5, 2)
    values = [
        training_loss(
            TrainingSettings(loss="BPRmax", score_penalty=weight), counts=COUNTS, device=CPU
        )(hidden, torch.tensor([1]), table).item()
        for weight in (0.0, 1.0)
    ]
    assert values[1] - values[0] == pytest.approx(4, rel=1e-5)  # every score is 2


@pytest.mark.parametrize("loss", ["BPR", "BCE", "gBCE", "SSM", "BPRmax", "TOP1max"])
def test_one_item_has_no_negatives(loss):
    with pytest.raises(SettingsError, match=f"loss {loss} needs at least two items"):
        training_loss(TrainingSettings(loss=loss), counts=np.array([0, 3]), device=CPU)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": "CE", "negatives": "in_batch"}, "uses no negatives"),
        ({"loss": "gBCE", "negatives": "none"}, "loss_type gBCE needs negatives"),
        ({"loss": "BCE", "label_smoothing": 0.1}, "label_smoothing needs loss CE"),
        (
            {"loss": "BCE", "negative_candidates": 2, "shared_negatives": True},
            "cannot be shared",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        TrainingSettings(**values)


@pytest.mark.parametrize(("written", "name"), [("ce", "CE"), ("GBCE", "gBCE"), ("bce", "BCE")])
def test_upper_and_lower_case_of_a_loss_name_do_not_matter(written, name):
    assert TrainingSettings(loss=written).loss == name


def test_an_unknown_loss_is_refused_with_all_names():
    with pytest.raises(ValidationError, match=r"must be one of 'CE', 'BPR', .*or 'TOP1max'"):
        TrainingSettings(loss="BPRmin")
    with pytest.raises(SettingsError, match=r"loss is 'BPRmix': .*; did you mean 'BPRmax'"):
        resolve_settings({"loss": "BPRmix"})


def margin(hidden, targets, table, negatives):
    positive, negative = pair_scores(hidden, targets, table, negatives.items)
    return torch.relu(1 + negative - positive[:, None]).sum() / max(len(targets), 1)


MARGIN = SampledLoss(
    "Margin", lambda settings, n_items: margin, sampler="in_batch", needs_item_vectors=True
)


def test_a_loss_takes_one_object_and_one_line(monkeypatch):
    monkeypatch.setitem(LOSSES.built_in, "Margin", f"{__name__}:MARGIN")
    settings = TrainingSettings(loss="margin")
    assert (settings.loss, settings.sampler) == ("Margin", "in_batch")
    hidden, table = torch.eye(4)[1:3], torch.eye(5)[:, :4]
    loss = training_loss(settings, counts=COUNTS, device=CPU)
    # Each target scores 1 and the other target of the batch 0, so that the excess is 0.
    assert loss(hidden, torch.tensor([1, 2]), table).item() == 0
    assert loss(hidden, torch.tensor([2, 1]), table).item() == 2
    with pytest.raises(SettingsError, match="does not score by dot product, so loss Margin"):
        loss(hidden, torch.tensor([1, 2]), lambda hidden, items: items.float())
    with pytest.raises(SettingsError, match="TransRec does not score by dot product"):
        resolve_settings({"loss": "Margin"}, "TransRec")


def test_only_a_pairwise_loss_with_one_unshared_negative_is_trained_by_pairs():
    def objective(**values):
        return training_loss(TrainingSettings(**values), counts=COUNTS, device=CPU)

    assert isinstance(objective(loss="BPR"), PairObjective)
    for values in (
        {"loss": "BCE"},
        {"loss": "BPR", "negative_count": 2},
        {"loss": "BPR", "shared_negatives": True},
        {"loss": "BPR", "negatives": "in_batch"},
        {"loss": "BPR", "negative_candidates": 2},
    ):
        assert not isinstance(objective(**values), PairObjective)
