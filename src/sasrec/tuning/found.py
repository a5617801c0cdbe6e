"""The result of a search: the best settings, their test metrics, and the report files."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sasrec.errors import SasrecError, counted
from sasrec.settings.metric_names import smaller_is_better
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import write_atomically
from sasrec.tuning.study import Search


@dataclass(frozen=True, slots=True)
class Found:
    """The best trial of a search.

    Attributes:
        watched: The validation metric by which it was chosen.
        score: Its value of that metric.
        settings: Searched setting to its best value.
        fixed: Settings that all trials had in common.
        model: Name of the model.
        preset: Name of the preset, or None.
        judged: Number of trials it was chosen from.
        failed: Number of trials that ended with an error.
        tests: Test metric to value, one dict for each seed it was trained with again.
        folder: Folder with ``best.yaml``, ``search.html`` and the pictures, or None.
    """

    watched: str
    score: float
    settings: Mapping[str, Any]
    fixed: Mapping[str, Any]
    model: str
    preset: str | None
    judged: int
    failed: int
    tests: list[dict[str, float]] = field(default_factory=list)
    folder: Path | None = None

    @property
    def all_settings(self) -> dict[str, Any]:
        """Settings for ``sasrec.train`` to train the best model again."""
        begin = {} if self.preset is None else {"preset": self.preset}
        return {**begin, **self.fixed, **self.settings}

    def sentences(self) -> list[str]:
        """Return sentences about the test metrics; an empty list if there are none."""
        if not self.tests:
            return []
        seeds = len(self.tests)
        figures = []
        for key in self.tests[0]:
            values = [test[key] for test in self.tests]
            error = statistics.stdev(values) / seeds**0.5 if seeds > 1 else None
            spread = "" if error is None else f" (standard error {error:.4f})"
            figures.append(f"{key} {statistics.mean(values):.4f}{spread}")
        return [
            f"test, {counted(seeds, 'seed')}: {', '.join(figures)}",
            f"note: the validation score {self.score:.4f} is the best of "
            f"{counted(self.judged, 'trial')}, so it is too optimistic; the test metrics are not, "
            "because no trial was chosen by them",
        ]


def found_by(
    search: Search,
    *,
    watched: str,
    model: str,
    preset: str | None,
    fixed: Mapping[str, Any],
) -> Found:
    """Return the best trial of a search.

    Args:
        search: The finished search.
        watched: The validation metric.
        model: Name of the model.
        preset: Name of the preset, or None.
        fixed: Settings that all trials had in common.

    Returns:
        The best trial, without test metrics.

    Raises:
        SasrecError: No trial finished.
    """
    best, failed = search.best(), search.failed()
    if best is None:
        reason = f"; the last one failed: {failed[-1].user_attrs['error']}" if failed else ""
        raise SasrecError(
            f"no trial finished{reason}; to change the space or the settings, choose another --out"
        )
    return Found(
        watched=watched,
        score=float(best.value or 0) * (-1 if smaller_is_better(watched) else 1),
        settings=search.settings_of(best),
        fixed=fixed,
        model=model,
        preset=preset,
        judged=search.judged(),
        failed=len(failed),
    )


def write_settings(found: Found, folder: Path) -> None:
    """Write the best settings to ``best.yaml``, as input for a training.

    Args:
        found: The best trial.
        folder: Folder to write to.
    """
    # JSON values are valid YAML and have unambiguous types.
    notes = {"epochs": "  # as given for the search"} if "epochs" in found.fixed else {}
    lines = (
        f"{key}: {json.dumps(value)}{notes.get(key, '')}\n"
        for key, value in found.all_settings.items()
    )
    write_atomically(folder / "best.yaml", f"# settings of {found.model}\n{''.join(lines)}")


def write_report(found: Found, search: Search, folder: Path, *, title: str) -> None:
    """Write the report and its pictures.

    Args:
        found: The best trial and its test metrics.
        search: The search with all trials.
        folder: Folder to write to.
        title: Title of the report.
    """
    from sasrec.tuning.report import search_figures, search_report, write_figures

    # A search maximises, so its pictures show metrics where lower is better with a minus sign.
    name = f"-{found.watched}" if smaller_is_better(found.watched) else found.watched
    figures = draw_or_warn("the search", partial(search_figures, search, name)) or {}
    page = search_report(search, figures, title=title, final=found.sentences())
    write_atomically(folder / "search.html", page)
    draw_or_warn("the search", partial(write_figures, figures, folder))
