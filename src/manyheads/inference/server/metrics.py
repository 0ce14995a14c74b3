"""What a server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("manyheads_requests", "Requests answered.", ("route", "status"), registry=registry)
        self.seconds = Histogram(
            "manyheads_request_seconds", "Time of a request.", ("route",), buckets=SECONDS, registry=registry
        )
        self.answers = Counter("manyheads_answers", "Answers given.", ("task",), registry=registry)
        self.queue = Gauge("manyheads_queue_texts", "Texts waiting for the model.", registry=registry)
        self.texts_of_pass = Histogram("manyheads_pass_texts", "Texts a pass.", buckets=SIZES, registry=registry)
        self.seconds_of_pass = Histogram(
            "manyheads_pass_seconds", "Time of a pass.", buckets=SECONDS, registry=registry
        )
