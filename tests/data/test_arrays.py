"""Arrays on the disk have the same values and orders as arrays in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import manyheads.data.arrays
from manyheads.data.arrays import BLOCK, converted, gather, permutation, scratch, where
from manyheads.data.batching.even import Even
from manyheads.data.batching.shuffle import TASK_ORDER, generator, shuffled

COUNT = 2 * BLOCK + 5


@pytest.fixture(params=[0, 1 << 30], ids=["disk", "memory"], autouse=True)
def _small_memory_limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyheads.data.arrays, "IN_MEMORY", request.param)


def test_scratch_space_is_writable_zeros_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    array = scratch(COUNT, np.uint64, 2)
    assert (type(array), array.shape, array.dtype) == (np.ndarray, (COUNT, 2), np.uint64)
    assert not array.any()
    array[:] = 7
    assert int(array.sum()) == 14 * COUNT
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_an_empty_array_needs_no_space() -> None:
    assert (len(scratch(0, np.int64)), len(permutation(0, np.random.default_rng(0)))) == (0, 0)


def test_without_a_writable_folder_the_array_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "file"))
    assert permutation(COUNT, np.random.default_rng(3)).tolist() == np.random.default_rng(3).permutation(COUNT).tolist()


def test_a_permutation_is_that_of_numpy() -> None:
    found = permutation(COUNT, np.random.default_rng([4, 2]))
    assert found.dtype == np.int64
    assert found.tolist() == np.random.default_rng([4, 2]).permutation(COUNT).tolist()
    assert shuffled(100, 1, 2, 3).tolist() == generator(1, 2, 3).permutation(100).tolist()


def test_gather_converted_and_where_agree_with_numpy() -> None:
    draws = np.random.default_rng(1)
    values, rows = draws.normal(size=(COUNT, 2)), draws.integers(0, COUNT, COUNT)
    assert np.array_equal(gather(values, rows), values[rows])
    assert np.array_equal(gather(values[:, 0], rows), values[rows, 0])
    assert np.array_equal(converted(values[:, 0], np.float32), values[:, 0].astype(np.float32))
    assert np.array_equal(where(values[:, 0] > 1), np.flatnonzero(values[:, 0] > 1))
    assert len(where(np.zeros(COUNT, dtype=bool))) == 0


def test_even_batches_have_the_order_of_shuffled_pairs_of_task_and_start() -> None:
    sizes, size, seed = {"a": 1003, "b": 17, "c": 400}, 8, 5
    starts = [(task, at) for task, name in enumerate(sizes) for at in range(0, sizes[name], size)]
    batching = Even(sizes, size, seed)
    for epoch in range(2):
        order = generator(seed, epoch, TASK_ORDER).permutation(np.array(starts, dtype=np.int64))
        for place, (task, at) in enumerate(order.tolist()):
            ((name, rows),) = batching.batch(epoch * len(starts) + place)
            expected = generator(seed, epoch, task).permutation(list(sizes.values())[task])[at : at + size]
            assert (name, rows.tolist()) == ("abc"[task], expected.tolist())
