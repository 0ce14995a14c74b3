"""Predictions of every evaluation of a run: `predictions/<task>.<dev|test>.all.npz`."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.run.atomic import write_bytes

Known = dict[bytes, Any]
"""Arrays by their compressed content."""

MOST_KNOWN = 100
"""More arrays are not kept, because they are not the same in all runs."""


@dataclass(frozen=True)
class Evaluations:
    """The predictions of E evaluations for the same n examples.

    `ids`: the ids of the examples. `targets`: float32[n, ...], such as class indices, NaN if an example
    has none. `clusters`: int64[n], equal for examples that share a text; the tasks of a run share the numbers.
    `epochs`: float64[E]. `steps`: int64[E]. `values`: float32[E, n, ...], the predictions; NaN for those
    of an evaluation that were lost. `probabilities`: float32[E, n, classes], NaN for lost ones; None if
    no metric of the task needs them.
    """

    ids: tuple[str, ...]
    targets: NDArray[np.float32]
    clusters: NDArray[np.int64]
    epochs: NDArray[np.float64]
    steps: NDArray[np.int64]
    values: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None

    def at(self, epochs: Sequence[float], steps: Sequence[int]) -> Evaluations:
        """Return the evaluations at these steps. The values of those that are not there are NaN."""
        places = [np.flatnonzero(self.steps == step)[:1] for step in steps]
        return replace(
            self,
            epochs=np.array(epochs, dtype=np.float64),
            steps=np.array(steps),
            values=_taken(self.values, places),
            probabilities=None if self.probabilities is None else _taken(self.probabilities, places),
        )

    def clusters_of(self, ids: Sequence[str]) -> NDArray[np.int64] | None:
        """Return the cluster of each labelled example: int64[n]. None if these are not the labelled examples."""
        known = np.flatnonzero(~np.isnan(self.targets.reshape(len(self.ids), -1)).all(axis=1))
        own = self.ids if len(known) == len(self.ids) else tuple(self.ids[place] for place in known)
        same = own == tuple(ids)
        return self.clusters[known] if same else None


def _taken(arrays: NDArray[np.float32], places: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
    """Return the evaluations at these places, of which each is empty or one place. NaN where it is empty."""
    found = np.full((len(places), *arrays.shape[1:]), np.nan, dtype=np.float32)
    for number, place in enumerate(places):
        if len(place):
            found[number] = arrays[place[0]]
    return found


DAMAGE = (
    *(KeyError, TypeError, EOFError, OverflowError, MemoryError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What numpy and zipfile raise for damaged archives, in addition to ValueError."""


def write_evaluations(file: Path, evaluations: Evaluations) -> None:
    """Write the file, unless it has this content. Equal evaluations give equal bytes."""
    content = io.BytesIO()
    shares = evaluations.probabilities
    extra: dict[str, Any] = {} if shares is None else {"probabilities": shares.astype(np.float32)}
    np.savez_compressed(
        content,
        ids=np.array(evaluations.ids, dtype=np.str_),
        targets=evaluations.targets.astype(np.float32),
        clusters=evaluations.clusters.astype(np.int64),
        epochs=evaluations.epochs.astype(np.float64),
        steps=evaluations.steps.astype(np.int64),
        values=evaluations.values.astype(np.float32),
        **extra,
    )
    if not file.is_file() or file.read_bytes() != content.getvalue():
        write_bytes(file, content.getvalue())


def read_evaluations(file: Path, known: Known | None = None) -> Evaluations:
    """Read the file. Nothing in it is executed.

    `known`: arrays of files that were read before. The runs of a study have the same ids, targets and clusters, which
    are then decompressed once.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged.
    """
    data = file.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("the file is damaged: it is not an archive of arrays")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            parts = {name: _compressed(data, content.zip.getinfo(f"{name}.npy")) for name in content.files}
            earlier: Known = {} if known is None else known
            arrays = {name: earlier[part] if part in earlier else content[name] for name, part in parts.items()}
        ids = arrays["ids"] if isinstance(arrays["ids"], tuple) else tuple(arrays["ids"].astype(np.str_).tolist())
        if known is not None:
            if len(known) > MOST_KNOWN:
                known.clear()
            known |= {parts["ids"]: ids, **{parts[name]: arrays[name] for name in ("targets", "clusters")}}
        found = Evaluations(
            ids=ids,
            targets=arrays["targets"].astype(np.float32),
            clusters=arrays["clusters"].astype(np.int64),
            epochs=arrays["epochs"].astype(np.float64),
            steps=arrays["steps"].astype(np.int64),
            values=arrays["values"].astype(np.float32),
            probabilities=arrays["probabilities"].astype(np.float32) if "probabilities" in arrays else None,
        )
    except DAMAGE as error:
        raise ValueError(f"the file is damaged: {error}") from error
    n, count = len(ids), len(found.steps)
    shapes = (found.targets.shape, found.clusters.shape, found.epochs.shape, found.values.shape)
    if shapes != ((n, *found.targets.shape[1:]), (n,), (count,), (count, *found.targets.shape)):
        raise ValueError(f"the arrays have different sizes: {shapes}")
    shares = found.probabilities
    if shares is not None and (shares.ndim != 3 or shares.shape[:2] != (count, n)):
        raise ValueError(f"the arrays have different sizes: probabilities {shares.shape}, values {found.values.shape}")
    return found


def _compressed(data: bytes, entry: zipfile.ZipInfo) -> bytes:
    """Return the compressed content of an entry of an archive. Equal arrays of one version of zlib have equal bytes."""
    name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
    start = entry.header_offset + 30 + name + extra
    return data[start : start + entry.compress_size]


def with_evaluation(
    earlier: Evaluations | None, latest: Evaluations, epochs: Sequence[float], steps: Sequence[int]
) -> Evaluations:
    """Return the evaluations of a run with the latest one at the end.

    `earlier`: what the file has; later evaluations, which a resumed run repeats, are dropped. `latest`: one evaluation.
    `epochs`, `steps`: those of every evaluation, the latest one included.
    """
    known = latest if earlier is None or earlier.ids != latest.ids else earlier
    kept, shares = known.at(epochs, steps), None
    kept.values[-1] = latest.values[0]
    if latest.probabilities is not None:
        same = kept.probabilities is not None and kept.probabilities.shape[1:] == latest.probabilities.shape[1:]
        lost = np.full((len(steps), *latest.probabilities.shape[1:]), np.nan, dtype=np.float32)
        shares = kept.probabilities if same and kept.probabilities is not None else lost
        shares[-1] = latest.probabilities[0]
    return replace(latest, values=kept.values, epochs=np.array(epochs), steps=np.array(steps), probabilities=shares)
