"""The content of provenance.json."""

from __future__ import annotations

import re

import torch

from manyheads.recipe.begin import collect_provenance


def test_provenance_has_what_is_needed_to_repeat_a_run() -> None:
    found = collect_provenance(
        seed=3,
        threads=2,
        device="cpu",
        precision="float32",
        encoder={"name": "x", "sha256": "0" * 64},
        data={"train.tsv": "f" * 64},
        command=["manyheads", "train", "r.toml"],
    )
    versions = found["versions"]
    assert isinstance(versions, dict)
    assert versions["torch"] == torch.__version__
    assert found["seed"] == 3
    assert found["data"] == {"train.tsv": "f" * 64}
    assert found["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", str(found["commit"]))
