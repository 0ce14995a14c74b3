from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import RecipeError
from manyheads.recipe.load import load_recipe

SMALLEST = """\
encoder = "minilm-offline"

[tasks.a]
kind = "classification"
train = "a.csv"
dev = 0.1
text = "text"
label = "label"
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(SMALLEST)
    return file


def _error(file: Path, *changes: str) -> RecipeError:
    with pytest.raises(RecipeError) as error:
        load_recipe(file, changes)
    return error.value


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("seed = " + "9" * 5000, "a value cannot be read"),
        ("seed = " + "[" * 20_000 + "]" * 20_000, "nested more than 32 levels deep"),
        ("seed = " + "[" * 40 + "]" * 40, "nested more than 32 levels deep"),
        (".".join("a" * 3000) + " = 1", "nested more than 32 levels deep"),
        ("x = " + "{a=" * 3000 + "1" + "}" * 3000, "nested more than 32 levels deep"),
    ],
)
def test_deep_values_and_numbers_of_many_digits_are_refused(recipe_file: Path, line: str, found: str) -> None:
    recipe_file.write_text(f"{line}\n{SMALLEST}")
    error = _error(recipe_file)
    assert error.what == "the recipe is not valid TOML"
    assert found in str(error.found)
    recipe_file.write_text(SMALLEST)
    assert _error(recipe_file, line.replace(" = ", "=", 1)).where


def test_a_large_number_in_another_base_is_an_error_that_can_be_printed(recipe_file: Path) -> None:
    recipe_file.write_text(f"seed = 0x{'f' * 9000}\n{SMALLEST}")
    assert "too large to show" in str(_error(recipe_file)) or "seed" in str(_error(recipe_file))


def test_everything_else_has_a_default(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file)
    assert recipe.seed == 1
    assert recipe.batching.strategy.kind == "even"
    assert recipe.training.schedule == "linear"
    assert recipe.tasks["a"].text == ["text"]
    assert recipe.tasks["a"].on_bad_rows == "error"
    assert recipe.model.freeze_encoder is False


def test_data_dir_is_relative_to_the_recipe_and_an_override_to_the_current_folder(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_recipe(recipe_file).data_dir == str(tmp_path)
    recipe_file.write_text('data_dir = "data"\n' + SMALLEST)
    assert load_recipe(recipe_file).data_dir == str(tmp_path / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert load_recipe(recipe_file, ["data_dir=other"]).data_dir == str(tmp_path / "here" / "other")


def test_an_encoder_folder_next_to_the_recipe_becomes_absolute(recipe_file: Path, tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").touch()
    recipe_file.write_text(SMALLEST.replace("minilm-offline", "encoder"))
    assert load_recipe(recipe_file).encoder == str(tmp_path / "encoder")
    assert (
        load_recipe(recipe_file, ["encoder=google-bert/bert-base-uncased"]).encoder == "google-bert/bert-base-uncased"
    )


def test_an_override_equals_the_same_value_in_the_file(recipe_file: Path) -> None:
    changes = ["training.epochs=7", "tasks.a.head.dropout=0.3", "batching.strategy=sequential", "seed=2"]
    by_override = load_recipe(recipe_file, changes)
    recipe_file.write_text(
        "seed = 2\n" + SMALLEST + "head.dropout = 0.3\n[training]\nepochs = 7\n[batching]\nstrategy = 'sequential'\n"
    )
    assert by_override == load_recipe(recipe_file)


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("lable = 'x'", "mine.toml:9, key tasks.a.lable", "did you mean 'label'?"),
        ("dev = 0.2", "mine.toml:9, column 10", "not valid TOML"),
        ("head = { kind = 'linear', droput = 0.1 }", "mine.toml:9, key tasks.a.head.droput", "did you mean 'dropout'?"),
        ("loss_weight = '0.2'", "mine.toml:9, key tasks.a.loss_weight", "number"),
        ("loss_weight = true", "mine.toml:9, key tasks.a.loss_weight", "number"),
        ("loss_weight = inf", "mine.toml:9, key tasks.a.loss_weight", "finite"),
        ("on_bad_rows = 'skipp'", "mine.toml:9, key tasks.a.on_bad_rows", "did you mean 'skip'?"),
        ("labels = [[0], [1]]", "mine.toml:9, key tasks.a.labels", "string or integer or number or boolean"),
        ("range = [0, 1, 2]", "mine.toml:9, key tasks.a.range", "remove range, or change kind"),
        (
            "loss = { kind = 'cross_entropy', label_smothing = 1 }",
            "mine.toml:9, key tasks.a.loss",
            "'label_smoothing'?",
        ),
        ("loss = { kind = 'cross_entropy', label_smoothing = 1.5 }", "key tasks.a.loss.label_smoothing", "less than 1"),
        ("loss = { gamma = 1 }", "mine.toml:9, key tasks.a.loss.kind", "is missing"),
        ("loss = 3", "mine.toml:9, key tasks.a.loss", "a name or a table"),
        ("threshold = 0.3", "mine.toml:9, key tasks.a.threshold", "a classification task has no threshold"),
        ("columns = ['s', 's']", "mine.toml:9, key tasks.a.columns", "a column is named twice"),
        ("[training]\nepohs = 3", "mine.toml:10, key training.epohs", "did you mean 'epochs'?"),
        ("[training]\nepochs = 3.0", "mine.toml:10, key training.epochs", "integer"),
        ("[training]\nwarmup = 1.5", "mine.toml:10, key training.warmup", "less than or equal to 1"),
        ("[training]\nbetas = [0.9, 1.0]", "mine.toml:10, key training.betas", "less than 1"),
        ("[model]\nfreeze_encoder = 'false'", "mine.toml:10, key model.freeze_encoder", "boolean"),
        ("[batchng]\nbatch_size = 3", "mine.toml:9, key batchng", "did you mean 'batching'?"),
        ("[batching]\nbatch_size = 0", "mine.toml:10, key batching.batch_size", "greater than or equal to 1"),
        ("[tasks.b]\nkind = 'regression'", "mine.toml:9, key tasks.b.train", "missing"),
    ],
)
def test_an_error_names_file_line_key_and_what_is_allowed(
    recipe_file: Path, line: str, place: str, message: str
) -> None:
    recipe_file.write_text(SMALLEST + line + "\n")
    error = str(_error(recipe_file))
    assert place in error
    assert message in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epohs=3", "did you mean 'epochs'?"),
        ("traning.epochs=3", "did you mean 'training'?"),
        ("training.epochs=three", "integer"),
        ("training=3", "a table"),
        ("training.epochs.x=3", "integer"),
        ("tasks.b.loss_weight=2", "'kind' is missing"),
        ("tasks.a.head.kind=b1", "one text"),
        ("batching.strategy=evn", "did you mean 'even'?"),
        ("seed=-1", "greater than or equal to 0"),
        ("pretrainin.epochs=3", "did you mean 'pretraining'?"),
    ],
)
def test_an_error_in_an_override_names_the_override(recipe_file: Path, change: str, message: str) -> None:
    error = str(_error(recipe_file, change))
    assert f"--set {change}" in error
    assert "mine.toml" not in error
    assert message in error


def test_an_error_in_the_file_does_not_name_an_override(recipe_file: Path) -> None:
    recipe_file.write_text(SMALLEST + "pair = 'cross'\n")
    assert _error(recipe_file, "tasks.a.dev=0.2").where == f"{recipe_file}:9, key tasks.a.pair"


def test_at_most_ten_faults_are_listed(recipe_file: Path) -> None:
    recipe_file.write_text(SMALLEST + "".join(f"wrong{number} = 1\n" for number in range(13)))
    message = str(_error(recipe_file))
    assert message.startswith("the recipe has 13 faults")
    assert message.count("unknown key") == 10
    assert message.endswith("... and 3 more")


def test_files_that_cannot_be_read_are_errors_with_a_hint(recipe_file: Path, tmp_path: Path) -> None:
    assert _error(tmp_path / "mien.toml").hint == "did you mean 'mine.toml'?"
    assert "manyheads.init(" in str(_error(tmp_path / "nowhere" / "x.toml"))
    assert "the recipe is a folder" in str(_error(tmp_path))
    recipe_file.write_bytes(b"encoder = '\xff'")
    assert "UTF-8" in str(_error(recipe_file))
