"""What a search found: its best settings, how they did in the test, and files that say so."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sasrec.errors import SasrecError
from sasrec.settings.metric_names import smaller_is_better
from sasrec.system.pictures import draw_or_warn
from sasrec.system.writing import write_atomically
from sasrec.tuning.study import Search


@dataclass(frozen=True, slots=True)
class Found:
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
        tests: Test metric to value, for each seed it was trained again with.
        folder: Where ``best.yaml``, ``search.html`` and the pictures are, or None.
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
        """What ``sasrec.train`` takes to train with the best settings."""
        begin = {} if self.preset is None else {"preset": self.preset}
        return {**begin, **self.fixed, **self.settings}

    def sentences(self) -> list[str]:
        """Return what people should know of the tests; nothing without any."""
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
            f"test, {seeds} seed{'' if seeds == 1 else 's'}: {', '.join(figures)}",
            f"note: these settings were chosen among {self.judged} by validation, so their "
            "validation score flatters; the test score does not",
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
        search: At its end.
        watched: The validation metric.
        model: Name of the model.
        preset: Name of settings to begin with, or None.
        fixed: Settings of all trials.

    Returns:
        The best one, not tested yet.

    Raises:
        SasrecError: No trial finished.
    """
    best, failed = search.best(), search.failed()
    if best is None:
        reason = f"; the last one failed: {failed[-1].user_attrs['error']}" if failed else ""
        raise SasrecError(
            f"no trial finished{reason}; with another space or other settings, give another --out"
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
    """Write the best settings as YAML, to be trained with.

    Args:
        found: The best trial.
        folder: Where to.
    """
    # JSON is YAML too, and needs no guessing about types.
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in found.all_settings.items())
    write_atomically(folder / "best.yaml", f"# settings of {found.model}\n{''.join(lines)}")


def write_report(found: Found, search: Search, folder: Path, *, title: str) -> None:
    """Write the report and its pictures.

    Args:
        found: The best trial, and what it came to when trained again.
        search: All trials.
        folder: Where to.
        title: Of the report.
    """
    from sasrec.tuning.report import search_figures, search_report, write_figures

    # A search looks for the highest, and its pictures show what it saw.
    name = f"-{found.watched}" if smaller_is_better(found.watched) else found.watched
    figures = draw_or_warn("the search", partial(search_figures, search, name)) or {}
    page = search_report(search, figures, title=title, final=found.sentences())
    write_atomically(folder / "search.html", page)
    draw_or_warn("the search", partial(write_figures, figures, folder))
