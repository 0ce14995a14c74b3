"""The members of the package keep the public contracts of `manyheads.testing`, as members of users do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import manyheads
from manyheads.data.reading.formats import FORMATS
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import misfit, misfit_of_options
from manyheads.model.heads import HEADS
from manyheads.model.losses import LOSSES, fitting_losses
from manyheads.runs.exporters import EXPORTERS
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.choice import Choice
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression
from manyheads.testing import (
    check_exporter,
    check_format,
    check_head,
    check_loss,
    check_metric,
    check_tracker,
    check_weighting,
)
from manyheads.training.tracking import TRACKERS
from manyheads.training.weighting import WEIGHTING

KINDS: list[Kind] = [
    Classification([0, 1]),
    Classification(["a", "b", "c"]),
    Multilabel(["a", "b", "c"]),
    Ordinal([1, 2, 3]),
    Regression(0, 5),
]

FILES = {
    "csv": "text,label\na,b\nc,d\n",
    "tsv": "text\tlabel\na\tb\nc\td\n",
    "jsonl": '{"text": "a", "label": 1}\n{"text": "c", "label": 2}\n',
    "json": '[{"text": "a", "label": 1}, {"text": "c", "label": 2}]\n',
    "xml": '<rows><row label="1"><text>a</text></row><row label="2"><text>c</text></row></rows>\n',
}


@pytest.mark.parametrize("name", [name for name, head in HEADS.items() if any(map(head.fits, KINDS))])
def test_heads(name: str) -> None:
    check_head(HEADS[name], kinds=KINDS)


def test_a_head_with_options() -> None:
    check_head(HEADS["b2"], {"width": 5}, kinds=KINDS)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if any(map(loss.form, KINDS))])
def test_losses(name: str) -> None:
    check_loss(LOSSES[name], kinds=KINDS)


@pytest.mark.parametrize("name", fitting_losses(Choice(["candidates"])))
def test_losses_of_candidates(name: str) -> None:
    check_loss(LOSSES[name])


def _fitting(name: str) -> list[Kind]:
    metric, options = METRICS[name], METRICS[name].options(kind=name)
    return [kind for kind in KINDS if misfit(metric, kind) is None and misfit_of_options(metric, options, kind) is None]


@pytest.mark.parametrize("name", [name for name in METRICS if _fitting(name)])
def test_metrics(name: str) -> None:
    for kind in _fitting(name):
        check_metric(METRICS[name], kind)


@pytest.mark.parametrize("name", WEIGHTING)
def test_weightings(name: str) -> None:
    check_weighting(WEIGHTING[name])


@pytest.mark.parametrize("name", FILES)
def test_formats(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"file{FORMATS[name].endings[0]}"
    file.write_text(FILES[name])
    check_format(FORMATS[name], file, ["text", "label"])


@pytest.mark.parametrize("name", EXPORTERS)
def test_exporters(name: str, trained: manyheads.Run, tmp_path: Path) -> None:
    check_exporter(EXPORTERS[name], trained.folder.path, tmp_path / "exports")


def test_trackers(tmp_path: Path) -> None:
    """The trackers of other programs have tests with these programs."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder: Path) -> dict[str, dict[int, float]]:
        stored = EventAccumulator(str(folder / "tensorboard"))
        stored.Reload()
        names = stored.Tags()["scalars"]
        return {name: {each.step: each.value for each in stored.Scalars(name)} for name in names}

    check_tracker(TRACKERS["tensorboard"], tmp_path / "tracked", read)


def test_options_are_given_as_a_table() -> None:
    options: dict[str, Any] = {"classes": ["a", "c"]}
    check_metric(METRICS["f1"], KINDS[1], options)
