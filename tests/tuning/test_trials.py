"""A journal with invalid values is used, or rejected with a one-line message."""

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sasrec.errors import SettingsError
from sasrec.training.progress import EpochResult, Observer
from sasrec.tuning.outcomes import SearchProgress
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.report import seconds_saved
from sasrec.tuning.space import parameter
from sasrec.tuning.study import Search

SPACE = (parameter("a", "choice", [1, 2, 3], "here"), parameter("b", "choice", [[10], [20]], "h"))
PLAN = SearchPlan(space=SPACE, algorithm="exhaustive", prune="halving")
INVALID = [None, -1, 10**30, "x", {"a": 1}, float("nan")]


def train(settings: dict[str, Any], observer: Observer) -> float:
    score = float(settings["a"] * settings["b"][0])
    if score == 40:
        raise SettingsError("does not work")
    for number in range(1, 4):
        observer.finished_epoch(EpochResult(number, 1.0, 0.1, 10, score, False, 9))
    return score


def stopped(settings: dict[str, Any], observer: Observer) -> float:
    if settings["a"] == 3:
        raise KeyboardInterrupt
    return train(settings, observer)


def quiet(progress: SearchProgress) -> None:
    pass


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """A journal with trials of all states: finished, pruned, failed, waiting, and lost."""
    path = tmp_path_factory.mktemp("journal") / "s.journal"
    search = Search(PLAN, storage=str(path), name="s")
    with pytest.raises(Exception, match="the search was interrupted"):
        search.run(stopped, quiet)
    trial = search.study.ask()
    trial.set_user_attr("owner", "elsewhere:123")
    trial.set_user_attr("beat", 1.0)
    return [json.loads(line) for line in path.read_text().splitlines()]


def paths_in(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a JSON object."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inside in pairs:
        yield (*before, key)
        yield from paths_in(inside, (*before, key))


def variants(lines: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield journals with one invalid value each, for every field of every kind of line."""
    seen = set()
    for number, line in enumerate(lines):
        for path_in_line in paths_in(line):
            kind = (line["op_code"], path_in_line)
            if kind in seen or path_in_line == ("worker_id",):  # the worker id is not used
                continue
            seen.add(kind)
            for invalid in INVALID:
                changed = copy.deepcopy(lines)
                inside: Any = changed[number]
                for key in path_in_line[:-1]:
                    inside = inside[key]
                inside[path_in_line[-1]] = invalid
                yield f"{line['op_code']} {path_in_line} {invalid!r}", changed


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_invalid_values_in_a_journal_are_ignored_or_rejected_in_one_line(
    step: int, lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    path, refused, tried = tmp_path / "s.journal", 0, 0
    for what, changed in itertools.islice(variants(lines), 0, None, step):
        path.write_text("".join(json.dumps(line) + "\n" for line in changed))
        tried += 1
        try:
            search = Search(PLAN, storage=str(path), name="s")
            search.run(train, quiet)
            search.best()
            seconds_saved(search.done())
            [search.settings_of(trial) for trial in search.done()]
        except SettingsError as error:
            refused += 1
            text = str(error)
        except BaseException as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        else:
            text = ""
        assert "\n" not in text, what
    assert 20 // step < refused < tried
