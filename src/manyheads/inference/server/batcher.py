"""The queue: jobs of many requests, predicted together by one thread so that the event loop stays responsive.

Metrics for Prometheus count its passes, and the requests of the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from manyheads.inference.predictor import Predictor
from manyheads.inference.server.options import ServerOptions

Row = tuple[str, ...]


class QueueFullError(Exception):
    """The queue is full. No text of the request was accepted."""


class ModelError(Exception):
    """The model failed on the texts of one request. The cause may be a panic of a library in Rust."""


@dataclass(frozen=True, eq=False)
class Job:
    """The work of one request: several tasks for the same rows, and with `explain` also the token weights."""

    tasks: tuple[str, ...]
    rows: Sequence[Row]
    explain: bool = False
    result: asyncio.Future[dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def size(self) -> int:
        """Number of predictions, or of scored candidates. The limits of the queue and of a pass count these."""
        return sum(max(1, len(row) - 1) for row in self.rows) * len(self.tasks)


class Batcher:
    """Accepts jobs up to a limit, predicts them in passes of limited size, and finishes every accepted job.

    It belongs to the event loop in which it is made. Its task exists only while jobs wait, so that an application that
    it is mounted in can end at any time without stopping it.
    """

    def __init__(self, predictor: Predictor, options: ServerOptions, metrics: Metrics) -> None:
        self._predictor, self._options, self._metrics = predictor, options, metrics
        self._waiting: deque[Job] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether jobs are accepted."""
        return not self._stopping

    @property
    def is_here(self) -> bool:
        """Whether it belongs to the running event loop."""
        return self._loop is asyncio.get_running_loop()

    async def stop(self) -> None:
        """Accept no further jobs, finish all accepted jobs, and end the thread."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        self.close()

    def close(self) -> None:
        """Let the thread end. A pass that does not end cannot be interrupted. The server ends without it."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def submit(self, job: Job) -> dict[str, list[dict[str, Any]]]:
        """Return the predictions of every task, one record per row.

        Raises:
            QueueFullError: the queue has no room for the job.
        """
        # An empty queue accepts every job. A job larger than the limit could never run otherwise.
        if self._stopping or (self._waiting and self._size + job.size > self._options.queue_texts):
            raise QueueFullError
        self._waiting.append(job)
        self._change(job.size)
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._run())
        return await job.result

    def _change(self, by: int) -> None:
        self._size += by
        self._metrics.queue.set(self._size)

    async def _run(self) -> None:
        """Predict until no job waits."""
        while self._waiting:
            if self._options.batching:
                await self._collect()
            jobs = self._take()
            if not jobs:
                continue
            started = perf_counter()
            results = await self._loop.run_in_executor(self._thread, _predict_each, self._predictor, jobs)
            self._metrics.seconds_of_pass.observe(perf_counter() - started)
            self._metrics.texts_of_pass.observe(sum(job.size for job in jobs))
            for job, result in zip(jobs, results, strict=True):
                if job.result.done():
                    continue
                if isinstance(result, ModelError):  # its request gets the error, and the queue continues
                    job.result.set_exception(result)
                else:
                    job.result.set_result(result)

    async def _collect(self) -> None:
        """Wait until a pass is full or the delay has passed."""
        end = perf_counter() + self._options.delay
        while self._size < self._options.batch_texts and not self._stopping:
            self._arrived.clear()
            left = end - perf_counter()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                return

    def _take(self) -> list[Job]:
        """Remove the jobs of the next pass from the queue. Jobs whose client has disconnected are dropped."""
        taken: list[Job] = []
        size = 0
        while self._waiting:
            job = self._waiting[0]
            if taken and (not self._options.batching or size + job.size > self._options.batch_texts):
                break
            self._waiting.popleft()
            self._change(-job.size)
            if not job.result.done():
                taken.append(job)
                size += job.size
        return taken


def _predict_each(predictor: Predictor, jobs: Sequence[Job]) -> list[dict[str, list[dict[str, Any]]] | ModelError]:
    """Return the predictions of several jobs, or the error of each job that fails.

    If a pass fails, each of its jobs gets a pass of its own, so a text that the model cannot read fails alone.
    """
    try:
        return [*_predict(predictor, jobs)]
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if len(jobs) == 1:
            failure = ModelError(type(error).__name__)
            failure.__cause__ = error
            return [failure]
    return [result for job in jobs for result in _predict_each(predictor, [job])]


def _predict(predictor: Predictor, jobs: Sequence[Job]) -> list[dict[str, list[dict[str, Any]]]]:
    """Return the predictions of several jobs from one pass of the encoder. Runs in the thread of the model."""
    requests: dict[str, list[Row]] = {}
    for job in jobs:
        for task in job.tasks:
            requests.setdefault(task, []).extend(job.rows)
    decoded = predictor.decode_several(requests)
    position = dict.fromkeys(requests, 0)
    results = []
    for job in jobs:
        result: dict[str, list[dict[str, Any]]] = {}
        for name in job.tasks:
            wanted, first = predictor.task(name), position[name]
            position[name] += len(job.rows)
            records = [wanted.kind.record(decoded[name], first + row) for row in range(len(job.rows))]
            if job.explain:
                for record, texts in zip(records, job.rows, strict=True):
                    weights = predictor.explain(wanted, texts)
                    record["tokens"] = [[{"token": t.token, "weight": t.weight} for t in text] for text in weights]
            result[name] = records
        results.append(result)
    return results


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
