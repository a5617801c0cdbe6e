"""The best items are exactly those that scoring every item in double precision gives."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_serve.errors import SettingsError
from sasrec_serve.scoring import kernel_scan, library
from sasrec_serve.scoring.exact import exact_scores, ranked
from sasrec_serve.scoring.item_vectors import ItemVectors
from sasrec_serve.scoring.kernel_scan import Codes
from sasrec_serve.scoring.plain_scan import best_by_products, largest_norm

SCORING = Path(library.__file__).parent
WAYS = ("numpy", *library.LEVELS)


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Runs each test with every kind of instructions that this processor has."""
    wanted = request.param
    monkeypatch.setenv(library.ENVIRONMENT_VARIABLE, "off" if wanted == "numpy" else wanted)
    found = library.level()
    if found is None and wanted != "numpy":
        pytest.skip("the compiled scan was not built here; a C compiler is missing")
    if found is not None and library.LEVELS[found] != wanted:
        pytest.skip(f"this processor has no {wanted} instructions")
    return wanted


def truth(
    state: np.ndarray, values: np.ndarray, k: int, allowed: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the list by its definition: products in double precision, rounded, sorted."""
    numbers = np.setdiff1d(np.flatnonzero(allowed), seen)
    lanes = np.zeros((len(numbers), 8))
    for place in range(len(state)):
        lanes[:, place % 8] += values[numbers, place].astype(float) * float(state[place])
    with np.errstate(over="ignore"):
        sums = ((lanes[:, 0] + lanes[:, 4]) + (lanes[:, 2] + lanes[:, 6])) + (
            (lanes[:, 1] + lanes[:, 5]) + (lanes[:, 3] + lanes[:, 7])
        )
        scores = sums.astype(np.float32)
    order = sorted(range(len(numbers)), key=lambda place: (-scores[place], numbers[place]))[:k]
    return numbers[order], scores[order]


def assert_exact(
    values: np.ndarray, states: np.ndarray, k: int, allowed: np.ndarray, seen: list[np.ndarray]
) -> None:
    vectors = ItemVectors.of(values)
    found = vectors.best(states, k, allowed=allowed, seen=seen)
    assert len(found) == len(states)
    for state, own, (items, scores) in zip(states, seen, found, strict=True):
        wanted, best = truth(state, values, k, allowed, own)
        np.testing.assert_array_equal(items, wanted)
        np.testing.assert_array_equal(scores, best)  # the same bits, whatever the way


def magnitudes(draw: st.DrawFn, random: np.random.Generator, rows: int) -> np.ndarray:
    """Return a factor for each row: all alike, far apart, or extreme."""
    kind = draw(st.sampled_from(["alike", "apart", "huge", "tiny", "zeros"]))
    if kind == "apart":
        return 10.0 ** random.uniform(-12, 12, (rows, 1))
    if kind == "zeros":
        return random.integers(0, 2, (rows, 1)).astype(float)
    return np.full((rows, 1), {"alike": 1.0, "huge": 1e30, "tiny": 1e-38}[kind])


@st.composite
def tables(draw: st.DrawFn, n_items: int, width: int) -> np.ndarray:
    """Return item vectors that make scans difficult."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["normal", "few", "near", "ascending", "one_large"]))
    values = random.standard_normal((n_items, width))
    if kind == "few":  # many equal vectors
        values = values[random.integers(0, min(3, n_items), n_items)]
    if kind == "near":  # differences far below the precision of a byte
        values = values[:1] * (1 + 1e-7 * random.integers(-2, 3, (n_items, width)))
    if kind == "ascending":  # each item may be better than all before
        values = values[:1] * np.linspace(0.5, 1, n_items)[:, None]
    if kind == "one_large":  # one number decides the scale of its vector
        values[:, 0] *= 1e4
    with np.errstate(over="ignore", under="ignore"):
        return (values * magnitudes(draw, random, n_items)).astype(np.float32)


@given(data=st.data())
def test_lists_are_exact_for_any_vectors(data: st.DataObject) -> None:
    n_items = data.draw(st.sampled_from([1, 2, 15, 16, 17, 100, 3000]))
    width = data.draw(st.sampled_from([1, 3, 8, 20, 64, 65]))
    n_states = data.draw(st.sampled_from([1, 2, 3, 5, 8, 9]))
    values, states = data.draw(tables(n_items, width)), data.draw(tables(n_states, width))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    allowed = random.random(n_items) < data.draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))
    seen = [np.unique(random.integers(0, n_items, random.integers(0, 5))) for _ in states]
    k = data.draw(st.sampled_from([1, 2, 10, 11, 500, 5000]))
    assert_exact(values, states, k, allowed, seen)


