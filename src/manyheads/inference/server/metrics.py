"""Metrics of the server for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one server, in their own registry."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("manyheads_requests", "Number of responses.", ("route", "status"), registry=registry)
        self.seconds = Histogram(
            "manyheads_request_seconds", "Seconds per request.", ("route",), buckets=SECONDS, registry=registry
        )
        self._predictions = Counter("manyheads_predictions", "Number of predictions.", ("task",), registry=registry)
        self._answers = Counter(
            "manyheads_answers", "Deprecated copy of manyheads_predictions.", ("task",), registry=registry
        )
        self.queue = Gauge("manyheads_queue_texts", "Number of texts that wait for the model.", registry=registry)
        self.texts_of_pass = Histogram("manyheads_pass_texts", "Texts per pass.", buckets=SIZES, registry=registry)
        self.seconds_of_pass = Histogram(
            "manyheads_pass_seconds", "Seconds per pass.", buckets=SECONDS, registry=registry
        )

    def count_predictions(self, task: str, count: int) -> None:
        """Add predictions of a task. The deprecated counter is removed in 1.0."""
        for counter in (self._predictions, self._answers):
            counter.labels(task).inc(count)
