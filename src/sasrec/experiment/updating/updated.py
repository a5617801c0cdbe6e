"""The result of an update."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sasrec.errors import counted, printable
from sasrec.evaluation.report import Report
from sasrec.evaluation.text import short_metrics
from sasrec.recommender.recommender import Recommender
from sasrec.remarks import Remark


@dataclass(frozen=True, slots=True, repr=False)
class Updated:
    """A model that learned new events.

    Attributes:
        recommender: The new model.
        step: What was added, and how; also kept in the ``lineage`` of the model's metrics.
        report: Metrics of the new model on the new events that are held out; empty if none are.
        before: Metrics of the model before the update, on the same events.
        remarks: What should be known before the result is trusted.
        folder: Folder the new model was saved in, or None.
    """

    recommender: Recommender
    step: dict[str, Any]
    report: Report
    before: Report
    remarks: tuple[Remark, ...] = ()
    folder: Path | None = field(default=None)

    def __repr__(self) -> str:
        """Return one line: what was added."""
        return printable(f"<Updated: {self.summary()}>")

    def __str__(self) -> str:
        """Return what was added, the metrics before and after, and the remarks."""
        notes = [f"note: {printable(each.text)}" for each in self.remarks]
        return "\n".join([self.summary(), *self.metric_lines(), *notes])

    def metric_lines(self) -> list[str]:
        """Return the metrics before and after, a line each; nothing if no event is held out."""
        lines = []
        for part in ("validation", "test"):
            before, after = getattr(self.before, part), getattr(self.report, part)
            if after:
                lines.append(f"{part} before: {short_metrics(before, 4)}")
                lines.append(f"{part} after:  {short_metrics(after, 4)}")
        return lines

    def summary(self) -> str:
        """Return what was added and how long it took."""
        step = self.step
        added = f"{counted(step['items_added'], 'new item')}, "
        if step["people_added"] is not None:
            added += f"{counted(step['people_added'], 'new user')}, "
        return (
            f"learned {counted(step['events_learned'], 'new event')} "
            f"({counted(step['targets_replayed'], 'earlier target')} replayed in each epoch), "
            f"{added}{counted(step['epochs'], 'epoch')}, optimiser {step['optimiser']}, "
            f"{step['seconds']:.1f} s"
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything but the model in types JSON has."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            **self.step,
            "before": {"validation": self.before.validation, "test": self.before.test},
            "after": {"validation": self.report.validation, "test": self.report.test},
            "remarks": [remark.as_json() for remark in self.remarks],
        }
