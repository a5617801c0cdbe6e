"""Hot swap: a new export is loaded beside the model, checked, and takes its place in one step."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sasrec_serve.errors import ExportError, ServeError
from sasrec_serve.server.exports import Mark, exports_at, mark_of
from sasrec_serve.server.logs import log
from sasrec_serve.server.metrics import Metrics
from sasrec_serve.server.operator_files import Stamp, stamps_of
from sasrec_serve.server.served import Served

Load = Callable[[Path], Served]
Seen = tuple[Mark | None, dict[Path, Stamp]]
"""The export and the operator's files that were loaded or refused last."""
Outcome = Literal["unchanged", "swapped", "refused"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An export that was refused.

    Attributes:
        reason: What is wrong with it.
        at: When it was refused, in seconds since 1970.
    """

    reason: str
    at: float


class ModelSlot:
    """The model that is served, and the replacing of it.

    Attributes:
        current: The model; every batch takes it once.
        refusal: Why the newest export is not served; None if it is.
    """

    def __init__(self, place: Path, load: Load, metrics: Metrics) -> None:
        """Load the newest export that can be loaded.

        Args:
            place: An export, or a folder of exports.
            load: Loads one.
            metrics: Counts swaps and refusals.

        Raises:
            ExportError: No export can be loaded; tells what is wrong with the newest.
        """
        self._place, self._load, self._metrics = place, load, metrics
        self._lock = threading.Lock()
        self.refusal: Refusal | None = None
        self._seen: Seen | None = None
        first: ServeError | None = None
        for folder in exports_at(place):
            mark = mark_of(folder)
            try:
                self.current = load(folder)
            except ServeError as error:
                first = first or error
                continue
            self._seen = mark, dict(self.current.files)
            break
        else:
            raise first or ExportError(f"{place} is not an export")
        metrics.model(self.current, None)
        if first is not None:
            self._seen = mark_of(exports_at(place)[0]), dict(self.current.files)
            self._refuse(first)

    def check(self, *, again: bool = False) -> Outcome:
        """Look for a new export or new files of the operator, and serve them if they can be loaded.

        Args:
            again: Try an export that was refused once more.

        Returns:
            What happened.
        """
        with self._lock:
            try:
                folder = exports_at(self._place)[0]
            except ServeError as error:
                return self._missing(error)
            mark = mark_of(folder), stamps_of(self.current.files)
            if mark == self._seen and not (again and self.refusal is not None):
                return "refused" if self.refusal else "unchanged"
            self._seen = mark
            return self._replace(folder)

    def _replace(self, folder: Path) -> Outcome:
        try:
            new = self._load(folder)
            new.rules.wait()  # the earlier model answers meanwhile
        except ServeError as error:
            self._refuse(error)
            return "refused"
        except Exception as error:  # a damaged export must not stop the server
            logging.getLogger(__name__).exception("an export cannot be loaded")
            self._refuse(ExportError(f"{folder} cannot be loaded: {type(error).__name__}: {error}"))
            return "refused"
        earlier, self.refusal = self.current, None
        if new.digest == earlier.digest and new.files == earlier.files:
            self._metrics.accepted()
            return "unchanged"
        self.current = new
        self._metrics.model(new, earlier)
        self._seen = None if self._seen is None else (self._seen[0], dict(new.files))
        is_same = new.digest == earlier.digest
        told = "serving other rules or items" if is_same else "serving another model"
        log(logging.INFO, told, model=new.digest, export=str(folder))
        return "swapped"

    def _missing(self, error: ServeError) -> Outcome:
        if self._seen is not None:
            self._seen = None
            self._refuse(error)
        return "refused"

    def _refuse(self, error: ServeError) -> None:
        self.refusal = Refusal(str(error), time.time())
        self._metrics.refused()
        log(
            logging.ERROR,
            "an export was refused; the earlier model is served",
            reason=str(error),
            model=self.current.digest,
        )
