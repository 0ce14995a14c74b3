"""Members of every menu, each added from one file outside the package, as a user would."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.plugins.conftest import MEMBERS, forget
from tests.training.test_distributed import ended, torchrun

import manyheads
from manyheads import plugins
from manyheads.cli.main import main
from manyheads.cli.show import next_text, stopped_text
from manyheads.errors import RunError
from manyheads.inference.manifest import read_manifest, tasks_of
from manyheads.plugins import PluginError
from manyheads.recipe.load import load_recipe, members_of
from manyheads.run.folder import RunFolder
from manyheads.tasks.kinds import KINDS

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.words]
kind = "count"
train = "counts.rec"
dev = "counts.rec2"
format = "records"
text = "text"
label = "count"

[tasks.films]
kind = "classification"
train = "films.csv"
dev = "films-dev.csv"
text = "text"
label = "label"
head = {{ kind = "hidden", width = 5 }}
metrics = [{{ kind = "recall", label = "good" }}]

[batching]
strategy = {{ kind = "turns", length = 2 }}
batch_size = 4

[training]
epochs = 1
weighting = {{ kind = "scaled", scale = 0.5 }}
"""

FILES = ("count", "hidden", "recall", "turns", "scaled", "records", "arrays", "lines")
OPTIONS = [word for name in FILES for word in ("--plugin", str(MEMBERS / f"{name}.py"))]


