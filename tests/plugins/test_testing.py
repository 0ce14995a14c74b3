"""The public contract suite accepts members that keep their contract, and says what is wrong with others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plugins.conftest import MEMBERS
from torch import Tensor, nn

import manyheads
from manyheads import plugins
from manyheads.data.batching import BatchingEntry
from manyheads.data.batching.even import Even
from manyheads.data.reading.formats import FORMATS, Format
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.metric import Metric
from manyheads.model.heads import HeadEntry
from manyheads.model.heads.linear import Linear
from manyheads.model.losses import LOSSES, LossEntry
from manyheads.runs.exporters import Exporter, Written
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.words import WordTags
from manyheads.testing import (
    check_batching,
    check_exporter,
    check_format,
    check_head,
    check_kind,
    check_loss,
    check_metric,
    check_tracker,
    check_weighting,
)
from manyheads.training.tracking import TrackerEntry
from manyheads.training.weighting import WeightingEntry

CLASSES = Classification(["bad", "fair", "good"])


def member(file: str, menu: str, name: str) -> Any:
    plugins.load([MEMBERS / f"{file}.py"])
    return plugins.menu_of(menu)[name]


def test_members_from_outside_keep_their_contracts(tmp_path: Path) -> None:
    check_head(member("hidden", "head", "hidden"), {"width": 3}, kinds=[CLASSES])
    check_metric(member("recall", "metric", "recall"), CLASSES, {"label": "good"})
    check_batching(member("turns", "batching", "turns"), {"length": 2})
    check_weighting(member("scaled", "weighting", "scaled"), {"scale": 0.1})
    count = member("count", "kind", "count")
    check_kind(count.sample(), ["0", 7, 10])
    check_loss(LOSSES["poisson"])
    (tmp_path / "a.rec").write_text("text: a\nlabel: b\n\nwrong\ntext: c\nlabel: d\n")
    check_format(member("records", "format", "records"), tmp_path / "a.rec", ["text", "label"])


class Mixing(Linear):
    def forward(self, vector: Tensor) -> Tensor:
        return super().forward(vector - vector.mean(dim=0))


class Idle(Linear):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.unused = nn.Linear(2, 2)


def _without_dropout(hidden: int, outputs: int, unit: bool, dropout: float) -> nn.Module:
    del dropout
    return Linear(hidden, outputs, unit, 0.0)


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (Mixing, "depend on other examples"),
        (Idle, "no gradient reaches unused"),
        (_without_dropout, "dropout has no effect"),
        (lambda hidden, outputs, unit, dropout: Linear(hidden, outputs + 1, unit, dropout), "have the shape"),
    ],
)
def test_a_head_that_breaks_the_contract_is_found(build: Callable[..., nn.Module], found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        check_head(HeadEntry("mine", build, "single"), kinds=[CLASSES])
    with pytest.raises(AssertionError, match="fits none of the kinds"):
        check_head(HeadEntry("mine", build, "single", targets=("none",)), kinds=[CLASSES])


class Forgetful(Even):
    """A batch depends on the calls before."""

    calls = 0

    def batch(self, k: int) -> list[tuple[str, Any]]:
        Forgetful.calls += 1
        return super().batch(k + Forgetful.calls)


class Frozen(Even):
    """All seeds have the same batches."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        del seed
        super().__init__(sizes, batch_size, 0)


class Twice(Even):
    def batch(self, k: int) -> list[tuple[str, Any]]:
        return [(task, np.repeat(rows[:1], len(rows))) for task, rows in super().batch(k)]