def test_all_scans_agree_with_each_other_beyond_few_items(way: str) -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal((20_000, 32)).astype(np.float32)
    states = random.standard_normal((3, 32)).astype(np.float32)
    allowed = random.random(len(values)) < 0.5
    assert_exact(values, states, 25, allowed, [np.arange(100)] * 3)


def test_what_bytes_leave_out_of_vectors_decides() -> None:
    # The large number makes all others smaller than half a step. What is left points in the
    # direction of the state, so that the bound is reached, and each item is better than all before.
    values = np.linspace(0.9, 1, 1000)[:, None] * np.ones((1000, 24))
    values[:, 0] = 1e3
    states = np.ones((3, 24), np.float32)
    states[:, 0] = 0
    none = [np.zeros(0, np.int64)] * 3
    assert_exact(values.astype(np.float32), states, 5, np.ones(1000, bool), none)


def test_what_bytes_leave_out_of_states_decides() -> None:
    values = np.linspace(0.5, 1, 1000)[:, None] * np.ones((1000, 24))
    values[:, 0] = 0
    states = np.ones((3, 24), np.float32)
    states[:, 0] = 1e3
    none = [np.zeros(0, np.int64)] * 3
    assert_exact(values.astype(np.float32), states, 5, np.ones(1000, bool), none)


def test_the_best_item_is_found_wherever_it_is() -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal((100, 16)).astype(np.float32)
    vectors, none = ItemVectors.of(values), [np.zeros(0, np.int64)]
    for number in range(100):
        state = values[number : number + 1] * 100
        scores = values @ state[0]
        allowed = scores <= scores[number]
        [(items, _)] = vectors.best(state, 1, allowed=allowed, seen=none)
        assert items.tolist() == [number]


def test_scores_beyond_float32_are_infinite_and_sorted() -> None:
    values = np.array([[1.0], [3e38], [-3e38], [3e38]], np.float32)
    state = np.array([[3e38]], np.float32)
    with np.errstate(over="ignore"):
        [(items, scores)] = ItemVectors.of(values).best(
            state, 4, allowed=np.ones(4, bool), seen=[np.zeros(0, np.int64)]
        )
    assert items.tolist() == [1, 3, 0, 2]
    assert scores.tolist() == [np.inf, np.inf, np.float32(3e38), -np.inf]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("beside", [1.0, 1e30])
def test_vectors_that_are_not_finite_are_refused(value: float, beside: float) -> None:
    values = np.full((50, 5), beside, np.float32)
    values[37, 3] = value
    with pytest.raises(ValueError, match="an item vector contains NaN or infinity"):
        ItemVectors.of(values)


