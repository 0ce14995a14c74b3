"""Predictions of every evaluation of a run: `predictions/<task>.<dev|test>.all.npz`."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.ragged import Rows, Stack, flat, offsets, same_offsets, with_offsets
from manyheads.run.atomic import write_bytes

Known = dict[bytes, Any]
"""Arrays by their compressed content."""

MOST_KNOWN = 100
"""More arrays are not kept, because they are not the same in all runs."""


@dataclass(frozen=True)
class Evaluations:
    """The predictions of E evaluations for the same n examples.

    `ids`: the ids of the examples. `targets`: float32[n, ...], such as class indices, NaN if an example
    has none; or ragged. `clusters`: int64[n], equal for examples that share a text; the tasks of a run share the
    numbers. `epochs`: float64[E]. `steps`: int64[E]. `values`: float32[E, n, ...] or a ragged stack, the predictions;
    NaN for those of an evaluation that were lost. `probabilities`: float32[E, n, classes] or a ragged stack, NaN for
    lost ones; None if no metric of the task needs them.

    In the file, a ragged array is one array with the numbers of all examples, and has its offsets, int64[n+1], in
    `target_offsets`, `value_offsets` or `probability_offsets`.
    """

    ids: tuple[str, ...]
    targets: Rows
    clusters: NDArray[np.int64]
    epochs: NDArray[np.float64]
    steps: NDArray[np.int64]
    values: Stack
    probabilities: Stack | None = None

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
        known = np.flatnonzero(_labelled(self.targets))
        own = self.ids if len(known) == len(self.ids) else tuple(self.ids[place] for place in known)
        same = own == tuple(ids)
        return self.clusters[known] if same else None


def _labelled(targets: Rows) -> NDArray[np.bool_]:
    """Return which examples have a target: bool[n]."""
    numbers, bounds = ~np.isnan(flat(targets)), offsets(targets)
    if bounds is None:
        whole: NDArray[np.bool_] = numbers.reshape(len(targets), -1).any(axis=1)
        return whole
    labelled: NDArray[np.bool_] = np.diff(np.concatenate([[0], np.cumsum(numbers)])[bounds]) > 0
    return labelled


def _taken(evaluations: Stack, places: Sequence[NDArray[np.int64]]) -> Stack:
    """Return the evaluations at these places, of which each is empty or one place. NaN where it is empty."""
    arrays = flat(evaluations)
    found = np.full((len(places), *arrays.shape[1:]), np.nan, dtype=np.float32)
    for number, place in enumerate(places):
        if len(place):
            found[number] = arrays[place[0]]
    return with_offsets(found, offsets(evaluations), stacked=True)


DAMAGE = (
    *(KeyError, TypeError, EOFError, OverflowError, MemoryError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What numpy and zipfile raise for damaged archives, in addition to ValueError."""


def write_evaluations(file: Path, evaluations: Evaluations) -> None:
    """Write the file, unless it has this content. Equal evaluations give equal bytes."""
    content = io.BytesIO()
    shares = evaluations.probabilities
    extra: dict[str, Any] = {} if shares is None else {"probabilities": flat(shares).astype(np.float32)}
    parts = {"target": evaluations.targets, "value": evaluations.values, "probability": shares}
    for name, part in parts.items():
        bounds = None if part is None else offsets(part)
        if bounds is not None:
            extra[f"{name}_offsets"] = bounds.astype(np.int64)
    np.savez_compressed(
        content,
        ids=np.array(evaluations.ids, dtype=np.str_),
        targets=flat(evaluations.targets).astype(np.float32),
        clusters=evaluations.clusters.astype(np.int64),
        epochs=evaluations.epochs.astype(np.float64),
        steps=evaluations.steps.astype(np.int64),
        values=flat(evaluations.values).astype(np.float32),
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
            targets=with_offsets(arrays["targets"].astype(np.float32), _offsets(arrays, "target", len(ids))),
            clusters=arrays["clusters"].astype(np.int64),
            epochs=arrays["epochs"].astype(np.float64),
            steps=arrays["steps"].astype(np.int64),
            values=_stack(arrays, "values", "value", len(ids)),
            probabilities=_stack(arrays, "probabilities", "probability", len(ids))
            if "probabilities" in arrays
            else None,
        )
    except DAMAGE as error:
        raise ValueError(f"the file is damaged: {error}") from error
    n, count = len(ids), len(found.steps)
    shapes = ((len(found.targets),), found.clusters.shape, found.epochs.shape, found.values.shape[:2])
    if shapes != ((n,), (n,), (count,), (count, n)) or (
        offsets(found.targets) is None and not _fit(found.values.shape[2:], found.targets.shape[1:])
    ):
        raise ValueError(f"the arrays have different sizes: {shapes}")
    shares = found.probabilities
    if shares is not None and (shares.shape[:2] != (count, n) or (offsets(shares) is None and flat(shares).ndim != 3)):
        raise ValueError(f"the arrays have different sizes: probabilities {shares.shape}, values {found.values.shape}")
    return found


def _fit(values: tuple[int, ...], targets: tuple[int, ...]) -> bool:
    """Return whether values and targets have the same form. Targets may have one number more, for unknown labels."""
    return values == targets or (len(values) == len(targets) == 1 and targets[0] == values[0] + 1)


def _offsets(arrays: Mapping[str, NDArray[Any]], name: str, count: int) -> NDArray[np.int64] | None:
    """Return the offsets of a ragged array, None if it is not ragged.

    Raises:
        ValueError: they are not the offsets of `count` examples.
    """
    bounds = arrays.get(f"{name}_offsets")
    if bounds is None:
        return None
    if bounds.shape != (count + 1,) or bounds[0] != 0 or (np.diff(bounds) < 0).any():
        raise ValueError(f"the array {name}_offsets has no offsets of {count} examples")
    return bounds.astype(np.int64)


def _stack(arrays: Mapping[str, NDArray[Any]], array: str, name: str, count: int) -> Any:
    """Return the evaluations of an array."""
    bounds, values = _offsets(arrays, name, count), arrays[array].astype(np.float32)
    if bounds is not None and values.shape[1:2] != (int(bounds[-1]),):
        raise ValueError(f"the arrays have different sizes: {array} {values.shape}, {int(bounds[-1])} numbers")
    return with_offsets(values, bounds, stacked=True)


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
    fits = earlier is not None and earlier.ids == latest.ids and same_offsets(earlier.values, latest.values)
    known = earlier if fits and earlier is not None else latest
    kept, shares = known.at(epochs, steps), None
    flat(kept.values)[-1] = flat(latest.values)[0]
    if latest.probabilities is not None:
        own = flat(latest.probabilities)
        earlier_own = kept.probabilities
        same = earlier_own is not None and flat(earlier_own).shape[1:] == own.shape[1:]
        lost = np.full((len(steps), *own.shape[1:]), np.nan, dtype=np.float32)
        numbers = flat(earlier_own) if same and same_offsets(earlier_own, latest.probabilities) else lost
        numbers[-1] = own[0]
        shares = with_offsets(numbers, offsets(latest.probabilities), stacked=True)
    return replace(latest, values=kept.values, epochs=np.array(epochs), steps=np.array(steps), probabilities=shares)
