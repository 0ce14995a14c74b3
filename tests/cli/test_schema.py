"""The schemas as an editor uses them: taplo accepts what the loader accepts, and marks what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import manyheads
from manyheads.cli.main import main
from manyheads.errors import RecipeError
from manyheads.recipe.load import load_recipe
from manyheads.studies.json_schema import FOLDER, SCHEMAS, schema_json
from manyheads.studies.load import load_study

ROOT = Path(__file__).parents[2]
TAPLO = shutil.which("taplo", path=str(Path(sys.executable).parent)) or "taplo"

RECIPE = """\
encoder = "minilm-offline"

[tasks.a]
kind = "classification"
train = "a.csv"
dev = 0.1
text = "text"
label = "label"
"""
PAIR = RECIPE.replace('"text"', '["left", "right"]')
VALUES = RECIPE.replace("classification", "regression")

ACCEPTED = {
    "the smallest recipe": RECIPE,
    "two columns": PAIR,
    "one column in a list": RECIPE.replace('"text"', '["text"]'),
    "values": VALUES + "range = [0, 5]\nmetric = 'spearman'\nloss = 'l1'\n",
    "a head as a string": RECIPE + "head = 'linear'\n",
    "a head as a table": PAIR + "head = { kind = 'b2', dropout = 0 }\npair = 'bi'\n",
    "a head that decides the encoding": PAIR + "head = 'b1'\n",
    "a head with an option": PAIR + "head = { kind = 'b2', width = 3 }\n",
    "a strategy and a weighting as tables": RECIPE
    + "[batching]\nstrategy = { kind = 'even' }\n[training]\nweighting.kind = 'fixed'\n",
    "a head without its kind": PAIR + "head.dropout = 0.2\n",
    "integers for floats": RECIPE + "loss_weight = 2\n[training]\nlearning_rate = 1\nwarmup = 0\nbetas = [0, 0.9]\n",
    "labels of any scalar type": RECIPE + "labels = [0, 1.5, 'two', true]\n",
    "class weights": RECIPE + "labels = [0, 1]\nclass_weights = [1, 0.5]\nloss = 'l1'\n",
    "balanced class weights": RECIPE + "class_weights = 'balanced'\nweight = 'sure'\n",
    "the score of the course": 'score = "course"\n' + RECIPE,
    "the largest seed": f"seed = {2**63 - 1}\n" + RECIPE,
    "no pretraining": RECIPE + "[pretraining]\nepochs = 0\n",
    "a task of another name": RECIPE.replace("tasks.a", "tasks.0-b_C"),
    "one task with weight 0": RECIPE + "loss_weight = 0\n" + VALUES.partition("\n\n")[2].replace("tasks.a", "tasks.b"),
}

REFUSED = {
    "a key at the top": "encoding = 1\n" + RECIPE,
    "a table": RECIPE + "[batchng]\nbatch_size = 3\n",
    "a key of a task": RECIPE + "lable = 'x'\n",
    "a key of a head": RECIPE + "head = { kind = 'linear', droput = 0.1 }\n",
    "an option of another head": PAIR + "head = { kind = 'b1', width = 3 }\n",
    "an option of another loss": VALUES + "loss = { kind = 'mse', gamma = 1 }\n",
    "an option of a strategy": RECIPE + "[batching]\nstrategy = { kind = 'even', size = 3 }\n",
    "a weighting without its kind": RECIPE + "[training]\nweighting = {}\n",
    "a key of [model]": RECIPE + "[model]\npoling = 'mean'\n",
    "a key of [batching]": RECIPE + "[batching]\nsize = 3\n",
    "a key of [training]": RECIPE + "[training]\nepohs = 3\n",
    "a key of [pretraining]": RECIPE + "[pretraining]\nepohs = 3\n",
    "no encoder": RECIPE.partition("\n")[2],
    "no tasks": 'encoder = "x"\n',
    "an empty table of tasks": 'encoder = "x"\n[tasks]\n',
    "no label": RECIPE.replace('label = "label"\n', ""),
    "a task's name": RECIPE.replace("tasks.a", 'tasks."a b"'),
    "text for a number": RECIPE + "loss_weight = '0.2'\n",
    "a boolean for a number": RECIPE + "loss_weight = true\n",
    "infinity": RECIPE + "loss_weight = inf\n",
    "a number for text": RECIPE.replace('"text"', "3"),
    "text for a boolean": RECIPE + "[model]\nfreeze_encoder = 'false'\n",
    "a fraction for an integer": RECIPE + "[training]\nepochs = 2.5\n",
    "a table for a value": RECIPE + "[training]\nepochs = { x = 3 }\n",
    "a value for a table": "training = 3\n" + RECIPE,
    "labels in lists": RECIPE + "labels = [[0], [1]]\n",
    "one label": RECIPE + "labels = [0]\n",
    "equal labels": RECIPE + "labels = [0, 0]\n",
    "a blank label": RECIPE + "labels = ['a', ' ']\n",
    "a range of three": VALUES + "range = [0, 1, 2]\n",
    "a share of 1": RECIPE.replace("0.1", "1.0"),
    "a negative weight": RECIPE + "loss_weight = -1\n",
    "only weights of 0": RECIPE + "loss_weight = 0.0\n",
    "a dropout of 1": RECIPE + "head = { dropout = 1.0 }\n",
    "an empty batch": RECIPE + "[batching]\nbatch_size = 0\n",
    "a warm-up above 1": RECIPE + "[training]\nwarmup = 1.5\n",
    "a rate of 0": RECIPE + "[training]\nlearning_rate = 0\n",
    "a beta of 1": RECIPE + "[training]\nbetas = [0.9, 1.0]\n",
    "one beta": RECIPE + "[training]\nbetas = [0.9]\n",
    "a negative seed": "seed = -1\n" + RECIPE,
    "a long list of columns": RECIPE.replace('"text"', '["a", "b", "c"]'),
    "no column": RECIPE.replace('"text"', "[]"),
    "the same column twice": RECIPE.replace('"text"', '["a", "a"]'),
    "a kind": RECIPE.replace("classification", "clasification"),
    "a device": "device = 'gpu'\n" + RECIPE,
    "a score": "score = 'corse'\n" + RECIPE,
    "a metric": RECIPE + "metric = 'acuracy'\n",
    "a metric that cannot be primary": VALUES + "metric = 'rmse'\n",
    "a metric of the other kind": RECIPE + "metric = 'pearson'\n",
    "a metric of classes": VALUES + "metric = 'mcc'\n",
    "a loss": RECIPE + "loss = 'crossentropy'\n",
    "a loss of the other kind": RECIPE + "loss = 'mse'\n",
    "a loss of classes": VALUES + "loss = 'cross_entropy'\n",
    "a loss for two labels": RECIPE + "labels = [0, 1, 2]\nloss = 'l1'\n",
    "a head": RECIPE + "head = 'liner'\n",
    "the kind of a head": RECIPE + "head = { kind = 'liner' }\n",
    "a head for pairs": RECIPE + "head = 'cross'\n",
    "a head for one text": PAIR + "head = 'linear'\n",
    "a head for two sequences": PAIR + "pair = 'cross'\nhead.kind = 'b2'\n",
    "a head for one sequence": PAIR + "pair = 'bi'\nhead = 'cross'\n",
    "an encoding of pairs": PAIR + "pair = 'both'\n",
    "an encoding of one text": RECIPE + "pair = 'cross'\n",
    "a range of classes": RECIPE + "range = [0, 1]\n",
    "labels of values": VALUES + "labels = [0, 1]\n",
    "class weights of values": VALUES + "class_weights = [1, 1]\n",
    "class weights without labels": RECIPE + "class_weights = [1, 1]\n",
    "a negative class weight": RECIPE + "labels = [0, 1]\nclass_weights = [1, -1]\n",
    "unknown class weights": RECIPE + "class_weights = 'equal'\n",
    "a strategy": RECIPE + "[batching]\nstrategy = 'evn'\n",
    "a schedule": RECIPE + "[training]\nschedule = 'linaer'\n",
    "a schedule of pretraining": RECIPE + "[pretraining]\nschedule = 'linaer'\n",
    "a weighting": RECIPE + "[training]\nweighting = 'fixd'\n",
    "a pooling": RECIPE + "[model]\npooling = 'men'\n",
    "a masking": RECIPE + "[pretraining]\nmasking = 'words'\n",
    "a remark, which only a study has": 'provenance = "x"\n' + RECIPE,
}

NOT_IN_THE_SCHEMA = {
    "an integer with a decimal point": RECIPE + "[training]\nepochs = 3.0\n",
    "a date for text": RECIPE.replace('"label"', "2026-01-01"),
    "a label column that is a text column": RECIPE.replace('"label"', '"text"'),
    "a dev file that is the training file": RECIPE.replace("0.1", '"a.csv"'),
    "labels that are equal as numbers": RECIPE + "labels = ['1', 1]\n",
    "a range with the higher number first": VALUES + "range = [5, 0]\n",
    "another number of class weights": RECIPE + "labels = [0, 1]\nclass_weights = [1]\n",
    "shares with a sum above 1": RECIPE + "[pretraining]\nreplace_share = 0.9\nrandom_share = 0.2\n",
}
"""Mistakes that JSON Schema of draft 7 cannot express. Only manyheads reports them."""

STUDY = 'base = "base.toml"\nseeds = [1, 2]\n'

STUDIES_ACCEPTED = {
    "an empty row": STUDY + "[rows.a]\n",
    "partial tables": STUDY
    + "[rows.a]\ntraining.epochs = 2\ntasks.a.head.dropout = 0\n[rows.b]\ntasks.a = { head = 'linear' }\n",
    "a remark": STUDY + "[rows.a]\nprovenance = 'x'\n[rows.b]\nprovenance = 3\n",
    "changes": STUDY + "[changes]\nbatching.batch_size = 4\nscore = 'course'\n[rows.a]\n[rows.b]\nseed = 3\n",
    "a row of any name": STUDY + '[rows."a b=0.1,c"]\n',
    "a factor as a string": STUDY + "[factors]\nA = 'training.epochs'\nB = 'tasks.a.head.dropout'\n[rows.a]\n",
    "factors": STUDY + "[factors]\nA = { key = 'model.pooling', levels = { yes = 'mean' } }\n"
    "B = { key = ['tasks.a.loss_weight', 'training.warmup'], levels = { x = [1, 0.1] } }\n"
    "C = 'pretraining'\n[rows.a]\n",
    "a grid": STUDY + "[grid]\n'batching.batch_size' = [8, 16]\n'tasks.a.head.dropout' = [0, 0.5]\n'tasks.a.head' = "
    "['linear', { dropout = 0.3 }]\n'training' = [{ epochs = 2 }, { epochs = 3 }]\n'encoder' = ['x', 'y']\n",
    "all keys": STUDY + "title = 'T'\ncaption = 'C'\nbaseline = 'a'\nmetric = 'a'\ntwins = []\nkeep_models = true\n"
    "[rows.a]\n",
}

STUDIES_REFUSED = {
    "a key at the top": STUDY.replace("seeds", "seed") + "[rows.a]\n",
    "no base": "seeds = [1]\n[rows.a]\n",
    "no rows": STUDY,
    "an empty table of rows": STUDY + "[rows]\n",
    "no seeds": STUDY.replace("1, 2", "") + "[rows.a]\n",
    "a seed twice": STUDY.replace("2", "1") + "[rows.a]\n",
    "a negative seed": STUDY.replace("2", "-2") + "[rows.a]\n",
    "a row's name with a slash": STUDY + "[rows.'a/b']\n",
    "a row's name with an at sign": STUDY + "[rows.'a@b']\n",
    "a row's name with a dot first": STUDY + "[rows.'.a']\n",
    "a row's name that is a file of the study": STUDY + "[rows.figures]\n",
    "a table in a row": STUDY + "[rows.a]\ntrainin.epochs = 3\n",
    "a key in a row": STUDY + "[rows.a]\ntraining.epohs = 3\n",
    "a key of a task in a row": STUDY + "[rows.a]\ntasks.a.los = 'l1'\n",
    "a key of a head in a row": STUDY + "[rows.a]\ntasks.a.head.droput = 0.1\n",
    "a value in a row": STUDY + "[rows.a]\ntraining.epochs = 0\n",
    "a loss in a row": STUDY + "[rows.a]\ntasks.a.loss = 'l3'\n",
    "labels of values in a row": STUDY + "[rows.a]\ntasks.a = { kind = 'regression', labels = [0, 1] }\n",
    "a head in a row": STUDY + "[rows.a]\ntasks.a = { pair = 'cross', head = 'b1', text = ['a', 'b'] }\n",
    "a key in the changes": STUDY + "[changes]\ntraining.epohs = 3\n[rows.a]\n",
    "a table in the changes": STUDY + "[changes]\ntrainin.epochs = 3\n[rows.a]\n",
    "a value in the changes": STUDY + "[changes]\nbatching.strategy = 'evn'\n[rows.a]\n",
    "a remark in the changes": STUDY + "[changes]\nprovenance = 'x'\n[rows.a]\n",
    "a key of the grid": STUDY + "[grid]\n'batching.size' = [1]\n",
    "a key of a task in the grid": STUDY + "[grid]\n'tasks.a.los' = ['l1']\n",
    "a key of the grid without quotes": STUDY + "[grid]\nbatching.batch_size = [1]\n",
    "one value in the grid": STUDY + "[grid]\n'batching.batch_size' = 8\n",
    "no value in the grid": STUDY + "[grid]\n'batching.batch_size' = []\n",
    "a wrong value in the grid": STUDY + "[grid]\n'batching.batch_size' = [8, 'x']\n",
    "the key of a factor": STUDY + "[factors]\nA = 'batching.stratgy'\n[rows.a]\n",
    "the key of a factor in a table": STUDY + "[factors]\nA = { key = ['batching.stratgy'] }\n[rows.a]\n",
    "a table as a factor": STUDY + "[factors]\nA = 'batching'\n[rows.a]\n",
    "a key in a factor": STUDY + "[factors]\nA = { key = 'seed', level = {} }\n[rows.a]\n",
    "a number as the base": STUDY.replace('"base.toml"', "3") + "[rows.a]\n",
}

STUDIES_NOT_IN_THE_SCHEMA = {
    "a baseline that is not a row": STUDY + "baseline = 'b'\n[rows.a]\n",
    "a twin that is not a row": STUDY + "twins = ['b']\n[rows.a]\n",
    "a metric that is not a task": STUDY + "metric = 'b'\n[rows.a]\n",
    "a task that the base does not have": STUDY + "[rows.a]\ntasks.b.loss_weight = 2\n",
    "a value that does not fit the base": STUDY + "[rows.a]\ntasks.a.metric = 'pearson'\n",
}
"""Mistakes that depend on the base or on names in the file. Only manyheads reports them."""


def _passes(noun: str, *files: Path) -> bool:
    """Whether taplo accepts all files. Its exit status counts; it may lose the last lines of its log."""
    schema = (FOLDER / f"manyheads.{noun}.schema.json").as_uri()
    command = [TAPLO, "check", "--no-auto-config", "--colors", "never", "--schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


def _loads(load: Callable[[Path], object], file: Path) -> bool:
    try:
        load(file)
    except RecipeError:
        return False
    return True


def _write(folder: Path, texts: Mapping[str, str]) -> dict[str, Path]:
    (folder / "base.toml").write_text(RECIPE)
    files = {name: folder / f"{number}.toml" for number, name in enumerate(texts)}
    for name, file in files.items():
        file.write_text(texts[name])
    return files


@pytest.mark.parametrize("noun", SCHEMAS)
def test_the_shipped_schema_is_the_one_that_the_options_generate(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (FOLDER / f"manyheads.{noun}.schema.json").read_text(encoding="utf-8") == schema_json(noun), (
        "the options have changed: run python -m manyheads.studies.json_schema"
    )
    with pytest.raises(SystemExit) as end:
        main(["schema", noun])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert printed == schema_json(noun)
    assert json.loads(printed)["title"] == f"manyheads {noun}"


def test_the_schema_is_printed_without_torch() -> None:
    program = (
        "import sys\n"
        "from manyheads.cli.main import main\n"
        "try: main(['schema', 'study'])\n"
        "except SystemExit: print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_every_recipe_and_study_of_the_project_passes() -> None:
    demo = Path(manyheads.__file__).parent / "demo" / "demo.toml"
    assert _passes("recipe", demo, *sorted((ROOT / "recipes").rglob("*.toml")))
    assert _passes("study", *sorted((ROOT / "studies").glob("*.toml")))


def test_recipes_that_load_pass(tmp_path: Path) -> None:
    files = _write(tmp_path, ACCEPTED)
    for file in files.values():
        load_recipe(file)
    assert [name for name, file in files.items() if not _passes("recipe", file)] == []


def test_recipes_that_do_not_load_fail(tmp_path: Path) -> None:
    files = _write(tmp_path, REFUSED)
    assert [name for name, file in files.items() if _loads(load_recipe, file)] == []
    assert [name for name, file in files.items() if _passes("recipe", file)] == []


def test_mistakes_in_a_recipe_that_a_schema_cannot_express(tmp_path: Path) -> None:
    files = _write(tmp_path, NOT_IN_THE_SCHEMA)
    assert [name for name, file in files.items() if _loads(load_recipe, file)] == []
    assert [name for name, file in files.items() if not _passes("recipe", file)] == []


def test_studies_that_load_pass(tmp_path: Path) -> None:
    files = _write(tmp_path, STUDIES_ACCEPTED)
    for file in files.values():
        load_study(file)
    assert [name for name, file in files.items() if not _passes("study", file)] == []


def test_studies_that_do_not_load_fail(tmp_path: Path) -> None:
    files = _write(tmp_path, STUDIES_REFUSED)
    assert [name for name, file in files.items() if _loads(load_study, file)] == []
    assert [name for name, file in files.items() if _passes("study", file)] == []


def test_mistakes_in_a_study_that_a_schema_cannot_express(tmp_path: Path) -> None:
    files = _write(tmp_path, STUDIES_NOT_IN_THE_SCHEMA)
    assert [name for name, file in files.items() if _loads(load_study, file)] == []
    assert [name for name, file in files.items() if not _passes("study", file)] == []
