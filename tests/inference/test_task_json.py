"""Tasks in manifests: those of earlier versions, and the form of their outputs."""

from __future__ import annotations

import pytest

from manyheads.inference.manifest import task_from_json, task_to_json
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.task import Task


def _task(kind: Kind, loss: str, form: str | None = None) -> Task:
    return Task("a", kind, ("text",), "label", None, None, "linear", 0.1, loss, "accuracy", form=form)


@pytest.mark.parametrize("form", ["steps", "logits", "place"])
def test_the_form_of_outputs_is_written_and_read(form: str) -> None:
    task = _task(Ordinal([1, 2, 3, 4]), "own", form)
    assert task_from_json(task_to_json(task)) == task


@pytest.mark.parametrize(("loss", "outputs"), [("cross_entropy", 2), ("binary_cross_entropy", 1), ("l1", 1)])
def test_a_manifest_of_0_4_without_the_form_has_the_outputs_of_its_loss(loss: str, outputs: int) -> None:
    content = task_to_json(_task(Classification([0, 1]), loss))
    del content["form"]
    assert task_from_json(content).outputs == outputs


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="no outputs of the form 'tags'; it has logit, logits"):
        task_from_json({**task_to_json(_task(Classification([0, 1]), "l1")), "form": "tags"})
