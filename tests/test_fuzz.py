"""A small part of ``make fuzz``: almost valid input only raises errors that a user can fix."""

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"
NAMES = (
    *("words", "yaml", "hyper", "inter", "csv", "checkpoint", "recbole"),
    *("model-settings", "model-vocabulary", "model-model", "item", "parts", "parquet"),
    *("bare", "jsonl", "gzip", "zstd"),
)


@pytest.fixture(scope="module")
def ready() -> Iterator[tuple[Any, dict[str, Any]]]:
    """The mutation function and the fuzz targets."""
    sys.path.insert(0, str(FUZZ))
    try:
        from mutation import mutated  # type: ignore[import-not-found]
        from targets import prepared, scratch, targets  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(FUZZ))
    folder = scratch()
    prepared(folder)
    yield mutated, targets(folder)
    shutil.rmtree(folder)


def test_every_reader_is_fuzzed_here_too(ready: tuple[Any, dict[str, Any]]) -> None:
    assert set(ready[1]) == set(NAMES)


@pytest.mark.parametrize("times", [60, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_almost_valid_input_is_read_or_rejected(
    name: str, times: int, ready: tuple[Any, dict[str, Any]]
) -> None:
    mutated, targets = ready
    chance = random.Random(name)
    for _ in range(times):
        data = mutated(chance, targets[name].seeds, targets[name].words)
        try:
            targets[name].read(data)
        except BaseException as error:
            raise AssertionError(f"{name} raised {type(error).__name__} for {data!r}") from error


@pytest.mark.parametrize("name", NAMES)
def test_valid_input_is_not_a_finding(name: str, ready: tuple[Any, dict[str, Any]]) -> None:
    for seed in ready[1][name].seeds:
        ready[1][name].read(seed)
