"""RecBole's ``HyperTuning``: its arguments, results and log lines, on sasrec's search engine."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sasrec.errors import Interrupted, SasrecError, SettingsError, counted, did_you_mean
from sasrec.recbole.hyper_page import search_page
from sasrec.system.writing import write_atomically
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.space import check_grid, read_space, space_of
from sasrec.tuning.study import Search

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

Objective = Callable[[dict[str, Any], Sequence[str] | None], Mapping[str, Any]]
ALGORITHMS: dict[str, Literal["exhaustive", "random", "tpe"]] = {
    "exhaustive": "exhaustive",
    "random": "random",
    "bayes": "tpe",
}
"""RecBole's names of algorithms to sasrec's."""
RESULT_KEYS = {"best_valid_score", "valid_score_bigger", "best_valid_result", "test_result"}
"""Keys that the result of an objective function must have."""


class HyperTuning:
    """A search for good settings, with RecBole's arguments and attributes.

    Attributes:
        best_params: Parameters of the best trial; None before the first successful trial.
        best_score: Validation score of the best trial; None before the first successful trial.
        best_test_result: Test result of the best trial.
        params2result: ``params2str`` of each successful trial to the result of the objective.
        score_list: Scores of the successful trials, in order.
        stopped_because: Why the search ended, as text.
        n_ended: Number of trials that ended, including failed ones.
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
            objective_function: Function of parameters and config files that returns a result with
                ``best_valid_score``, ``valid_score_bigger``, ``best_valid_result`` and
                ``test_result``.
            space: Same as ``params_dict``.
            params_file: A ``hyper.test`` file with the search space.
            params_dict: The search space: kind, such as ``choice``, to name to values.
            fixed_config_file_list: Config files of all trials.
            display_file: HTML file for a plot of the scores by trial, written at the end.
            algo: ``exhaustive``, ``random`` or ``bayes`` (TPE).
            max_evals: Maximum number of trials for random and bayes; exhaustive tries every
                combination.
            early_stop: Stop after this many trials in a row without a better score.

        Raises:
            SettingsError: No space or more than one is given, or an argument is invalid.
        """
        given = [each for each in (space, params_dict) if each is not None]
        if len(given) + (params_file is not None) != 1:
            raise SettingsError("give exactly one of space, params_file and params_dict")
        if not isinstance(algo, str) or algo not in ALGORITHMS:
            meant = did_you_mean(str(algo), ALGORITHMS)
            raise SettingsError(f"unknown algo {algo!r}{meant} (known: {', '.join(ALGORITHMS)})")
        for name, number in (("max_evals", max_evals), ("early_stop", early_stop)):
            if type(number) is not int or number < 1:
                raise SettingsError(
                    f"{name} is {number!r}; it must be a whole number of at least 1"
                )
        self.objective_function = objective_function
        self.space = space_of(given[0]) if params_file is None else read_space(params_file)
        self.fixed_config_file_list = fixed_config_file_list
        self.display_file = None if display_file is None else Path(display_file)
        self.algo = algo
        if algo == "exhaustive":
            check_grid(self.space)
        self._plan = SearchPlan(
            space=tuple(self.space),
            algorithm=ALGORITHMS[algo],
            prune="none",
            trials=max_evals,
            early_stop=early_stop,
        )
        self.max_evals, self.early_stop = self._plan.total, early_stop
        self._reset()

    def _reset(self) -> None:
        """Delete the results of an earlier run."""
        self.best_params: dict[str, Any] | None = None
        self.best_score: float | None = None
        self.best_test_result: Mapping[str, float] | None = None
        self.params2result: dict[str, Mapping[str, Any]] = {}
        self.score_list: list[float] = []
        self.stopped_because = ""
        self.n_ended = 0
        self._failure: SasrecError | None = None

    @staticmethod
    def params2str(params: Mapping[str, Any]) -> str:
        """Return parameters as a string.

        Args:
            params: Name to value.

        Returns:
            Such as ``a:1, b:2``.
        """
        return ", ".join(f"{name}:{value}" for name, value in params.items())

    def run(self) -> None:
        """Run trials until none is left, ``max_evals`` is reached, or scores stop improving.

        Raises:
            SasrecError: Every trial failed; this is the error of the last one.
        """  # by end
        search = self.begin()
        while (trial := search.ask()) is not None:
            params = search.settings_of(trial)
            outcome = outcome_of(self.objective_function, params, self.fixed_config_file_list)
            self.record(search, trial, outcome)
        self.end(search)

    def begin(self) -> Search:
        """Return a new search, with results reset and the log set up."""
        self._reset()
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        return Search(self._plan)

    def record(
        self, search: Search, trial: optuna.Trial, outcome: Mapping[str, Any] | SasrecError
    ) -> None:
        """Record and log the outcome of a trial.

        Args:
            search: The search from ``begin``.
            trial: The trial.
            outcome: Its outcome, from ``outcome_of``.
        """
        self.n_ended += 1
        params = search.settings_of(trial)
        text = self.params2str(params)
        if isinstance(outcome, SasrecError):
            search.fail(trial, str(outcome))
            self._failure = outcome
            logger.warning("trial %d (%s) failed: %s", self.n_ended, text, outcome)
            return
        search.finish(trial, merit_of(outcome))
        self.params2result[text] = outcome
        self.score_list.append(_valid_score(outcome))
        if is_best := search.progress(trial).is_best:
            self.best_params, self.best_score = params, self.score_list[-1]
            self.best_test_result = outcome["test_result"]
        logger.info(
            "trial %d of %d: %s, score %s%s",
            self.n_ended,
            self.max_evals,
            text,
            self.score_list[-1],
            " (best so far)" if is_best else "",
        )

    def end(self, search: Search) -> None:
        """Write ``display_file`` and log the best parameters.

        Args:
            search: The search from ``begin``, after its last trial.

        Raises:
            SasrecError: Every trial failed; this is the error of the last one.
        """
        if not self.params2result and self._failure is not None:
            raise self._failure
        without_progress = search.without_progress()
        self.stopped_because = (
            f"{counted(self.max_evals, 'trial')} done"
            if without_progress < self.early_stop
            else f"no better score in the last {counted(without_progress, 'trial')} (early_stop)"
        )
        if self.display_file is not None:
            results = list(self.params2result.values())
            scores = [_valid_score(result) for result in results]
            higher = all(result["valid_score_bigger"] for result in results)
            page = search_page(list(self.params2result), scores, higher_is_better=higher)
            write_atomically(self.display_file, page)
        logger.info("search ended: %s; best: %s", self.stopped_because, self.best_params)

    def export_result(self, output_file: str | Path) -> None:
        """Write parameters, validation and test results of every successful trial.

        Args:
            output_file: The file to write.
        """
        write_atomically(
            Path(output_file),
            "".join(
                f"{text}\nValid result:\n{_metrics_line(result['best_valid_result'])}\n"
                f"Test result:\n{_metrics_line(result['test_result'])}\n\n"
                for text, result in self.params2result.items()
            ),
        )


def outcome_of(
    objective: Objective, params: Mapping[str, Any], files: Sequence[str] | None
) -> Mapping[str, Any] | SasrecError:
    """Run a trial.

    Args:
        objective: The objective function.
        params: Parameters of the trial.
        files: Config files of all trials.

    Returns:
        The result of the objective, or the error it raised.

    Raises:
        Interrupted: The user stopped the trial, and so the search.
        SettingsError: The result of the objective is invalid.
    """
    try:
        result = objective(dict(params), files)
    except Interrupted:
        raise
    except SasrecError as error:
        return error
    if not isinstance(result, Mapping) or not set(result) >= RESULT_KEYS:
        raise SettingsError(
            f"objective_function returned {result!r}; it must return a dict with "
            f"{', '.join(sorted(RESULT_KEYS))}"
        )
    return result


def merit_of(result: Mapping[str, Any]) -> float:
    """Return the validation score of a result, negated if lower scores are better.

    Args:
        result: A result from ``outcome_of``.

    Returns:
        A score where higher is better; NaN if there is no validation score.
    """
    return _valid_score(result) if result["valid_score_bigger"] else -_valid_score(result)


def _valid_score(result: Mapping[str, Any]) -> float:
    raw = result["best_valid_score"]
    return math.nan if raw is None else float(raw)


def _metrics_line(values: Mapping[str, float]) -> str:
    return "    ".join(f"{name} : {value}" for name, value in values.items())
