from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.data.batches.batching import Collator, rounded_up
from sasrec.data.batches.grouping import shuffled_groups, sorted_groups
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.data.batches.windows import Windows, case_windows, training_windows
from sasrec.data.sequences import Sequences
from sasrec.data.splits import Split, leave_one_out


def sequences(lengths):
    """Return histories in which each item is the index of its event plus one."""
    items = np.arange(1, sum(lengths) + 1, dtype=np.int32)
    return Sequences(items, None, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))


@st.composite
def plans(draw):
    lengths = [*draw(st.lists(st.integers(1, 25), max_size=8)), draw(st.integers(3, 40))]
    max_history = draw(st.integers(1, 9))
    return SimpleNamespace(
        split=leave_one_out(sequences(draw(st.permutations(lengths)))),
        max_history=max_history,
        context=draw(st.integers(0, max_history - 1)),
        batch_size=draw(st.integers(1, 30)),
        seed=draw(st.integers(0, 2**20)),
    )


def owners(split):
    return np.repeat(np.arange(1, split.sequences.n_users + 1), split.sequences.lengths())


@given(plans())
def test_each_target_is_supervised_exactly_once_an_epoch(plan):
    batches = TrainingBatches(
        plan.split, plan.max_history, plan.context, plan.batch_size, Collator(plan.split.sequences)
    )
    seen = torch.cat([batch.targets for batch in batches.epoch(np.random.default_rng(plan.seed))])
    first, stops = plan.split.sequences.offsets[:-1], plan.split.train_stops
    expected = [
        place + 1  # its item
        for begin, stop in zip(first, stops, strict=True)
        for place in range(begin + 1, stop)
    ]
    assert sorted(seen[seen > 0].tolist()) == expected
    assert batches.n_targets == len(expected)


@given(plans())
def test_a_target_is_the_next_event_of_the_same_user(plan):
    batches = TrainingBatches(
        plan.split, plan.max_history, plan.context, plan.batch_size, Collator(plan.split.sequences)
    )
    owner = owners(plan.split)
    for batch in batches.epoch(np.random.default_rng(plan.seed)):
        supervised = batch.targets > 0
        assert torch.equal(batch.targets[supervised], batch.items[supervised] + 1)
        assert batch.longest == batch.offsets.diff().max() <= plan.max_history
        assert batch.offsets[-1] == len(batch.items) == len(batch.targets)
        for row, user in enumerate(batch.users.tolist()):
            window = batch.items[batch.offsets[row] : batch.offsets[row + 1]]
            assert (window.diff() == 1).all()  # contiguous
            assert set(owner[window.numpy() - 1]) == {user}  # begins within the user's history
            assert batch.targets[batch.offsets[row + 1] - 1] > 0


@given(plans())
def test_later_windows_keep_their_left_context(plan):
    windows = training_windows(
        plan.split,
        max_history=plan.max_history,
        context=plan.context,
        generator=np.random.default_rng(plan.seed),
    )
    begins_history = windows.starts == plan.split.sequences.offsets[windows.users - 1]
    unsupervised = windows.lengths - windows.supervised
    assert (windows.supervised >= 1).all()
    assert ((unsupervised == plan.context) | (begins_history & (unsupervised == 0))).all()


def docstring_windows(phase):
    split = Split(sequences([9]), np.array([1]), np.array([9]), validation=None, test=None)
    windows = training_windows(
        split,
        max_history=4,
        context=2,
        generator=SimpleNamespace(integers=lambda stride, size: np.full(size, phase)),
    )
    return [
        (list(range(start, start + length)), supervised)
        for start, length, supervised in zip(
            windows.starts, windows.lengths, windows.supervised, strict=True
        )
    ]


def test_the_example_of_the_docstring_holds():
    assert docstring_windows(phase=1) == [
        ([0, 1, 2], 3),
        ([1, 2, 3, 4], 2),
        ([3, 4, 5, 6], 2),
        ([5, 6, 7], 1),
    ]


def test_phase_zero_begins_with_a_full_window():
    assert docstring_windows(phase=0) == [([0, 1, 2, 3], 4), ([2, 3, 4, 5], 2), ([4, 5, 6, 7], 2)]


@pytest.mark.parametrize("n_events", [2, 5])
def test_a_history_that_fits_is_one_window_at_any_phase(n_events):
    split = Split(
        sequences([n_events]), np.array([1]), np.array([n_events]), validation=None, test=None
    )
    for seed in range(8):
        generator = np.random.default_rng(seed)
        windows = training_windows(split, max_history=4, context=2, generator=generator)
        assert windows.lengths.tolist() == windows.supervised.tolist() == [n_events - 1]


def test_phases_differ_between_epochs():
    split = Split(sequences([60]), np.array([1]), np.array([60]), validation=None, test=None)
    generator = np.random.default_rng(0)
    cuts = {
        int(training_windows(split, max_history=10, context=2, generator=generator).lengths[0])
        for _ in range(200)
    }
    assert cuts == set(range(3, 11))  # 10 less a phase of 0 to 7


def test_users_with_one_event_train_nothing():
    split = leave_one_out(sequences([1, 4, 1]))
    windows = training_windows(split, max_history=4, context=0, generator=np.random.default_rng(0))
    assert windows.users.tolist() == [2]