@given(n=st.integers(0, 40), width=st.integers(1, 40), seed=st.integers(0, 1000))
def test_exact_scores_are_those_of_the_definition(n: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.standard_normal((n + 1, width)).astype(np.float32)
    state = random.standard_normal(width).astype(np.float32)
    items, scores = ranked(np.arange(n + 1), exact_scores(state, values, np.arange(n + 1)), n + 1)
    wanted, best = truth(state, values, n + 1, np.ones(n + 1, bool), np.zeros(0, np.int64))
    np.testing.assert_array_equal(items, wanted)
    np.testing.assert_array_equal(scores, best)


def test_two_threads_find_the_same(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "numpy":
        pytest.skip("NumPy divides products among threads itself")
    monkeypatch.setattr(kernel_scan, "MANY", 0)
    random = np.random.default_rng(0)
    values = random.integers(-3, 4, (5000, 8)).astype(np.float32)  # many equal scores
    states = random.integers(-3, 4, (4, 8)).astype(np.float32)
    seen, allowed = [np.arange(0, 5000, 7)] * 4, random.random(5000) < 0.9
    arguments = {"allowed": allowed, "seen": seen}
    one = ItemVectors.of(values, threads=1).best(states, 20, **arguments)
    two = ItemVectors.of(values, threads=2).best(states, 20, **arguments)
    for first, second in product(range(4), range(2)):
        np.testing.assert_array_equal(one[first][second], two[first][second])


def test_few_exact_scores_are_computed(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "numpy":
        pytest.skip("about the compiled scan")
    counts: list[int] = []
    native = library.loaded()
    assert native is not None
    scan: Callable[..., int] = native.sasrec_serve_scan

    class Counting:
        def sasrec_serve_scan(self, *arguments: int) -> int:
            counts.append(scan(*arguments))
            return counts[-1]

        def sasrec_serve_code(self, *arguments: int) -> int:
            return int(native.sasrec_serve_code(*arguments))

    monkeypatch.setattr(kernel_scan, "_library", Counting)
    random = np.random.default_rng(0)
    values = random.standard_normal((50_000, 64)).astype(np.float32)
    state = random.standard_normal((1, 64)).astype(np.float32)
    assert_exact(values, state, 10, np.ones(50_000, bool), [np.zeros(0, np.int64)])
    assert counts[0] < 400  # 10 (1 + ln(50,000 / 10)) = 95 if bytes were exact


def test_vectors_too_large_for_bytes_are_scored_without(way: str) -> None:
    values = np.array([[1e30, 1.0], [2e30, 0.0]], np.float32)
    assert way == "numpy" or Codes.of(values, 0) is None
    assert ItemVectors.of(values).codes is None


def test_the_norm_is_that_of_the_longest_vector() -> None:
    values = np.array([[0, 0], [3, 4], [1, 1]], np.float32)
    assert ItemVectors.of(values).largest_norm == largest_norm(values) == 5


def test_shapes_that_do_not_fit_are_refused() -> None:
    vectors, none = ItemVectors.of(np.eye(4, 3, dtype=np.float32)), [np.zeros(0, np.int64)]
    with pytest.raises(ValueError, match="do not fit"):
        vectors.best(np.ones((1, 4), np.float32), 1, allowed=np.ones(4, bool), seen=none)
    with pytest.raises(ValueError, match="do not fit"):
        vectors.best(np.ones((1, 3), np.float32), 1, allowed=np.ones(3, bool), seen=none)


def test_plain_products_leave_out_what_they_are_told() -> None:
    values = np.eye(4, dtype=np.float32)
    [(items, _)] = best_by_products(
        np.array([[4, 3, 2, 1]], np.float32),
        values,
        1.0,
        2,
        allowed=np.array([True, True, False, True]),
        seen=[np.array([0])],
    )
    assert items.tolist() == [1, 3]


def test_the_hash_is_that_of_the_sources() -> None:
    whole = hashlib.sha256()
    for pattern in ("*.c", "*.h"):
        for path in sorted(SCORING.glob(pattern)):
            whole.update(path.read_bytes())
    assert f"{library.SOURCE_HASH:012x}" == whole.hexdigest()[:12]


def test_a_library_of_other_sources_is_not_used(
    way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if way == "numpy":
        pytest.skip("about the library")
    monkeypatch.setattr(library, "SOURCE_HASH", library.SOURCE_HASH + 1)
    library.loaded.cache_clear()
    try:
        assert library.level() is None
        assert "does not match this version's C sources" in caplog.text
    finally:
        library.loaded.cache_clear()


def test_an_unknown_kind_of_instructions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.ENVIRONMENT_VARIABLE, "sse9")
    with pytest.raises(SettingsError, match="is 'sse9'; set it to off, plain, avx2, vnni"):
        library.level()
