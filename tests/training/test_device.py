"""Steps of fixed shapes on data on a device. On a CPU, as here, they must agree with the plain steps."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import manyheads
from manyheads.data.batching import BATCHING
from manyheads.data.dataset import assemble
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import TrainingError
from manyheads.model.flat import FlatTokens
from manyheads.model.multitask import MultitaskModel
from manyheads.model.weights import resolve
from manyheads.recipe import build
from manyheads.recipe.build import (
    build_model,
    graph_obstacle,
    make_losses,
    make_optimizer,
    make_stepper,
    make_weighting,
)
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import Prepared, read_tasks, tokenise_tasks
from manyheads.recipe.schema import Recipe
from manyheads.run.events import read_events
from manyheads.training.device import DeviceStepper, Picks, Resident
from manyheads.training.step import StepResult

CPU = torch.device("cpu")
SIZE, LENGTH = 16, 24


class Setting:
    """A recipe's tokenised data, a new model, and the same data for a device."""

    def __init__(self, file: Path, changes: list[str]) -> None:
        self.recipe: Recipe = load_recipe(file, ["device=cpu", "precision=float32", *changes])
        data = read_tasks(self.recipe, lambda *_, **__: None)
        source = resolve(self.recipe.encoder, Path.cwd())
        self.tokenizer = Tokenizer.load(source.folder)
        self.prepared: Prepared = tokenise_tasks(data, self.tokenizer)
        self.model: MultitaskModel = build_model(self.recipe, source, self.prepared.tasks)
        self.resident = Resident.of(
            self.prepared.store, self.tokenizer.template, self.prepared.streams, max_length=LENGTH, device=CPU
        )

    def stepper(self, model: MultitaskModel) -> DeviceStepper:
        return DeviceStepper(
            model,
            self.resident,
            make_optimizer(self.recipe, model),
            make_losses(self.recipe, model),
            make_weighting(self.recipe, model),
            size=SIZE,
            seed=self.recipe.seed,
            clip_norm=self.recipe.training.clip_norm,
            precision="float32",
        )

    def batches(self, count: int) -> list[Picks]:
        sizes = {name: len(split) for name, split in self.prepared.train.items()}
        batching = BATCHING["even"].build(sizes, SIZE, self.recipe.seed)
        batches = []
        for k in range(count):
            ((task, rows),) = batching.batch(k)
            batches.append(Picks(task, rows, int(self.resident.streams[task].tokens[rows].sum()), {task: len(rows)}))
        return batches


@pytest.fixture(scope="module")
def setting(tiny_recipe: Path) -> Setting:
    return Setting(tiny_recipe, ["model.dropout=0.1"])


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_batch_of_fixed_shape_has_the_tokens_of_the_plain_batch(setting: Setting, data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(sorted(setting.prepared.train)))
    split, resident = setting.prepared.train[task], setting.resident
    rows = np.array(data.draw(st.lists(st.integers(0, len(split) - 1), min_size=1, max_size=SIZE)))
    plain = FlatTokens.from_batch(
        assemble(setting.prepared.store, setting.tokenizer.template, LENGTH, [(split, rows)]), CPU, keyed=True
    )
    shape = resident.shape(task, rows, SIZE)
    padded = torch.zeros(SIZE, dtype=torch.int64)
    padded[: len(rows)] = torch.from_numpy(rows)
    fixed = resident.tokens(task, padded, torch.tensor(len(rows)), shape)
    assert len(fixed.token_ids) == shape
    assert int(fixed.layout.lengths.sum()) == shape
    assert int(fixed.layout.lengths.min()) >= 1
    assert int(fixed.layout.lengths.max()) <= LENGTH
    sides = resident.streams[task].sides
    for side in range(sides):
        for place in range(len(rows)):
            mine, theirs = side * SIZE + place, side * len(rows) + place
            length = int(plain.layout.lengths[theirs])
            assert int(fixed.layout.lengths[mine]) == length
            here = slice(int(fixed.layout.starts[mine]), int(fixed.layout.starts[mine]) + length)
            there = slice(int(plain.layout.starts[theirs]), int(plain.layout.starts[theirs]) + length)
            for name in ("token_ids", "position_ids", "segment_ids"):
                assert torch.equal(getattr(fixed, name)[here], getattr(plain, name)[there]), name
            assert fixed.layout.keys is not None
            assert plain.layout.keys is not None
            assert torch.equal(fixed.layout.keys[here], plain.layout.keys[there])


def test_there_are_few_shapes(setting: Setting) -> None:
    shapes = {setting.resident.shape(each.stream, each.places, SIZE) for each in setting.batches(100)}
    assert len(shapes) <= 6


