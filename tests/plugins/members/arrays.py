"""An export of the weights of all heads as arrays of numpy, which is compared with the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import manyheads
from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle
from manyheads.runs.exporters import Comparison, DevData, Exporter, Written


def write(bundle: Bundle, folder: Path, to: Path, int8: bool) -> Written:
    del folder, int8
    weights = {name: tensor.numpy() for name, tensor in bundle.model.heads.state_dict().items()}
    np.savez(to / "heads.npz", **weights)

    def compare(data: DevData) -> Comparison:
        del data
        with np.load(to / "heads.npz") as found:
            largest = max(float(np.abs(found[name] - weights[name]).max()) for name in weights)
        if largest > 0:
            raise BundleError("the arrays differ from the heads", where="heads.npz", found=largest)
        return Comparison(tuple(bundle.model.tasks), 0, largest)

    return Written(compare=compare)


manyheads.register(Exporter("arrays", "the heads as arrays of numpy", write, advice="load {folder}/heads.npz"))