@pytest.mark.parametrize(
    ("build", "found"),
    [(Forgetful, "epoch 0 has|order of the calls"), (Frozen, "two seeds"), (Twice, "an example twice")],
)
def test_a_strategy_that_breaks_the_contract_is_found(build: Callable[..., Even], found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        check_batching(BatchingEntry("mine", build))


def _accuracy_with(**changes: Any) -> Metric:
    accuracy = METRICS["accuracy"]
    return Metric(**{**{name: getattr(accuracy, name) for name in accuracy.__dataclass_fields__}, **changes})


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        (_accuracy_with(influence=lambda predictions, targets: targets), "not the effects"),
        (_accuracy_with(range=(0.0, 0.1)), "outside its range"),
        (_accuracy_with(function=lambda predictions, targets: 0.5), "of no examples is not None"),
        (_accuracy_with(higher_is_better=False), "perfect is not better"),
        (_accuracy_with(targets=("values",)), "does not fit"),
    ],
)
def test_a_metric_that_breaks_the_contract_is_found(metric: Metric, found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        check_metric(metric, CLASSES)


def test_a_loss_that_breaks_the_contract_is_found() -> None:
    def shared(*_: Any) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda outputs, targets: outputs.pow(2).mean() + 0 * targets

    def upward(*_: Any) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda outputs, targets: (2 * outputs.detach() - outputs).sum(dim=1) + 0 * targets

    with pytest.raises(AssertionError, match="depends on other examples"):
        check_loss(LossEntry("mine", shared, {"class": "logits"}), kinds=[CLASSES])
    with pytest.raises(AssertionError, match="does not lower the loss"):
        check_loss(LossEntry("mine", upward, {"class": "logits"}), kinds=[CLASSES])
    with pytest.raises(AssertionError, match="fits none"):
        check_loss(LossEntry("mine", shared, {"class": "none"}), kinds=[CLASSES])


def test_a_weighting_that_breaks_the_contract_is_found() -> None:
    def detached(weights: Mapping[str, float]) -> Callable[[Mapping[str, Tensor]], Tensor]:
        del weights
        return lambda losses: next(iter(losses.values())) * 1.0

    with pytest.raises(AssertionError, match="no gradient reaches the loss of a"):
        check_weighting(WeightingEntry("mine", detached))


def test_a_kind_that_breaks_the_contract_is_found() -> None:
    with pytest.raises(AssertionError, match="the cell 'good' is accepted"):
        check_kind(CLASSES, ["bad"], invalid=["good"])
    count = member("count", "kind", "count")

    class Wrong(count):  # type: ignore[misc]
        def errors(self, predictions: Any, targets: Any) -> Any:
            return np.abs(predictions.values - targets) + 1

    with pytest.raises(AssertionError, match="not on the menu"):
        check_kind(Wrong(10), ["1"])
    KINDS["count"] = Wrong
    with pytest.raises(AssertionError, match="errors of correct predictions"):
        check_kind(Wrong(10), ["1"])


def test_a_kind_per_word_that_breaks_the_contract_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loose(WordTags):
        def parse_of(self, raw: object, texts: Sequence[str]) -> Any:
            return self.parse(raw)

    class Short(WordTags):
        def decode(self, outputs: Any) -> Predictions:
            found = super().decode(outputs)
            return Predictions(found.values, np.ones(len(outputs)))

    class Forgiving(WordTags):
        def right(self, predictions: Predictions, targets: Any) -> Any:
            return np.ones(len(targets), dtype=bool)

    for wrong, message in (
        (Loose, "parse_of accepts 'O B-a' for a text of 3 words"),
        (Short, "ragged outputs need ragged probabilities"),
        (Forgiving, "a prediction is equal to"),
    ):
        monkeypatch.setitem(KINDS, "words", wrong)
        with pytest.raises(AssertionError, match=message):
            check_kind(wrong.sample(), ["O B-a"])


def test_a_format_that_breaks_the_contract_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,b\n")
    check_format(FORMATS["csv"], file, ["text", "label"])
    with pytest.raises(AssertionError, match="lacks the columns"):
        check_format(FORMATS["csv"], file, ["words"])
    with pytest.raises(AssertionError, match="none of the endings"):
        check_format(Format("mine", (".mine",), FORMATS["csv"].open), file, ["text"])


def lines_of(folder: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for line in (folder / "numbers.jsonl").read_text().splitlines():
        values = json.loads(line)
        for name in values.keys() - {"step"}:
            found.setdefault(name, {})[values["step"]] = values[name]
    return found


def test_an_exporter_and_a_tracker_from_outside_keep_their_contracts(trained: manyheads.Run, tmp_path: Path) -> None:
    check_exporter(member("arrays", "exporter", "arrays"), trained.folder.path, tmp_path / "exports")
    check_tracker(member("lines", "tracker", "lines"), tmp_path / "tracked", lines_of)


def _nothing(*_: Any) -> Written:
    return Written()


def _path(bundle: Any, folder: Path, to: Path, int8: bool) -> Written:
    (to / "place.txt").write_text(str(folder))
    return Written()


def _training(bundle: Any, folder: Path, to: Path, int8: bool) -> Written:
    (to / "a").write_text("a")
    bundle.model.train()
    return Written()


def _silent(bundle: Any, folder: Path, to: Path, int8: bool) -> Written:
    (to / "a").write_text("a")
    return Written(left_out={"sentiment": ""})


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (_nothing, "no file was written"),
        (_path, "contains the path of the run"),
        (_training, "the model was changed"),
        (_silent, "without a reason"),
    ],
)
def test_an_exporter_that_breaks_the_contract_is_found(
    write: Any, found: str, trained: manyheads.Run, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=found):
        check_exporter(Exporter("mine", "mine", write), trained.folder.path, tmp_path / "exports")


def test_a_tracker_that_breaks_the_contract_is_found(tmp_path: Path) -> None:
    lines = member("lines", "tracker", "lines").build

    class Appending(lines):  # type: ignore[misc]
        """Keeps the numbers after the step of the resume, and the first of two."""

        def begin(self, step: int) -> None:
            self._path.touch()

        def write(self, values: Any, step: int) -> None:
            if step not in (json.loads(line)["step"] for line in self._path.read_text().splitlines()):
                super().write({**values, "dev/average": values["loss/a"]}, step)

    class Ahead(lines):  # type: ignore[misc]
        def begin(self, step: int) -> int:
            super().begin(step)
            return step + 1

    for number, (build, found) in enumerate([(Appending, "loss/a is stored as"), (Ahead, r"begin\(0\) returns 1")]):
        with pytest.raises(AssertionError, match=found):
            check_tracker(TrackerEntry("mine", build), tmp_path / str(number), lines_of)
