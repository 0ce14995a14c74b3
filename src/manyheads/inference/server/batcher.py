"""The queue: jobs of many requests, answered together by one thread while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from manyheads.inference.predictor import Predictor
from manyheads.inference.server.metrics import Metrics
from manyheads.inference.server.options import ServerOptions
from manyheads.tasks.records import record_of

Row = tuple[str, ...]


class QueueFullError(Exception):
    """As many texts wait as may; nothing of the request was taken."""


@dataclass(frozen=True, eq=False)
class Job:
    """What one request asks: each task about the same rows; `explain`, also which tokens mattered."""

    tasks: tuple[str, ...]
    rows: Sequence[Row]
    explain: bool = False
    answer: asyncio.Future[dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def size(self) -> int:
        """Answers that the job is worth in a pass and in the queue."""
        return len(self.rows) * len(self.tasks)


class Batcher:
    """Takes jobs up to a bound, answers them in passes of up to so many texts, and finishes what it took."""

    def __init__(self, predictor: Predictor, options: ServerOptions, metrics: Metrics) -> None:
        self._predictor, self._options, self._metrics = predictor, options, metrics
        self._waiting: deque[Job] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._loop: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether jobs are taken."""
        return self._loop is not None and not self._loop.done() and not self._stopping

    def start(self) -> None:
        """Begin to answer; called within the event loop."""
        self._loop = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Take nothing more, answer all that was taken, and end the thread."""
        self._stopping = True
        self._arrived.set()
        if self._loop is not None:
            await self._loop
        self._thread.shutdown()

    async def submit(self, job: Job) -> dict[str, list[dict[str, Any]]]:
        """The answers of every task, one record a row.

        Raises:
            QueueFullError: the queue has no room for it.
        """
        # An empty queue takes any job, or one larger than the bound could never be answered.
        if self._stopping or (self._waiting and self._size + job.size > self._options.queue_texts):
            raise QueueFullError
        self._waiting.append(job)
        self._change(job.size)
        self._arrived.set()
        return await job.answer

    def _change(self, by: int) -> None:
        self._size += by
        self._metrics.queue.set(self._size)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                if self._stopping:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            if self._options.batching:
                await self._company()
            jobs = self._take()
            if not jobs:
                continue
            started = perf_counter()
            try:
                answers = await loop.run_in_executor(self._thread, _answer, self._predictor, jobs)
            except Exception as error:  # whatever the model met belongs to those who asked, not to the queue
                for job in jobs:
                    if not job.answer.done():
                        job.answer.set_exception(error)
                continue
            self._metrics.seconds_of_pass.observe(perf_counter() - started)
            self._metrics.texts_of_pass.observe(sum(job.size for job in jobs))
            for job, found in zip(jobs, answers, strict=True):
                if not job.answer.done():
                    job.answer.set_result(found)

    async def _company(self) -> None:
        """Wait until a pass is full or the delay is over."""
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
        """The jobs of the next pass; those whose client has gone are dropped."""
        taken: list[Job] = []
        size = 0
        while self._waiting:
            job = self._waiting[0]
            if taken and (not self._options.batching or size + job.size > self._options.batch_texts):
                break
            self._waiting.popleft()
            self._change(-job.size)
            if not job.answer.done():
                taken.append(job)
                size += job.size
        return taken


def _answer(predictor: Predictor, jobs: Sequence[Job]) -> list[dict[str, list[dict[str, Any]]]]:
    """The answers of several jobs in one pass of the encoder; runs in the model's thread."""
    asked: dict[str, list[Row]] = {}
    for job in jobs:
        for task in job.tasks:
            asked.setdefault(task, []).extend(job.rows)
    decoded = predictor.decode_several(asked)
    position = dict.fromkeys(asked, 0)
    answers = []
    for job in jobs:
        found: dict[str, list[dict[str, Any]]] = {}
        for name in job.tasks:
            wanted, first = predictor.task(name), position[name]
            position[name] += len(job.rows)
            records = [record_of(wanted.kind, decoded[name], first + row) for row in range(len(job.rows))]
            if job.explain:
                for record, texts in zip(records, job.rows, strict=True):
                    weights = predictor.explain(wanted, texts)
                    record["tokens"] = [[{"token": t.token, "weight": t.weight} for t in text] for text in weights]
            found[name] = records
        answers.append(found)
    return answers
