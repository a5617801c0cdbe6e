"""Vectors of event types in SASRec: nothing without types, and no look at the type that follows."""

import numpy as np
import pytest
import torch

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.event_types import EventTargets
from sasrec.data.batches.windows import Windows
from sasrec.data.sequences import Sequences
from sasrec.models.contract import Catalogue
from sasrec.models.parts.event_types import make_event_types
from sasrec.models.sasrec import SASRec, SASRecSettings

SMALL = {"hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1}
FORMS = [
    {},
    {"positions": "reversed"},
    {"positions": "rotary", "block": "gated", "feed_forward": "swiglu", "output_norm": True},
    {"block": "paper", "scale_embedding": True, "event_dropout_prob": 0.1},
    {"block": "pre_norm", "norm": "rms", "relative_bias": "both", "tied_output": False},
    {"similarity": "cosine", "temperature": 0.05, "positions": "none", "input_norm": False},
]
ITEMS = np.array([3, 1, 2, 5, 4, 1, 2], dtype=np.int32)
TYPES = np.array([1, 2, 2, 1, 0, 2, 1], dtype=np.uint8)
SEQUENCES = Sequences(ITEMS, np.arange(7.0), np.array([0, 4, 7]), types=TYPES)
WINDOWS = Windows(np.array([0, 4]), np.array([3, 2]), np.array([3, 2]), np.array([1, 2]))


def model_of(n_types: int, **settings: object) -> SASRec:
    torch.manual_seed(0)
    made = SASRec(SASRecSettings(**SMALL, **settings), Catalogue(5, 0, 4, n_types))
    with torch.no_grad():
        if made.event_types is not None:
            for weight in made.event_types.parameters():
                weight[1:] = torch.randn_like(weight[1:])
    return made.eval()


def collator(asked: int | str = 0, chosen: np.ndarray | None = None) -> Collator:
    return Collator(SEQUENCES, with_times=True, targets=EventTargets(asked, chosen))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_without_types_the_weights_are_the_same_to_the_bit(form) -> None:
    plain, typed = model_of(0, **form), model_of(2, **form)
    own = dict(typed.named_parameters())
    for name, weight in plain.named_parameters():
        assert torch.equal(weight, own[name])
    extra = {name for name in own if name not in dict(plain.named_parameters())}
    assert extra == {"event_types.events.weight", "event_types.next.weight"}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_types_and_the_type_asked_for_change_the_states(form) -> None:
    model = model_of(2, **form)
    states = {asked: model(collator(asked).batch(WINDOWS)) for asked in (0, 1, 2)}
    last = torch.tensor([2, 4])
    for one, other in ((0, 1), (1, 2)):
        different = (states[one][last] - states[other][last]).abs().max(1).values
        assert (different > 1e-4).all()
    unlike = Collator(
        Sequences(ITEMS, np.arange(7.0), SEQUENCES.offsets, types=TYPES[::-1].copy()),
        with_times=True,
    )
    assert not torch.allclose(states[0], model(unlike.batch(WINDOWS)))


def test_the_type_of_the_target_is_only_seen_in_training() -> None:
    asked, true = collator(2).batch(WINDOWS), collator("true").batch(WINDOWS)
    assert asked.types is not None
    assert asked.types.tolist() == [1, 2, 2, 0, 2]
    assert asked.next_types is not None
    assert asked.next_types.tolist() == [2, 2, 2, 2, 2]
    assert true.next_types is not None
    assert true.next_types.tolist() == [2, 2, 1, 2, 1]


@pytest.mark.parametrize("asked", [0, 2, "true"])
def test_padded_and_flat_batches_have_the_same_types_and_targets(asked: int | str) -> None:
    chosen = np.array([True, True, False, True, True, True, False])
    made = collator(asked, chosen)
    windows = Windows(
        WINDOWS.starts, WINDOWS.lengths, WINDOWS.supervised, WINDOWS.users, np.array([2, 1])
    )
    flat, padded = made.batch(windows), made.rectangle(windows, 4)
    kept = padded.items > 0
    for name in ("items", "types", "next_types", "targets"):
        assert torch.equal(getattr(flat, name), getattr(padded, name)[kept])
    assert flat.targets.tolist() == [1, 0, 5, 1, 0]
    assert flat.n_supervised == padded.n_supervised == 3
    assert flat.supervised.tolist() == [0, 2, 3]
    model = model_of(2)
    assert torch.allclose(model(flat), model(padded)[kept], atol=1e-6)


def test_histories_without_types_are_histories_of_unknown_types() -> None:
    plain = Collator(Sequences(ITEMS, None, SEQUENCES.offsets), targets=EventTargets(2))
    unknown = Collator(
        Sequences(ITEMS, None, SEQUENCES.offsets, types=np.zeros(7, np.uint8)),
        targets=EventTargets(2),
    )
    model = model_of(2)
    expected = model(unknown.batch(WINDOWS))
    assert torch.equal(model(plain.batch(WINDOWS)), expected)
    assert torch.allclose(
        model(plain.rectangle(WINDOWS, 4))[plain.rectangle(WINDOWS, 4).items > 0],
        expected,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("use", "tables"), [("both", (True, True)), ("history", (True, False)), ("next", (False, True))]
)
def test_each_use_has_its_own_table(use, tables: tuple[bool, bool]) -> None:
    made = make_event_types(3, 8, use, 0.1)
    assert made is not None
    assert (made.events is not None, made.next is not None) == tables
    assert make_event_types(3, 8, "none", 0.1) is None


def test_training_hides_types_of_whole_windows_but_asks_at_their_last_event() -> None:
    made = make_event_types(2, 1, "both", 0.5)
    assert made is not None
    for table in (made.events, made.next):
        assert table is not None
        with torch.no_grad():
            table.weight[:, 0] = torch.tensor([0.0, 1.0, 2.0])
    torch.manual_seed(0)
    batch = collator("true").batch(WINDOWS)
    seen = set()
    for _ in range(100):
        of_history, of_next = made(batch)
        assert of_history is not None
        assert of_next is not None
        is_hidden = of_history[:3, 0].sum().item() == 0
        assert is_hidden or of_history[:3, 0].tolist() == [1, 2, 2]
        if is_hidden:
            assert of_next[:2, 0].tolist() == [0, 0]
        seen.add((is_hidden, of_next[2, 0].item()))
    assert seen == {(True, 0.0), (True, 1.0), (False, 0.0), (False, 1.0)}


def test_row_zero_gets_no_gradient() -> None:
    model = model_of(2).train()
    model(collator("true").batch(WINDOWS)).sum().backward()
    assert model.event_types is not None
    for weight in model.event_types.parameters():
        assert weight.grad is not None
        assert not weight.grad[0].any()
