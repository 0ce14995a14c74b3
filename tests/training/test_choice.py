"""Training on candidates: batches, processes, resuming, predictions of every form of input, the report, the server."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from fastapi.testclient import TestClient
from tests.training.test_distributed import ended, steps_of, torchrun
from tests.training.test_resume import contents
from tests.training.test_streams import CPU, Setting, interrupted
from tests.training.test_update import assert_same_update
from transformers import AutoModelForMultipleChoice, AutoTokenizer

import manyheads
from manyheads.data.dataset import Stream, assemble, count_cut, lengths
from manyheads.errors import BundleError, DataError
from manyheads.inference.bundle import load_bundle
from manyheads.inference.export.hub import TaskSample, check_pipeline
from manyheads.inference.predictor import Predictor
from manyheads.inference.torch_engine import TorchEngine
from manyheads.ragged import Ragged
from manyheads.recipe.build import make_losses
from manyheads.recipe.load import load_recipe
from manyheads.recipe.tasks import streams_of
from manyheads.reports.content import build_report
from manyheads.reports.document import text_of
from manyheads.run.folder import RunFolder
from manyheads.runs.export import dev_data
from manyheads.tasks.kinds.words import WordTags
from manyheads.training.distributed import share
from manyheads.training.step import TaskLosses

WORDS = ["the", "a", "of", "and", "good", "bad", "film", "story", "this", "that"]

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.cross]
kind = "choice"
train = "rows.jsonl"
dev = "dev.jsonl"
text = "question.stem"
candidates = "question.choices[].text"
label = "key"

[tasks.bi]
kind = "choice"
train = "lines.csv"
dev = 0.3
test = "test.csv"
text = "stem"
candidates = "text"
label = "grade"
group_by = "number"
pair = "bi"
weight = "number"

[model]
max_length = 24

[batching]
batch_size = 4

[training]
epochs = 2
learning_rate = 1e-3
checkpoint_every = 3
"""


