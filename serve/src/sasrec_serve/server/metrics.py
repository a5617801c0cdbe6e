"""Counts and times of a process, in the format of Prometheus.

With several worker processes, each writes its values into files of the folder that
``PROMETHEUS_MULTIPROC_DIR`` names, and any of them answers with the sums.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from sasrec_serve.histories import History
from sasrec_serve.lists import Recommendation
from sasrec_serve.server.served import Served

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one process; all methods are thread-safe."""

    def __init__(self) -> None:
        """Create all metrics, so that they are there before the first request."""
        self.registry = CollectorRegistry()
        registry = self.registry
        if not is_shared():
            ProcessCollector(registry=registry)
        self._seconds = Histogram(
            "sasrec_serve_request_seconds",
            "Time from the end of a request to its answer",
            ["endpoint"],
            buckets=SECONDS,
            registry=registry,
        )
        self._requests = self._counter("requests", "Answered requests", ["endpoint", "status"])
        self._batches = Histogram(
            "sasrec_serve_batch_histories",
            "Histories that were computed together",
            buckets=SIZES,
            registry=registry,
        )
        self._lists = self._counter("lists", "Recommendation lists")
        self._popular = self._counter(
            "popular_lists", "Lists of the most popular items, as the model knew no item"
        )
        self._events = self._counter("history_events", "Events of the histories of lists")
        self._unknown = self._counter(
            "unknown_events", "Events of items that the model does not know"
        )
        self._overloaded = self._counter("overloaded", "Requests refused with status 503")
        self._reloads = self._counter(
            "reloads", "Exports that replaced the model, or were refused", ["outcome"]
        )
        self._queue = self._gauge("queue_histories", "Histories that wait", [], "livesum")
        self._loaded = self._gauge(
            "model_loaded_timestamp_seconds", "When the model was loaded", [], "livemin"
        )
        self._exported = self._gauge(
            "model_exported_timestamp_seconds", "When the model was exported", [], "livemin"
        )
        self._recall = self._gauge(
            "search_recall", "Share of the best ten items that the search finds", [], "livemin"
        )
        self._refused = self._gauge(
            "export_refused", "1 while the newest export is refused", [], "livemax"
        )
        self._model = self._gauge(
            "model_info",
            "1 for the model that is served, 0 for earlier ones",
            ["digest"],
            "livesum",
        )
        self._by_endpoint = {}  # type: ignore[var-annotated]
        for outcome in ("swapped", "refused"):
            self._reloads.labels(outcome)

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(f"sasrec_serve_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str], mode: str) -> Gauge:
        return Gauge(
            f"sasrec_serve_{name}",
            text,
            labels,
            registry=self.registry,
            multiprocess_mode=mode,  # type: ignore[arg-type]
        )

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            endpoint: One of the paths of the server, or ``other``.
            status: The HTTP status of the answer.
            seconds: Time to the answer.
        """
        key = (endpoint, status)
        if key not in self._by_endpoint:
            self._by_endpoint[key] = (
                self._requests.labels(endpoint, str(status)),
                self._seconds.labels(endpoint),
            )
        count, histogram = self._by_endpoint[key]
        count.inc()
        histogram.observe(seconds)
        if status == 503:
            self._overloaded.inc()

    def batch(self, n_histories: int) -> None:
        """Count a batch.

        Args:
            n_histories: Its histories.
        """
        self._batches.observe(n_histories)

    def lists(self, histories: Sequence[History], lists: Sequence[Recommendation]) -> None:
        """Count the lists of a request.

        Args:
            histories: The histories.
            lists: Their lists.
        """
        self._lists.inc(len(lists))
        self._events.inc(sum(len(history.items) for history in histories))
        if unknown := sum(len(found.unknown) for found in lists):
            self._unknown.inc(unknown)
        if popular := sum(found.by_popularity for found in lists):
            self._popular.inc(popular)

    def queue(self, n_histories: int) -> None:
        """Note how many histories wait.

        Args:
            n_histories: The number.
        """
        self._queue.set(n_histories)

    def model(self, served: Served, earlier: Served | None) -> None:
        """Note which model is served.

        Args:
            served: The model.
            earlier: The model it replaces; None at the start.
        """
        if earlier is not None:
            self._reloads.labels("swapped").inc()
            self._model.labels(earlier.digest).set(0)
        self._model.labels(served.digest).set(1)
        self._loaded.set(served.loaded)
        self._recall.set(served.recommender.recall)
        self._refused.set(0)
        exported = exported_seconds(served)
        if exported is not None:
            self._exported.set(exported)

    def accepted(self) -> None:
        """Note that the newest export is served."""
        self._refused.set(0)

    def refused(self) -> None:
        """Count an export that was refused."""
        self._reloads.labels("refused").inc()
        self._refused.set(1)

    def written(self) -> bytes:
        """Return all values as text."""
        if not is_shared():
            return generate_latest(self.registry)
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def is_shared() -> bool:
    """Return whether several processes share their metrics."""
    return FOLDER in os.environ


def exported_seconds(served: Served) -> float | None:
    """Return when a model was exported, in seconds since 1970; None if its manifest is odd.

    Args:
        served: The model.
    """
    try:
        return datetime.fromisoformat(served.recommender.export.manifest.written).timestamp()
    except ValueError:
        return None
