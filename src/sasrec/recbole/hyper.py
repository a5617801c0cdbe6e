"""RecBole's ``HyperTuning``: its arguments, results and printed lines, on our search engine."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sasrec.errors import Interrupted, SasrecError, SettingsError, did_you_mean
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
"""RecBole's names of algorithms to ours."""
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
        if not isinstance(algo, str) or algo not in ALGORITHMS:
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
        self._plan = SearchPlan(
            space=tuple(self.space),
            algorithm=ALGORITHMS[algo],
            prune="none",
            trials=max_evals,
            early_stop=early_stop,
        )
        self.max_evals, self.early_stop = self._plan.total, early_stop
        self._forget()

    def _forget(self) -> None:
        """Begin without results."""
        self.best_params: dict[str, Any] | None = None
        self.best_score: float | None = None
        self.best_test_result: Mapping[str, float] | None = None
        self.params2result: dict[str, Mapping[str, Any]] = {}
        self.score_list: list[float] = []
        self.stopped_because = ""
        self.heard = 0
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
        """  # by _end
        search = self.begin()
        while (trial := search.ask()) is not None:
            params = search.settings_of(trial)
            outcome = outcome_of(self.objective_function, params, self.fixed_config_file_list)
            self.hear(search, trial, outcome)
        self.end(search)

    def begin(self) -> Search:
        """Return the search, and get ready to tell of its trials."""
        self._forget()
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        return Search(self._plan)

    def hear(
        self, search: Search, trial: optuna.Trial, outcome: Mapping[str, Any] | SasrecError
    ) -> None:
        """Keep how a trial ended, and tell of it.

        Args:
            search: From ``begin``.
            trial: That the search asked for.
            outcome: Of ``outcome_of``.
        """
        self.heard += 1
        params = search.settings_of(trial)
        text = self.params2str(params)
        if isinstance(outcome, SasrecError):
            search.fail(trial, str(outcome))
            self._failure = outcome
            logger.warning("trial %d (%s) failed: %s", self.heard, text, outcome)
            return
        search.finish(trial, merit_of(outcome))
        self.params2result[text] = outcome
        self.score_list.append(_measured(outcome))
        if is_best := search.standing(trial).is_best:
            self.best_params, self.best_score = params, self.score_list[-1]
            self.best_test_result = outcome["test_result"]
        logger.info(
            "trial %d of %d: %s, score %s%s",
            self.heard,
            self.max_evals,
            text,
            self.score_list[-1],
            " (best so far)" if is_best else "",
        )

    def end(self, search: Search) -> None:
        """Draw the picture, and say what was found.

        Args:
            search: From ``begin``, at its end.

        Raises:
            SasrecError: Every trial failed; the error of the last.
        """
        if not self.params2result and self._failure is not None:
            raise self._failure
        without_progress = search.without_progress()
        self.stopped_because = (
            f"tried {self.max_evals} of them"
            if without_progress < self.early_stop
            else f"{without_progress} trials in a row brought no progress (early_stop)"
        )
        if self.display_file is not None:
            results = list(self.params2result.values())
            scores = [_measured(result) for result in results]
            bigger = all(result["valid_score_bigger"] for result in results)
            page = search_page(list(self.params2result), scores, bigger=bigger)
            write_atomically(self.display_file, page)
        logger.info("search ended: %s; best: %s", self.stopped_because, self.best_params)

    def export_result(self, output_file: str | Path) -> None:
        """Write every successful trial: its parameters, validation and test results.

        Args:
            output_file: Where to.
        """
        write_atomically(
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
        Interrupted: The user has stopped the trial, and with it the search.
        SettingsError: It returned something else.
    """
    try:
        result = objective(dict(params), files)
    except Interrupted:
        raise
    except SasrecError as error:
        return error
    if not isinstance(result, Mapping) or not set(result) >= RESULT:
        raise SettingsError(
            f"objective_function returned {result!r}; it returns a dict with "
            f"{', '.join(sorted(RESULT))}"
        )
    return result


def merit_of(result: Mapping[str, Any]) -> float:
    """Return how good a result is.

    Args:
        result: Of ``outcome_of``.

    Returns:
        Higher is better; NaN if nothing was measured.
    """
    return _measured(result) if result["valid_score_bigger"] else -_measured(result)


def _measured(result: Mapping[str, Any]) -> float:
    raw = result["best_valid_score"]
    return math.nan if raw is None else float(raw)


def _spelled(values: Mapping[str, float]) -> str:
    return "    ".join(f"{name} : {value}" for name, value in values.items())