def row(number: int) -> dict[str, Any]:
    """A row with two to five candidates, of which the right one shares a word with the text."""
    stem = " ".join(WORDS[(number * 3 + place * place) % 10] for place in range(40 if number % 7 == 0 else 5))
    choices = [f"{WORDS[(number + 2 * place) % 10]} {WORDS[place]}" for place in range(2 + number % 4)]
    right = next((place for place, each in enumerate(choices) if each.split()[0] in stem.split()), 0)
    return {"question": {"stem": stem, "choices": [{"text": each} for each in choices]}, "key": "ABCDE"[right]}


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choice")
    rows = [row(number) for number in range(24)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (folder / "dev.jsonl").write_text("".join(json.dumps(row(number)) + "\n" for number in range(30, 38)))
    lines = ["number,stem,text,grade"]
    for number, each in enumerate(rows, start=1):
        texts = [choice["text"] for choice in each["question"]["choices"]]
        lines += [f"{number},{each['question']['stem']} {number},{text},{1 + len(text) % 3}" for text in texts]
    (folder / "lines.csv").write_text("\n".join(lines) + "\n")
    (folder / "test.csv").write_text("".join(line.rpartition(",")[0] + "\n" for line in lines[:12]))
    (folder / "recipe.toml").write_text(RECIPE.format(encoder=tiny_encoder))
    return folder / "recipe.toml"


@pytest.fixture(scope="module")
def run(recipe: Path) -> Path:
    return manyheads.train(recipe, recipe.parent / "run").folder.path


@pytest.fixture(scope="module")
def setting(recipe: Path) -> Setting:
    return Setting(recipe)


def test_tasks_with_candidates_are_streams_of_their_own(recipe: Path) -> None:
    table = load_recipe(recipe)
    two = table.model_copy(update={"tasks": {"one": table.tasks["cross"], "two": table.tasks["cross"]}})
    assert list(streams_of(two)) == ["one", "two"]


@pytest.mark.parametrize("task", ["cross", "bi"])
def test_a_batch_is_flat_and_has_each_candidate_with_its_text(setting: Setting, task: str) -> None:
    stream: Stream = setting.prepared.streams[task]
    split, store, template = stream.splits[0], setting.prepared.store, setting.tokenizer.template
    rows = np.array([2, 0, 5])
    batch = assemble(store, template, 24, [(stream, rows)])
    (part,) = batch.parts
    assert split.candidates is not None
    assert part.candidates is not None
    assert part.windows is not None
    counts = split.candidates[rows].lengths
    assert part.candidates.lengths.tolist() == counts.tolist()
    assert batch.sequences == counts.sum() + (0 if task == "cross" else len(rows))
    assert batch.label_counts == {task: 3}
    assert (
        part.sizes(np.diff(batch.offsets).astype(np.int64)).tolist()
        == lengths(store, template, 24, split)[rows].tolist()
    )
    for sequences, example in zip(part.candidates, rows, strict=True):
        for own, candidate in zip(sequences, split.candidates[example], strict=True):
            tokens = batch.token_ids[batch.offsets[own[-1]] : batch.offsets[own[-1] + 1]].tolist()
            assert tokens[-1 - len(store[candidate]) : -1] == store[candidate].tolist()
            if task == "bi":
                first = batch.token_ids[batch.offsets[own[0]] : batch.offsets[own[0] + 1]]
                assert first.tolist()[1:-1] == store[split.text_index[example, 0]].tolist()[:22]
    assert count_cut(store, template, 24, split) == batch_cut(setting, stream)


def batch_cut(setting: Setting, stream: Stream) -> int:
    store, template = setting.prepared.store, setting.tokenizer.template
    return assemble(store, template, 24, [(stream, np.arange(len(stream)))]).cut


def test_losses_of_processes_add_up_to_those_of_the_batch(setting: Setting) -> None:
    losses = TaskLosses(setting.model.eval(), make_losses(setting.recipe, setting.model), device=CPU)
    for task in ("cross", "bi"):
        picks = [(setting.prepared.streams[task], np.arange(7))]
        batch = assemble(setting.prepared.store, setting.tokenizer.template, 24, picks)
        whole, counts = losses(batch), batch.label_counts
        parts = [losses(share(batch, process, 2), counts) for process in range(2)]
        found = sum(part[task].item() for part in parts if task in part)
        assert found == pytest.approx(whole[task].item(), rel=1e-5)
        assert sum(share(batch, process, 2).tokens for process in range(2)) == batch.tokens


def test_an_update_does_not_depend_on_its_batches(recipe: Path, tmp_path: Path) -> None:
    """With dropout, whose masks belong to the rows and their candidates, and with weights."""
    runs = []
    for size, accumulation in ((6, 1), (3, 2)):
        changes = ["training.max_steps=1", f"training.accumulation={accumulation}", f"batching.batch_size={size}"]
        changes += ["batching.strategy=sequential", "tasks.cross.train_rows=6", "tasks.bi.loss_weight=0"]
        runs.append(manyheads.train(recipe, tmp_path / f"size{size}", changes=changes).folder.path)
    assert_same_update(*runs)


def test_a_resumed_run_ends_with_the_same_bytes(recipe: Path, run: Path, tmp_path: Path) -> None:
    interrupted(recipe, tmp_path / "run")
    manyheads.train(recipe, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(run)


@pytest.mark.usefixtures("forked_commands")
def test_two_processes_give_the_losses_and_files_of_one(recipe: Path, run: Path, tmp_path: Path) -> None:
    output = ended(torchrun(2, recipe, tmp_path / "run"))
    assert "average" in output, output
    for then, now in zip(steps_of(run), steps_of(tmp_path / "run"), strict=True):
        assert now["losses"] == pytest.approx(then["losses"], rel=1e-4)
    names = {file.name for file in (run / "predictions").iterdir()}
    assert {file.name for file in (tmp_path / "run" / "predictions").iterdir()} == names


# Predictions

ITEM = ("good film", ["good story", "bad", "the film of this"])


def test_one_item_in_every_form(run: Path) -> None:
    model = manyheads.load(run)
    one = model.predict("cross", ITEM)
    assert one.text == ITEM[1]["ABC".index(one.prediction)]
    assert sum(one.probabilities) == pytest.approx(1, abs=1e-6)
    table = {"question": {"stem": ITEM[0], "choices": [{"text": each} for each in ITEM[1]]}}
    flat = {"question.stem": ITEM[0], "question.choices[].text": ITEM[1]}
    for items in (
        [ITEM],
        [[ITEM[0], *ITEM[1]]],
        [table],
        [flat],
        pl.DataFrame([flat]),
        pl.DataFrame([flat]).to_pandas(),
    ):
        assert list(model.predict("cross", items)) == [one]
    assert list(model.stream("cross", [ITEM])) == [one]
    several = model.predict("bi", [ITEM, ("a story", ["this"])])
    assert isinstance(several[0].prediction, int)
    assert several[1].probabilities == [1.0]
    assert [len(each) for each in several.probabilities] == [3, 1]
    frame = several.frame
    assert list(frame.columns) == ["stem", "text", "prediction", "text_", "probabilities"]
    assert frame["text"].to_list() == [ITEM[1], ["this"]]


def test_a_table_with_a_candidate_per_row_is_grouped_as_a_file_is(run: Path) -> None:
    model = manyheads.load(run)
    rows = [{"number": 7, "stem": ITEM[0], "text": each} for each in ITEM[1]]
    rows += [{"number": 8, "stem": "a story", "text": each} for each in ("this", "bad")]
    expected = list(model.predict("bi", [ITEM, ("a story", ["this", "bad"])]))
    for table in (rows, pl.DataFrame(rows), pl.DataFrame(rows).to_pandas()):
        found = model.predict("bi", table)
        assert list(found) == expected
        assert found.frame["number"].to_list() == [7, 8]
    with pytest.raises(DataError, match="different cells in 'stem'"):
        model.predict("bi", [*rows[:2], {**rows[2], "stem": "another"}])
    with pytest.raises(DataError, match="do not follow one another"):
        model.predict("bi", [*rows, rows[0]])


def test_a_bi_encoder_encodes_each_distinct_text_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from manyheads.model import forward

    seen: list[int] = []
    original = forward.assemble_texts

    def counting(*args: Any) -> Any:
        batch = original(*args)
        seen.append(batch.sequences)
        return batch

    monkeypatch.setattr(forward, "assemble_texts", counting)
    manyheads.load(run).predict("bi", [(f"film {number}", ["a", "the", "good"]) for number in range(10)])
    assert sum(seen) == 13


@pytest.mark.parametrize("item", ["text", ("text", []), ("text", [" "]), {"question.stem": "x"}, ("text", ["a", None])])
def test_items_without_candidates_are_an_error_with_their_place(run: Path, item: Any) -> None:
    with pytest.raises(DataError) as caught:
        manyheads.load(run).predict("cross", [item])
    assert caught.value.where == "item 0"
    assert "candidates" in str(caught.value.allowed) or "question.choices[].text" in str(caught.value.allowed)


@pytest.mark.parametrize("task", ["cross", "bi"])
def test_token_weights_are_the_effects_of_tokens_on_the_chosen_candidate(run: Path, task: str) -> None:
    """The text has one weight per token, however many candidates it is encoded with. Truncated tokens have none."""
    bundle = load_bundle(run / "model")
    model = Predictor(TorchEngine(bundle))
    table = bundle.model.encoder.model.get_input_embeddings().weight.detach()
    text, *others = "good bad film", "of film", "that", "the film of this"
    found = model.explain(model.task(task), (text, *others))
    assert [len(part) for part in found] == [3, 2, 1, 4]
    effects = []
    chosen = others.index(str(model.predict(task, (text, others)).text))
    for token in (each.token for each in found[0][:2]):
        row, logs = bundle.tokenizer.pieces.index(token), []
        kept = table[row].clone()
        for scale in (1.02, 0.98):
            table[row] = kept * scale
            logs.append(np.log(model.decode(model.task(task), [(text, *others)]).probabilities.values))
        table[row] = kept
        effects.append(float((logs[0] - logs[1])[chosen]) / 0.04)
    first, second = (each.weight for each in found[0][:2])
    assert first * effects[1] == pytest.approx(second * effects[0], rel=0.05, abs=1e-4)
    long = model.explain(model.task(task), (" ".join(WORDS * 4), *others))
    # With each candidate the text keeps what is left. The longest part of it is with the shortest candidate.
    assert len(long[0]) == (24 - 3 - 1 if task == "cross" else 24 - 2)


def test_transformers_opens_the_exported_choice_to_the_same_probabilities(run: Path, tmp_path: Path) -> None:
    export = manyheads.export(run, "hub", tmp_path / "hub")
    assert list(export.compared) == ["cross"]
    assert export.largest is not None
    assert export.largest <= 1e-5
    assert set(export.left_out) == {"bi"}
    place = tmp_path / "hub" / "pipelines" / "cross"
    tokenizer = AutoTokenizer.from_pretrained(place)
    model, info = AutoModelForMultipleChoice.from_pretrained(place, output_loading_info=True)
    assert not info["missing_keys"]
    text, others = ITEM
    read = tokenizer([text] * len(others), others, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        scores = model(**{key: each[None] for key, each in read.items()}).logits[0]
    mine = manyheads.load(run).predict("cross", ITEM)
    np.testing.assert_allclose(scores.softmax(0).numpy(), mine.probabilities, atol=1e-6)
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "AutoModelForMultipleChoice.from_pretrained(place)" in card
    assert "from transformers import pipeline" not in card
    # What users would load is compared with the model.
    bundle = load_bundle(run / "model")
    data = dev_data(RunFolder(run), bundle)
    (split,) = [each for each in data.splits if each.task.name == "cross"]
    (examples,) = [each for each in data.examples if each.task == "cross"]
    sample = TaskSample(split, examples.all_texts, TorchEngine(bundle).outputs(data.store, split))
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))
    with pytest.raises(BundleError, match="other probabilities"):
        check_pipeline(tmp_path / "hub", bundle, data.store, sample)


def test_token_weights_of_words_are_refused(run: Path) -> None:
    model = manyheads.load(run)
    words = replace(model.task("cross"), kind=WordTags(["O", "A"]))
    with pytest.raises(BundleError, match="outputs per word"):
        model.explain(words, ("a",))


def command(*words: str, given: str | None = None) -> str:
    program = [sys.executable, "-m", "manyheads", *words]
    done = subprocess.run(program, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("forked_commands")
def test_the_command_predicts_files_and_standard_input(recipe: Path, run: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (recipe.parent / "dev.jsonl").read_text().splitlines()]
    written = command(
        "predict", str(run), "--task", "cross", "--input", "-", given="".join(json.dumps(each) + "\n" for each in rows)
    )
    found = [json.loads(line) for line in written.splitlines()]
    assert [each["question"] for each in found] == [each["question"] for each in rows]
    recorded = [json.loads(line) for line in (run / "predictions" / "cross.dev.best.jsonl").read_text().splitlines()]
    for own, record in zip(found, recorded, strict=True):
        assert own["prediction"] == record["prediction"]
        assert own["text"] == own["question"]["choices"]["ABCDE".index(own["prediction"])]["text"]
        np.testing.assert_allclose(own["probabilities"], record["probabilities"], atol=1e-5)
    out = tmp_path / "out.csv"
    command("predict", str(run), "--task", "bi", "--input", str(recipe.parent / "lines.csv"), "--output", str(out))
    cells = list(csv.DictReader(io.StringIO(out.read_text())))
    assert len(cells) == 24
    first = cells[0]
    assert first["number"] == "1"
    texts = json.loads(first["text"])
    assert first["text_"] == texts[int(first["prediction"])]
    assert len(json.loads(first["probabilities"])) == len(texts)
    source, form = str(recipe.parent / "lines.csv"), ("--format", "parquet")
    command("predict", str(run), "--task", "bi", "--input", source, "--output", f"{out}.parquet", *form)
    assert pl.read_parquet(f"{out}.parquet")["probabilities"].dtype == pl.List(pl.Float64)


# Reports, evaluation and the server


def test_the_records_are_read_as_they_were_measured_and_the_report_has_the_ranks(run: Path) -> None:
    text = text_of(build_report(run), "md")
    assert "right candidate at rank 1" in text
    assert "margin" in text
    results = json.loads((run / "results.json").read_text())
    assert list(results["best"]["tasks"]["cross"]) == ["accuracy", "mrr", "ndcg"]
    assert list(results["best"]["tasks"]["bi"]) == ["ndcg", "mrr", "accuracy"]


def test_the_server_chooses_and_ranks(run: Path) -> None:
    model = manyheads.load(run)
    with TestClient(manyheads.asgi(run, hosts=["*"])) as client:
        info = {each["name"]: each for each in client.get("/v1/tasks").json()}
        assert info["cross"]["candidates"]
        assert info["cross"]["columns"] == ["question.stem", "question.choices[].text"]
        body = client.post("/v1/predict/cross", json={"texts": [[ITEM[0], *ITEM[1]]]}).json()
        (found,) = body["predictions"]
        one = model.predict("cross", ITEM)
        assert (found["prediction"], found["text"]) == (one.prediction, one.text)
        np.testing.assert_allclose(found["probabilities"], one.probabilities, atol=1e-6)
        assert info["cross"]["explained"]
        explained = client.post("/v1/explain/cross", json={"texts": [[ITEM[0], *ITEM[1]]]}).json()["predictions"][0]
        assert explained["prediction"] == one.prediction
        assert len(explained["tokens"]) == 1 + len(ITEM[1])
        for wrong in ("text", ["text"]):
            refused = client.post("/v1/predict/cross", json={"texts": [wrong]})
            assert refused.status_code == 422
            assert refused.json()["allowed"] == "a list of a text and its candidates"


def test_targets_are_ragged_relevances(setting: Setting) -> None:
    targets = setting.prepared.train["bi"].targets
    assert isinstance(targets, Ragged)
    assert set(targets.values.tolist()) <= {1.0, 2.0, 3.0}
