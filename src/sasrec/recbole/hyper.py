"""RecBole's ``HyperTuning``: trials of a space one after the other, and the best of them."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sasrec.errors import SasrecError, SettingsError, did_you_mean
from sasrec.system.writing import write_whole
from sasrec.tuning.picture import search_page
from sasrec.tuning.space import Parameter, check_grid, grid, grid_size, read_space, space_of
from sasrec.tuning.storage import optuna_here
from sasrec.tuning.suggestions import suggested

logger = logging.getLogger(__name__)

Objective = Callable[[dict[str, Any], Sequence[str] | None], Mapping[str, Any]]
ALGORITHMS = ("exhaustive", "random", "bayes")
SEED = 2020
RESULT = {"best_valid_score", "valid_score_bigger", "best_valid_result", "test_result"}
"""What an objective function returns at least."""


class HyperTuning:
    """A search, with RecBole's arguments and attributes.

    Attributes:
        best_params: The best trial's parameters; None before the first success.
        best_score: Its validation score; None before the first success.
        best_test_result: Its test result.
        params2result: ``params2str`` of each successful trial to what the objective returned.
        score_list: Scores of the successful trials, in order.
        stopped_because: Why the search ended, in words.
        heard: Trials that have ended, failed ones too.
    """

    def __init__(
        self,
        objective_function: Objective,
        space: Mapping[str, Mapping[str, Any]] | None = None,
        params_file: str | Path | None = None,
        params_dict: Mapping[str, Mapping[str, Any]] | None = None,
        fixed_config_file_list: Sequence[str] | None = None,
        display_file: str | Path | None = None,
        algo: str = "exhaustive",
        max_evals: int = 100,
        early_stop: int = 10,
    ) -> None:
        """Prepare a search.

        Args:
            objective_function: From parameters and files to a result with ``best_valid_score`` and
                ``valid_score_bigger``.
            space: As ``params_dict``.
            params_file: A ``hyper.test`` file.
            params_dict: Kind to name to values.
            fixed_config_file_list: Files every trial begins with.
            display_file: An HTML page to write when the search has ended: score by trial.
            algo: ``exhaustive``, ``random`` or ``bayes`` (TPE).
            max_evals: Most trials of random and bayes; exhaustive tries every combination.
            early_stop: The search ends after so many trials in a row without progress.

        Raises:
            SettingsError: No space or more than one is given, or an argument is unknown.
        """
        given = [each for each in (space, params_dict) if each is not None]
        if len(given) + (params_file is not None) != 1:
            raise SettingsError("give one of space, params_file and params_dict")
        if algo not in ALGORITHMS:
            meant = did_you_mean(str(algo), ALGORITHMS)
            raise SettingsError(f"algo is {algo!r}{meant} (known: {', '.join(ALGORITHMS)})")
        for name, number in (("max_evals", max_evals), ("early_stop", early_stop)):
            if type(number) is not int or number < 1:
                raise SettingsError(f"{name} is {number!r}; it is a whole number from 1")
        self.objective_function = objective_function
        self.space = space_of(given[0]) if params_file is None else read_space(params_file)
        self.fixed_config_file_list = fixed_config_file_list
        self.display_file = None if display_file is None else Path(display_file)
        self.algo = algo
        if algo == "exhaustive":
            check_grid(self.space)
        self.max_evals = grid_size(self.space) if algo == "exhaustive" else max_evals
        self.early_stop = early_stop
        self.best_params: dict[str, Any] | None = None
        self.best_score: float | None = None
        self.best_test_result: Mapping[str, float] | None = None
        self.params2result: dict[str, Mapping[str, Any]] = {}
        self.score_list: list[float] = []
        self.stopped_because = ""
        self.heard, self._stale = 0, 0
        self._failure: SasrecError | None = None

    @staticmethod
    def params2str(params: Mapping[str, Any]) -> str:
        """Return parameters as text.

        Args:
            params: Name to value.

        Returns:
            Such as ``a:1, b:2``.
        """
        return ", ".join(f"{name}:{value}" for name, value in params.items())

    def run(self) -> None:
        """Try parameters until they are exhausted, enough were tried, or nothing gets better.

        Raises:
            SasrecError: Every trial failed; the error of the last.
        """
        self.begin()
        proposals = _Proposals(self.space, self.algo)
        for params in islice(proposals, self.max_evals):
            outcome = outcome_of(self.objective_function, params, self.fixed_config_file_list)
            is_over = self.hear(params, outcome)
            proposals.tell(None if isinstance(outcome, SasrecError) else score_of(outcome))
            if is_over:
                break
        self.end()

    def begin(self) -> None:
        """Get ready to hear of trials, and to tell of them."""
        self.stopped_because = f"tried {self.max_evals} of them"
        self.heard, self._stale, self._failure = 0, 0, None
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

    def hear(self, params: dict[str, Any], outcome: Mapping[str, Any] | SasrecError) -> bool:
        """Keep how a trial ended, and tell of it.

        Args:
            params: That were tried.
            outcome: Of ``outcome_of``.

        Returns:
            Whether the search is to end, as too many trials in a row brought no progress.
        """
        self.heard += 1
        text, is_best = self.params2str(params), False
        if isinstance(outcome, SasrecError):
            self._failure = outcome
            logger.warning("trial %d (%s) failed: %s", self.heard, text, outcome)
        else:
            is_best = self._note(params, outcome)
            logger.info(
                "trial %d of %d: %s, score %s%s",
                self.heard,
                self.max_evals,
                text,
                self.score_list[-1],
                " (best so far)" if is_best else "",
            )
        self._stale = 0 if is_best else self._stale + 1
        if self._stale < self.early_stop:
            return False
        self.stopped_because = f"{self._stale} trials in a row brought no progress (early_stop)"
        return True

    def end(self) -> None:
        """Draw the picture, and say what was found.

        Raises:
            SasrecError: Every trial failed; the error of the last.
        """
        if not self.params2result and self._failure is not None:
            raise self._failure
        if self.display_file is not None:
            self._draw(self.display_file)
        logger.info("search ended: %s; best: %s", self.stopped_because, self.best_params)

    def _draw(self, path: Path) -> None:
        results = list(self.params2result.values())
        scores = [_measured(result) for result in results]
        bigger = all(result["valid_score_bigger"] for result in results)
        write_whole(path, search_page(list(self.params2result), scores, bigger=bigger))

    def _note(self, params: dict[str, Any], result: Mapping[str, Any]) -> bool:
        """Keep a result.

        Args:
            params: Of the trial.
            result: What the objective returned.

        Returns:
            Whether it is better than all before.
        """
        self.params2result[self.params2str(params)] = result
        score = _measured(result)
        self.score_list.append(score)
        sign = 1.0 if result["valid_score_bigger"] else -1.0
        is_best = self.best_score is None or sign * score > sign * self.best_score
        if is_best and not math.isnan(score):
            self.best_params, self.best_score = params, score
            self.best_test_result = result["test_result"]
            return True
        return False

    def export_result(self, output_file: str | Path) -> None:
        """Write every successful trial: its parameters, validation and test results.

        Args:
            output_file: Where to.
        """
        write_whole(
            Path(output_file),
            "".join(
                f"{text}\nValid result:\n{_spelled(result['best_valid_result'])}\n"
                f"Test result:\n{_spelled(result['test_result'])}\n\n"
                for text, result in self.params2result.items()
            ),
        )


def outcome_of(
    objective: Objective, params: Mapping[str, Any], files: Sequence[str] | None
) -> Mapping[str, Any] | SasrecError:
    """Do a trial.

    Args:
        objective: Of the search.
        params: To try.
        files: Every trial begins with.

    Returns:
        What the objective returned, or the mistake it met.

    Raises:
        SettingsError: It returned something else.
    """
    try:
        result = objective(dict(params), files)
    except SasrecError as error:
        return error
    if not isinstance(result, Mapping) or not set(result) >= RESULT:
        raise SettingsError(
            f"objective_function returned {result!r}; it returns a dict with "
            f"{', '.join(sorted(RESULT))}"
        )
    return result


def score_of(result: Mapping[str, Any]) -> float:
    """Return how good a result is.

    Args:
        result: Of ``outcome_of``.

    Returns:
        Higher is better; not a number if nothing was measured.
    """
    return _measured(result) if result["valid_score_bigger"] else -_measured(result)


def _measured(result: Mapping[str, Any]) -> float:
    raw = result["best_valid_score"]
    return math.nan if raw is None else float(raw)


def _spelled(values: Mapping[str, float]) -> str:
    return "    ".join(f"{name} : {value}" for name, value in values.items())


class _Proposals:
    """Parameters to try next; ``tell`` lets the search learn from the last."""

    def __init__(self, space: list[Parameter], algorithm: str) -> None:
        self._space = space
        self._study: Any = None
        self._trial: Any = None
        self._sequence: Iterator[dict[str, Any]] | None = None
        if algorithm == "bayes":
            self._study = _tpe_study()
        else:
            self._sequence = drawn(space, algorithm)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._sequence is not None:
            yield from self._sequence
            return
        while True:
            self._trial = self._study.ask()
            yield {each.name: suggested(self._trial, each) for each in self._space}

    def tell(self, score: float | None) -> None:
        """Learn how the last proposal did; higher is better, None failed."""
        if self._trial is None:
            return
        if score is None or math.isnan(score):
            from optuna.trial import TrialState

            self._study.tell(self._trial, state=TrialState.FAIL)
        else:
            self._study.tell(self._trial, score)


def drawn(space: list[Parameter], algorithm: str) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a search that does not learn from its trials.

    Args:
        space: What is searched.
        algorithm: ``exhaustive`` yields every combination once, ``random`` goes on without end.

    Yields:
        Name to value.
    """
    generator = np.random.default_rng(SEED)
    if algorithm == "exhaustive":
        # In random order, as in RecBole, so that early stopping has seen all of the space.
        points = list(grid(space))
        yield from (points[place] for place in generator.permutation(len(points)))
        return
    while True:
        yield {each.name: each.draw(generator) for each in space}


def _tpe_study() -> Any:
    optuna = optuna_here()
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