def run(*words: object, status: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main([*map(str, words)])
    assert end.value.code == status


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outside")
    texts = [" ".join(["film"] * (1 + number % 3)) for number in range(12)]
    records = "".join(f"text: {text}\ncount: {len(text.split())}\n\n" for text in texts)
    (folder / "counts.rec").write_text(records)
    (folder / "counts.rec2").write_text(records.replace("film", "movie"))
    rows = [f"a {label} film {number},{label}" for number in range(8) for label in ("good", "bad")]
    (folder / "films.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "films-dev.csv").write_text("\n".join(["text,label", *rows]).replace("a ", "the ") + "\n")
    file = folder / "recipe.toml"
    file.write_text(RECIPE.format(encoder=tiny_encoder))
    return file


@pytest.fixture(scope="module")
def outside(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that uses a member of every menu."""
    folder = tmp_path_factory.mktemp("runs") / "outside"
    run("train", recipe, "--out", folder, "--track", "lines", *OPTIONS)
    forget()
    return RunFolder(folder)


def test_a_run_uses_a_member_of_every_menu(outside: RunFolder) -> None:
    results = outside.read_results()
    assert results["last"]["tasks"]["films"]["recall_good"] is not None
    assert results["last"]["tasks"]["words"].keys() == {"spearman", "mae"}
    steps = [json.loads(line) for line in outside.events.read_text().splitlines()]
    order = [next(iter(step["losses"])) for step in steps if step["event"] == "step"]
    assert order == ["words", "words", "films", "films", "words", "films", "films"]
    assert "dev/average" in (outside.path / "numbers.jsonl").read_text()


def test_the_command_that_resumes_a_run_has_the_files(tmp_path: Path) -> None:
    plugins.load([MEMBERS / "hidden.py"])
    assert stopped_text(3, tmp_path, ["lines"]).endswith(f"--resume --track lines --plugin {MEMBERS / 'hidden.py'}")


def test_the_commands_that_follow_a_run_have_the_files(tmp_path: Path) -> None:
    plugins.load([MEMBERS / "hidden.py"])
    commands = [line for line in next_text(tmp_path, ["films"], 300).splitlines() if line.startswith("  manyheads ")]
    assert len(commands) == 4
    assert all(f"--plugin {MEMBERS / 'hidden.py'}  " in line for line in commands)


def test_the_model_card_names_the_code_that_the_model_needs(outside: RunFolder) -> None:
    card = (outside.model / "README.md").read_text()
    assert "the head `hidden` (`hidden.py`), the kind of task `count` (`count.py`)" in card
    assert "`recall`" not in card
    assert "MANYHEADS_PLUGINS" in card


def test_the_run_and_the_bundle_record_members_and_plugins(outside: RunFolder) -> None:
    recipe = outside.recipe.read_text()
    assert '[members.head]\nhidden = "hidden.py"' in recipe
    recorded = outside.read_provenance()["plugins"]
    used = ["count.py", "hidden.py", "recall.py", "records.py", "scaled.py", "turns.py"]
    assert sorted(recorded) == used
    assert all(len(each["sha256"]) == 64 for each in recorded.values())
    manifest = json.loads((outside.model / "manyheads.json").read_text())
    assert manifest["members"]["kind"] == {"count": "count.py"}
    assert manifest["plugins"].keys() == {"count.py", "hidden.py", "recall.py"}
    assert str(MEMBERS) not in recipe + json.dumps(manifest)


def test_later_commands_need_the_plugins_and_use_them(outside: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run("evaluate", outside.path, status=1)
    error = capsys.readouterr().err
    assert "is not available" in error
    assert ".py with --plugin" in error or "--plugin PATH/" in error
    run("evaluate", outside.path, *OPTIONS)
    assert "words" in capsys.readouterr().out
    run("report", outside.path, *OPTIONS)
    run("check", outside.recipe, *OPTIONS)


def test_a_bundle_is_loaded_with_its_kinds_and_heads_only(outside: RunFolder) -> None:
    with pytest.raises(PluginError, match=r"the head 'hidden'(.|\n)*hidden\.py"):
        manyheads.load(outside.path)
    plugins.load([MEMBERS / "hidden.py"])
    with pytest.raises(PluginError, match=r"the kind of task 'count'(.|\n)*count\.py"):
        manyheads.load(outside.path)
    plugins.load([MEMBERS / "count.py"])
    model = manyheads.load(outside.path)
    assert model.predict("films", ["a good film"])[0].prediction in ("good", "bad")
    assert 0 <= model.predict("words", ["a good film"])[0].prediction <= 3


def test_an_exported_graph_has_its_head_in_it(outside: RunFolder) -> None:
    manifest = read_manifest(outside.model)
    plugins.load([MEMBERS / "count.py"])
    assert [task.head for task in tasks_of(outside.model, manifest, heads=False)] == ["linear", "hidden"]
    with pytest.raises(PluginError, match="the head 'hidden'"):
        tasks_of(outside.model, manifest, heads=True)


def test_other_code_than_in_training_is_noted(
    outside: RunFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hidden.py").write_text((MEMBERS / "hidden.py").read_text() + "\n")
    plugins.load([MEMBERS / "count.py", tmp_path / "hidden.py"])
    with caplog.at_level("WARNING", "manyheads"):
        manyheads.load(outside.path)
    assert "hidden.py has other code than when the model was trained" in caplog.text


def test_predictions_of_a_kind_without_types_of_columns_are_text_in_parquet(
    outside: RunFolder, recipe: Path, tmp_path: Path
) -> None:
    plugins.load([MEMBERS / f"{name}.py" for name in FILES])
    assert KINDS["count"].sample().columns == {"prediction": object}
    source = recipe.parent / "counts.rec"
    manyheads.predict(outside.path, "words", source, tmp_path / "out.parquet")
    manyheads.predict(outside.path, "words", source, tmp_path / "out.csv")
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found["prediction"].dtype == pl.String
    assert found["prediction"].to_list() == [str(each) for each in pl.read_csv(tmp_path / "out.csv")["prediction"]]


def test_an_exporter_is_a_target(outside: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("export", outside.path, "--to", "arrays", "--out", tmp_path / "out", status=1)
    capsys.readouterr()
    run("export", outside.path, "--to", "arrays", "--out", tmp_path / "out", *OPTIONS)
    assert f"load {tmp_path / 'out'}/heads.npz" in capsys.readouterr().out
    with np.load(tmp_path / "out" / "heads.npz") as weights:
        assert any(array.shape == (5, 32) for array in weights.values())
    assert json.loads((tmp_path / "out" / "manyheads.json").read_text())["export"] == "arrays"
    run("export", outside.path, "--to", "arays", *OPTIONS, status=1)
    assert "did you mean 'arrays'?" in capsys.readouterr().err


def test_a_changed_plugin_is_refused_on_resume(recipe: Path, outside: RunFolder, tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(MEMBERS / f"{name}.py", tmp_path)
    files = [tmp_path / f"{name}.py" for name in FILES]
    plugins.load(files)
    assert manyheads.train(recipe, outside.path, resume=True).results == outside.read_results()
    forget()
    files[1].write_text(files[1].read_text() + "\n# changed\n")
    plugins.load(files)
    with pytest.raises(RunError, match=r"a plug-in has changed(.|\n)*hidden\.py"):
        manyheads.train(recipe, outside.path, resume=True)


@pytest.mark.usefixtures("forked_commands")
def test_the_processes_of_torchrun_have_the_plugins(
    recipe: Path, outside: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.VARIABLE, os.pathsep.join(OPTIONS[1::2]))
    output = ended(process := torchrun(2, recipe, tmp_path / "run", "training.max_steps=2"))
    assert process.returncode == 0, output
    found = RunFolder(tmp_path / "run").read_provenance()
    assert found["processes"] == 2
    assert found["plugins"] == outside.read_provenance()["plugins"]


def test_a_format_that_is_found_by_the_ending_is_recorded(recipe: Path, tmp_path: Path) -> None:
    plugins.load([MEMBERS / f"{name}.py" for name in FILES])
    shards = tmp_path / "shards"
    shards.mkdir()
    shutil.copy(recipe.parent / "counts.rec", shards)
    text = recipe.read_text().replace('format = "records"\n', "").replace("counts.rec2", "counts.rec")
    for train in ("shards", "shards/*", "shards/counts.rec"):
        file = recipe.parent / "by-ending.toml"
        file.write_text(text.replace('"counts.rec"', f'"{tmp_path / train}"', 1))
        assert members_of(load_recipe(file, ["tasks.words.dev=0.5"]))["format"] == {"records": "records.py"}


@pytest.mark.usefixtures("forked_commands")
def test_the_processes_of_a_study_have_a_format_and_a_default_loss(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is named in the recipe. The loss of the kind is in a file of its own."""
    source = (MEMBERS / "count.py").read_text()
    kind, loss = source.split("def poisson", 1)
    imports = (
        "from __future__ import annotations\nimport manyheads, torch\nfrom manyheads.model.losses import LossEntry\n"
    )
    (tmp_path / "count.py").write_text(kind)
    (tmp_path / "poisson.py").write_text(f"{imports}def poisson{loss}")
    given = [tmp_path / "count.py", tmp_path / "poisson.py", *(MEMBERS / f"{name}.py" for name in FILES[1:])]
    file = recipe.parent / "by-defaults.toml"
    file.write_text(recipe.read_text().replace('format = "records"\n', "").replace("counts.rec2", "counts2.rec"))
    shutil.copy(recipe.parent / "counts.rec2", recipe.parent / "counts2.rec")
    study = tmp_path / "study.toml"
    study.write_text(f'base = "{file}"\nseeds = [1]\n[rows.a]\n')
    options = [word for each in given for word in ("--plugin", each)]
    run("study", study, "--out", tmp_path / "out", "--jobs", "1", "--set", "training.max_steps=1", *options)
    assert RunFolder(tmp_path / "out" / "a" / "1").finished


def test_a_kind_that_no_loss_fits_is_an_error(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "count.py").write_text(
        (MEMBERS / "count.py").read_text().replace('{"value": "log_rate"}', '{"a": "b"}')
    )
    options = [str(tmp_path / "count.py") if "count" in word else word for word in OPTIONS]
    run("check", recipe, *options, status=1)
    error = capsys.readouterr().err
    assert "no loss on the menu fits a count task" in error
    assert "key tasks.words.kind" in error
    assert "'value' with outputs log_rate" in error


@pytest.mark.usefixtures("forked_commands")
def test_the_processes_of_a_study_have_the_plugins(recipe: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(f'base = "{recipe}"\nseeds = [1]\n[rows.a]\n')
    run("study", study, "--out", tmp_path / "out", "--jobs", "1", "--set", "training.max_steps=1", *OPTIONS)
    assert RunFolder(tmp_path / "out" / "a" / "1").finished
    assert (tmp_path / "out" / "table.json").is_file()
