"""The state of the process around a public call: as torch has it by default inside, as it was before afterwards.

A notebook or a server has its own threads, random numbers and defaults of torch. Only public entry points use this
module. It does not import torch: without torch there is nothing to restore.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from manyheads.errors import RunError

DEVICES = ("cpu", "cuda")
"""The types of devices for which autocast may be on around a call."""


def without_widgets() -> None:
    """Import tqdm, on whose bars other libraries build. Call it before they are imported.

    In a notebook without ipywidgets, the import warns, and shows bars as text. The warning is not about manyheads.
    """
    if "ipykernel" in sys.modules:
        with warnings.catch_warnings(), suppress(ImportError):
            warnings.simplefilter("ignore")
            importlib.import_module("tqdm.auto")


@contextmanager
def left_as_found(*, seeds: bool = False) -> Iterator[None]:
    """Run the block with gradients, float32 and the CPU as defaults, and restore torch's threads and defaults.

    Everything but the default dtype belongs to the calling thread, so calls in several threads do not disturb one
    another. The default dtype of the process is restored when the last of several such blocks ends. `seeds`: the block
    may seed CUDA devices, whose random numbers are restored as well.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_FLOAT32.default())
        if seeds:
            stack.enter_context(_of_cuda(torch))
        stack.enter_context(_plain(torch, 0))
        yield


@contextmanager
def predicting(threads: int) -> Iterator[None]:
    """Run the block on a number of torch threads (0: as many as before) and on the CPU by default.

    Predictions neither need gradients nor depend on the default dtype, so nothing else is set.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with _plain(torch, threads):
        yield


@contextmanager
def _plain(torch: Any, threads: int) -> Iterator[None]:
    """Leave the number of threads, the default device and autocast of this thread as they were."""
    before = torch.get_num_threads()
    wanted = most_threads(threads or before)
    with ExitStack() as stack:
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if wanted != before:
            torch.set_num_threads(wanted)
        try:
            yield
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)


@contextmanager
def _of_cuda(torch: Any) -> Iterator[None]:
    """Leave the random numbers of CUDA devices as they were. Seeding the CPU seeds these devices as well.

    Devices that were not in use yet get the seed of the CPU, as torch.manual_seed gives it to them.
    """
    states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        if states is None and not torch.cuda._is_in_bad_fork():
            torch.cuda.manual_seed_all(torch.initial_seed())
        elif states is not None:
            torch.cuda.set_rng_state_all(states)


class _Float32:
    """The default dtype of the process, while at least one block needs float32."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._before: Any = None

    @contextmanager
    def default(self) -> Iterator[None]:
        """Make float32 the default dtype while the block runs."""
        torch: Any = sys.modules["torch"]
        with self._lock:
            if self._blocks == 0:
                self._before = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            self._blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
                if self._blocks == 0:
                    torch.set_default_dtype(self._before)


class _Generator:
    """torch's own generator, which only one thread of manyheads uses at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Keep other threads of manyheads from the generator while the block runs, and restore its state."""
        torch: Any = sys.modules["torch"]
        with self._lock:
            state = torch.default_generator.get_state()
            try:
                yield
            finally:
                torch.default_generator.set_state(state)


@contextmanager
def borrowing() -> Iterator[None]:
    """Use in the block what a process has once: torch's own generator, which is restored, and settings of libraries.

    Only one thread at a time runs such a block. Training draws in this way from step to step, and a model that is
    loaded in another thread does not change its random numbers.
    """
    with _GENERATOR.borrowed():
        yield


class _Training:
    """Which process trains. A forked process inherits the value, and it does not train."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: int | None = None

    @contextmanager
    def alone(self, where: Path | None) -> Iterator[None]:
        """Train in the block."""
        with self._lock:
            if self._process == os.getpid():
                raise RunError(
                    "another training is running in this process",
                    where=None if where is None else str(where),
                    hint="train one after the other, or each in a process of its own (multiprocessing with spawn): "
                    "they would share torch's random numbers and its number of threads",
                )
            self._process = os.getpid()
        try:
            yield
        finally:
            self._process = None


@contextmanager
def one_training(where: Path | None = None) -> Iterator[None]:
    """Train in the block. `where`: the run folder, for the error.

    Raises:
        RunError: another thread, or a listener's caller, is training in this process.
    """
    with _TRAINING.alone(where):
        yield


def most_threads(threads: int) -> int:
    """Return the number of threads of torch that may be used: 1 where more could hang.

    A process that was forked from one with running threads does not have these threads. OpenMP waits for them forever.
    """
    return 1 if _FORK.lost_threads else threads


def check_threads(threads: int) -> None:
    """Check that a training with a number of threads cannot hang in this process.

    Raises:
        RunError: the process was forked from one whose threads it does not have, and needs more than one thread.
    """
    if threads > most_threads(threads):
        raise RunError(
            "a forked process cannot train with several threads: it would wait forever for threads of its parent",
            where="threads",
            found=str(threads),
            allowed="1",
            hint='start the process with spawn, as multiprocessing.get_context("spawn") does, or set threads = 1',
        )


def reads_tables() -> bool:
    """Return whether polars can be used: not in a process that was forked from one with running threads of polars."""
    return not _FORK.lost_polars


def check_tables(where: str | None = None) -> None:
    """Check that tables can be read and written in this process.

    Raises:
        RunError: the process was forked from one whose threads of polars it does not have.
    """
    if not reads_tables():
        raise RunError(
            "a forked process cannot read tables in memory or Parquet files: it would wait forever for threads of its "
            "parent",
            where=where,
            hint='start the process with spawn, as multiprocessing.get_context("spawn") does, or name CSV files',
        )


class _Fork:
    """Whether this process was forked from one with native threads, such as those of OpenMP and of polars."""

    def __init__(self) -> None:
        self.lost_threads = self.lost_polars = False
        self._native = self._polars = False
        os.register_at_fork(before=self._before, after_in_child=self._in_child)

    def _before(self) -> None:
        try:
            names = [(thread / "comm").read_text() for thread in Path("/proc/self/task").iterdir()]
            self._native = len(names) > threading.active_count()
            self._polars = any(name.startswith("polars-0") for name in names)
        except OSError:
            self._native, self._polars = True, "polars" in sys.modules

    def _in_child(self) -> None:
        global _GENERATOR, _FLOAT32, _TRAINING
        self.lost_threads = self.lost_threads or self._native
        self.lost_polars = self.lost_polars or self._polars
        # Another thread of the parent may have had a lock.
        _GENERATOR, _FLOAT32, _TRAINING = _Generator(), _Float32(), _Training()


_GENERATOR, _FLOAT32, _TRAINING, _FORK = _Generator(), _Float32(), _Training(), _Fork()