def test_the_steps_agree_with_the_plain_steps(setting: Setting) -> None:
    plain_model, model = copy.deepcopy(setting.model), copy.deepcopy(setting.model)
    plain = make_stepper(setting.recipe, plain_model, make_optimizer(setting.recipe, plain_model))
    fixed = setting.stepper(model)
    for step, picks in enumerate(setting.batches(12)):
        split = setting.prepared.train[picks.stream]
        batch = assemble(setting.prepared.store, setting.tokenizer.template, LENGTH, [(split, picks.places)])
        expected, actual = plain.update(step, [batch]), fixed.update(step, [picks])
        assert actual.losses == pytest.approx(expected.losses, rel=1e-4)
        assert actual.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-3)
        assert (actual.examples, actual.tokens) == (expected.examples, expected.tokens)
    others = dict(plain_model.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, others[name], rtol=1e-3, atol=1e-5)


def test_a_short_batch_is_averaged_over_its_own_examples(setting: Setting) -> None:
    model = copy.deepcopy(setting.model)
    picks = Picks("sentiment", np.array([3, 5, 8]), 40, {"sentiment": 3})
    split = setting.prepared.train["sentiment"]
    plain = make_stepper(setting.recipe, copy.deepcopy(model), make_optimizer(setting.recipe, model))
    batch = assemble(setting.prepared.store, setting.tokenizer.template, LENGTH, [(split, picks.places)])
    assert setting.stepper(model).update(0, [picks]).losses == pytest.approx(plain.update(0, [batch]).losses, rel=1e-4)


def test_an_update_that_is_not_finite_changes_nothing(setting: Setting) -> None:
    model = copy.deepcopy(setting.model)
    stepper, (first, second, *_) = setting.stepper(model), setting.batches(2)
    stepper.update(0, [first])
    with torch.no_grad():
        next(iter(model.encoder.model.embeddings.LayerNorm.parameters())).fill_(float("inf"))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(TrainingError, match="step 1, task"):
        stepper.advance(1, [second])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_the_obstacle_to_graphs_is_named(setting: Setting) -> None:
    recipe, model = setting.recipe, copy.deepcopy(setting.model)
    assert "bfloat16" in str(graph_obstacle(recipe, model))
    half = recipe.model_copy(update={"precision": "bfloat16"})
    model.encoder.model.config.attention_probs_dropout_prob = 0.1
    assert "attention dropout is 0.1" in str(graph_obstacle(half, model))
    model.encoder.model.config.attention_probs_dropout_prob = 0.0
    assert graph_obstacle(half, model) is None


def test_results_are_in_the_order_of_steps(setting: Setting) -> None:
    model = copy.deepcopy(setting.model)
    stepper = setting.stepper(model)
    results: list[StepResult] = []
    batches = setting.batches(5)
    for step, picks in enumerate(batches):
        results += stepper.advance(step, [picks])
    results += stepper.wait()
    assert [next(iter(result.losses)) for result in results] == [picks.stream for picks in batches]


def test_a_run_agrees_with_the_plain_run_and_reports_its_steps_late(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ["device=cpu", "training.max_steps=20", "training.evaluate_every=13"]
    plain = manyheads.train(tiny_recipe, tmp_path / "plain", changes=changes)

    def on_device(*parts: Any) -> build.Steps:
        return build._on_device(*parts[:7])

    monkeypatch.setattr("manyheads.recipe.assemble.make_steps", on_device)
    monkeypatch.setattr("manyheads.training.device._Request.known", lambda _: False)
    late = manyheads.train(tiny_recipe, tmp_path / "late", changes=changes)
    expected, actual = ([*read_events(run.folder.events)] for run in (plain, late))
    kinds = [event["event"] for event in actual if event["event"] in ("step", "evaluation")]
    assert kinds == ["step"] * 13 + ["evaluation"] + ["step"] * 7 + ["evaluation"]
    for one, other in zip(_steps(expected), _steps(actual), strict=True):
        assert (one["step"], one["tokens"], one["examples"]) == (other["step"], other["tokens"], other["examples"])
        assert one["learning_rate"] == pytest.approx(other["learning_rate"])
        assert one["losses"] == pytest.approx(other["losses"], rel=1e-3)
    assert late.results["best"]["average"] == pytest.approx(plain.results["best"]["average"], abs=0.01)


def _steps(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == "step"]


def test_weights_of_rows_and_soft_labels_count_as_in_the_plain_steps(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [f"the film {row},{row % 4 / 4},{1 - row % 4 / 4},{row % 3}" for row in range(12)]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,no,yes,sure", *rows]) + "\n")
    keys = 'kind = "classification"\ntrain = "train.csv"\ndev = "dev.csv"\ntext = "text"\nlabel = ["no", "yes"]\n'
    file = tmp_path / "recipe.toml"
    file.write_text(f'encoder = "{tiny_encoder}"\n[tasks.a]\n{keys}weight = "sure"\n')
    setting = Setting(file, [])
    split, model = setting.prepared.train["a"], setting.model
    picks = Picks("a", np.array([1, 2, 7]), 20, {"a": 3})
    plain = make_stepper(setting.recipe, copy.deepcopy(model), make_optimizer(setting.recipe, model))
    batch = assemble(setting.prepared.store, setting.tokenizer.template, LENGTH, [(split, picks.places)])
    expected = plain.update(0, [batch]).losses
    assert setting.stepper(model).update(0, [picks]).losses == pytest.approx(expected, rel=1e-4)
