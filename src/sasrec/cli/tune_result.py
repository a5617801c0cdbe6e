"""What a search found: its best settings, trained again and tested, written down and said."""

from __future__ import annotations

import json
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import SasrecError, counted
from sasrec.system.pictures import attempted
from sasrec.system.writing import write_whole

if TYPE_CHECKING:
    from sasrec.data.corpus import Corpus
    from sasrec.tuning.study import Search


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best trial of a search.

    Attributes:
        watched: The validation metric it was chosen by.
        score: What it came to.
        settings: The settings that were searched, to its values.
        fixed: The settings all trials shared.
        model: Name of the model.
        preset: Name of settings to begin with, or None.
        judged: Trials it was chosen among.
        failed: Trials that ended in an error.
    """

    watched: str
    score: float
    settings: Mapping[str, Any]
    fixed: Mapping[str, Any]
    model: str
    preset: str | None
    judged: int
    failed: int

    @classmethod
    def of(
        cls,
        search: Search,
        *,
        watched: str,
        model: str,
        preset: str | None,
        fixed: Mapping[str, Any],
    ) -> Chosen:
        """Return the best trial of a search.

        Args:
            search: At its end.
            watched: The validation metric.
            model: Name of the model.
            preset: Name of settings to begin with, or None.
            fixed: Settings of all trials.

        Returns:
            The best one.

        Raises:
            SasrecError: No trial finished.
        """
        from sasrec.settings.metric_names import smaller_is_better

        best, failed = search.best(), search.failed()
        if best is None:
            reason = f"; the last one failed: {failed[-1].user_attrs['error']}" if failed else ""
            raise SasrecError(
                f"no trial finished{reason}; with another space or other settings, give another "
                "--out"
            )
        return cls(
            watched=watched,
            score=float(best.value or 0) * (-1 if smaller_is_better(watched) else 1),
            settings=search.settings_of(best),
            fixed=fixed,
            model=model,
            preset=preset,
            judged=search.judged(),
            failed=len(failed),
        )


def tested(
    chosen: Chosen, corpus: Corpus, *, seed: int, seeds: int, note: Callable[[str], None]
) -> list[dict[str, float]]:
    """Train the best settings again, with several seeds, and test them.

    Args:
        chosen: The settings.
        corpus: The data set.
        seed: The first.
        seeds: How many; 0 trains and tests nothing.
        note: Told before each training.

    Returns:
        Metric to value, for each seed.
    """
    from sasrec.experiment.run import run_experiment
    from sasrec.settings.resolve import resolve_settings
    from sasrec.training.progress import LogObserver

    tests: list[dict[str, float]] = []
    for number in range(seed, seed + seeds):
        note(f"training the best again, seed {number} (not with --seeds 0)")
        values = {**chosen.fixed, **chosen.settings, "seed": number}
        run = resolve_settings(values, chosen.model, chosen.preset)
        tests.append(run_experiment(corpus, run, observer=LogObserver()).reports[0].test)
    return tests


def sentences(chosen: Chosen, tests: Sequence[Mapping[str, float]]) -> list[str]:
    """Return what people should know of the tests; nothing without any.

    Args:
        chosen: What was tested.
        tests: Metric to value, for each seed.

    Returns:
        Sentences.
    """
    if not tests:
        return []
    seeds = len(tests)
    spread = {
        key: f" (standard error {statistics.stdev(t[key] for t in tests) / seeds**0.5:.4f})"
        if seeds > 1
        else ""
        for key in tests[0]
    }
    figures = ", ".join(
        f"{key} {statistics.mean(t[key] for t in tests):.4f}{spread[key]}" for key in tests[0]
    )
    return [
        f"test, {counted(seeds, 'seed')}: {figures}",
        f"note: these settings were chosen among {chosen.judged} by validation, so their "
        "validation score flatters; the test score does not",
    ]


def write_settings(chosen: Chosen, folder: Path) -> None:
    """Write the best settings as YAML, to be trained with.

    Args:
        chosen: The best trial.
        folder: Where to.
    """
    begin = {} if chosen.preset is None else {"preset": chosen.preset}
    values = _as_yaml({**begin, **chosen.fixed, **chosen.settings})
    write_whole(folder / "best.yaml", f"# settings of {chosen.model}\n{values}")


def write_report(
    chosen: Chosen,
    tests: Sequence[Mapping[str, float]],
    search: Search,
    folder: Path,
    *,
    title: str,
) -> None:
    """Write the report and its pictures.

    Args:
        chosen: The best trial.
        tests: What it came to when trained again.
        search: All trials.
        folder: Where to.
        title: Of the report.
    """
    from sasrec.settings.metric_names import smaller_is_better
    from sasrec.tuning.report import search_figures, search_report, write_figures

    # A search looks for the highest, and its pictures show what it saw.
    name = f"-{chosen.watched}" if smaller_is_better(chosen.watched) else chosen.watched
    figures = attempted("the search", partial(search_figures, search, name)) or {}
    page = search_report(search, figures, title=title, final=sentences(chosen, tests))
    write_whole(folder / "search.html", page)
    attempted("the search", partial(write_figures, figures, folder))


def say(
    chosen: Chosen,
    tests: Sequence[Mapping[str, float]],
    folder: Path,
    *,
    data: str,
    as_json: bool,
) -> None:
    """Print what was found.

    Args:
        chosen: The best trial.
        tests: What it came to when trained again.
        folder: What was written is there.
        data: What was trained on.
        as_json: As one JSON object.
    """
    if as_json:
        found = {
            "folder": str(folder),
            "valid_metric": chosen.watched,
            "validation": chosen.score,
            "settings": dict(chosen.settings),
            "trials": chosen.judged,
            "failed": chosen.failed,
            "tests": [dict(test) for test in tests],
        }
        print(json.dumps(found))
        return
    also = f", {chosen.failed} failed" if chosen.failed else ""
    print(
        f"best of {counted(chosen.judged, 'trial')}{also}: "
        f"{chosen.watched} {chosen.score:.4f} (validation)"
    )
    for key, value in chosen.settings.items():
        print(f"  {key}: {short(value)}")
    for sentence in sentences(chosen, tests):
        print(sentence)
    print(f"saved in {folder}: best.yaml, search.html, pictures; to train with the best settings:")
    model = "" if chosen.model == "SASRec" else f" --model {chosen.model}"
    print(f"  sasrec train -d {shlex.quote(data)}{model} --config {folder / 'best.yaml'}")


def short(value: Any) -> str:
    """Return a value of a setting in few characters.

    Args:
        value: Any.

    Returns:
        Fractions with four digits that tell.
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _as_yaml(settings: Mapping[str, Any]) -> str:
    """Return settings as YAML; JSON is YAML too, and needs no guessing about types."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