@given(plans())
def test_a_case_window_holds_the_most_recent_events_before_its_target(plan):
    split = plan.split
    collator, first = Collator(split.sequences), split.sequences.offsets
    for cases in (split.validation, split.test):
        if not len(cases):
            continue
        batch = collator.batch(case_windows(split.sequences, cases, plan.max_history))
        assert batch.users.tolist() == cases.users.tolist()
        assert batch.targets[batch.last].tolist() == (cases.stops + 1).tolist()
        assert int((batch.targets > 0).sum()) == len(cases)
        for row, (user, stop) in enumerate(zip(cases.users, cases.stops, strict=True)):
            begin = max(first[user - 1], stop - plan.max_history)
            window = batch.items[batch.offsets[row] : batch.offsets[row + 1]]
            assert window.tolist() == list(range(begin + 1, stop + 1))


@st.composite
def some_windows(draw):
    pairs = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=40))
    lengths = np.array([max(pair) for pair in pairs], dtype=np.int64)
    supervised = np.array([min(pair) for pair in pairs], dtype=np.int64)
    return Windows(np.zeros_like(lengths), lengths, supervised, np.ones_like(lengths))


@given(some_windows(), st.integers(1, 50), st.integers(1, 4), st.integers(0, 99))
def test_groups_hold_each_window_once_and_an_equal_share_of_targets(
    windows, batch_size, pool, seed
):
    generator = np.random.default_rng(seed)
    groups = shuffled_groups(windows, batch_size=batch_size, generator=generator, pool=pool)
    dealt = [place for group in groups for place in group.tolist()]
    assert sorted(dealt) == list(range(len(windows)))
    assert all(len(group) for group in groups)
    assert len(groups) <= -(-int(windows.supervised.sum()) // batch_size)
    # A group ends with the window that fills its share, so it holds less than a window more.
    longest = max(windows.supervised, default=0)
    assert all(windows.supervised[group].sum() < batch_size + longest for group in groups)


def test_groups_differ_in_each_epoch():
    ones = np.ones(64, dtype=np.int64)
    windows = Windows(np.arange(64), ones, ones, ones)
    generator = np.random.default_rng(0)
    first, second = (shuffled_groups(windows, batch_size=8, generator=generator) for _ in range(2))
    assert {frozenset(group) for group in first}.isdisjoint({frozenset(group) for group in second})


def test_groups_have_windows_of_similar_length():
    lengths = np.random.default_rng(1).integers(1, 51, size=3000)
    windows = Windows(np.zeros_like(lengths), lengths, lengths, np.ones_like(lengths))
    groups = shuffled_groups(windows, batch_size=2048, generator=np.random.default_rng(0))
    padded = sum(len(group) * lengths[group].max() for group in groups)
    assert padded / lengths.sum() < 1.15  # without sorting by length it is 1.9


@given(some_windows(), st.integers(1, 60))
def test_sorted_groups_do_not_exceed_the_number_of_positions(windows, positions):
    groups = sorted_groups(windows, positions)
    assert sorted(place for group in groups for place in group.tolist()) == list(
        range(len(windows))
    )
    for group in groups:
        assert len(group) == 1 or len(group) * windows.lengths[group].max() <= positions
    longest = [int(windows.lengths[group].max()) for group in groups]
    assert longest == sorted(longest, reverse=True)


def test_all_tensors_of_a_batch_move_to_a_device():
    split = leave_one_out(sequences([5, 6]))
    collator = Collator(split.sequences)
    batch = collator.batch(case_windows(split.sequences, split.test, 3))
    moved = batch.to(torch.device("meta"))
    for name in ("items", "offsets", "targets", "users"):
        assert getattr(moved, name).device.type == "meta"
    assert moved.negatives is None
    assert moved.longest == batch.longest == 3
    with_negatives = replace(batch, negatives=batch.targets[:, None])
    assert with_negatives.to(torch.device("meta")).negatives.device.type == "meta"


def test_epochs_repeat_with_the_generators_seed():
    split = leave_one_out(sequences([30, 12, 40]))
    batches = TrainingBatches(split, 8, 4, 10, Collator(split.sequences))
    first, again, other = (
        [batch.items.tolist() for batch in batches.epoch(np.random.default_rng(seed))]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@given(plans())
def test_padded_batches_have_the_same_windows_and_no_other_targets(plan):
    batches = TrainingBatches(
        plan.split, plan.max_history, plan.context, plan.batch_size, Collator(plan.split.sequences)
    )
    flat, filled_up = (
        epoch(np.random.default_rng(plan.seed)) for epoch in (batches.epoch, batches.padded_epoch)
    )
    for batch, full in zip(flat, filled_up, strict=True):
        assert batch.longest <= full.longest <= plan.max_history
        rows = full.items.view(-1, full.longest), full.targets.view(-1, full.longest)
        assert full.offsets.tolist() == [i * full.longest for i in range(len(rows[0]) + 1)]
        lengths = batch.offsets.diff().tolist()
        for row, (begin, length) in enumerate(zip(batch.offsets.tolist(), lengths, strict=False)):
            for flat, filled in zip((batch.items, batch.targets), rows, strict=True):
                assert filled[row, :length].tolist() == flat[begin : begin + length].tolist()
                assert (filled[row, length:] == 0).all()
        assert full.users[: len(lengths)].tolist() == batch.users.tolist()
        for padding in (
            rows[0][len(lengths) :],
            rows[1][len(lengths) :],
            full.users[len(lengths) :],
        ):
            assert (padding == 0).all()


@given(st.integers(1, 10_000))
def test_rounding_up_adds_at_most_an_eighth(size):
    rounded = rounded_up(size, steps=8)
    assert size <= rounded <= size * (1 + 1 / 8)
    assert rounded_up(rounded, steps=8) == rounded


def test_there_are_eight_rounded_sizes_between_powers_of_two():
    assert len({rounded_up(size, steps=8) for size in range(513, 1025)}) == 8
