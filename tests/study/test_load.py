"""Study files: rows, grids, twins, rows with the same recipe, and errors with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import RecipeError
from manyheads.studies.load import load_study


@pytest.fixture
def write(tiny_recipe: Path, tmp_path: Path):
    def _write(body: str, head: str = "seeds = [1, 2]") -> Path:
        file = tmp_path / "study.toml"
        file.write_text(f'base = "{tiny_recipe}"\n{head}\n{body}')
        return file

    return _write


def test_a_row_is_the_base_with_its_changes(write) -> None:
    plan = load_study(write("twins = []\n[rows.plain]\n[rows.slow]\ntraining.learning_rate = 1e-5\n"))
    plain, slow = plan.rows
    assert (plain.recipe.training.learning_rate, slow.recipe.training.learning_rate) == (1e-3, 1e-5)
    assert slow.recipe.training.model_copy(update={"learning_rate": 1e-3}) == plain.recipe.training
    assert plan.seeds == (1, 2)
    assert plan.baseline == "plain"


def test_a_changed_kind_replaces_its_table(write) -> None:
    body = 'twins = []\n[rows.b1]\ntasks.similarity = { head = { kind = "b1" }, loss = "l1" }\n'
    head = load_study(write(body)).rows[0].recipe.tasks["similarity"].head
    assert head.kind == "b1"


def test_a_task_of_another_kind_keeps_its_files_and_loses_the_keys_of_its_old_kind(write) -> None:
    task = load_study(write("twins = []\n[rows.plain]\n")).rows[0].recipe.tasks["similarity"]
    assert task.kind == "regression"
    row = 'tasks.similarity = { kind = "classification", metric = "accuracy" }'
    changed = load_study(write(f"twins = []\n[rows.classes]\n{row}\n")).rows[0].recipe.tasks["similarity"]
    assert (changed.train, changed.dev, changed.text) == (task.train, task.dev, task.text)
    assert (changed.kind, changed.metric) == ("classification", "accuracy")


def test_changes_apply_to_every_row_and_a_row_overrides_them(write) -> None:
    plan = load_study(
        write("twins = []\n[changes]\ntraining.epochs = 7\n[rows.a]\n[rows.b]\ntraining.epochs = 2\n[rows.c]\n")
    )
    assert [row.recipe.training.epochs for row in plan.rows] == [7, 2, 7]


def test_an_override_applies_to_every_row(write) -> None:
    plan = load_study(write("twins = []\n[rows.a]\n[rows.b]\ntraining.epochs = 2\n"), ["training.epochs=5"])
    assert [row.recipe.training.epochs for row in plan.rows] == [5, 5]


def test_a_grid_is_crossed_and_named_by_its_values(write) -> None:
    body = (
        'baseline = "training.epochs=1,batching.batch_size=8"\ntwins = []\n[grid]\n"training.epochs" = [1, 2]\n'
        '"batching.batch_size" = [8, 16]\n'
    )
    plan = load_study(write(body))
    assert [row.name for row in plan.rows] == [
        f"training.epochs={epochs},batching.batch_size={size}" for epochs in (1, 2) for size in (8, 16)
    ]
    assert plan.rows[3].recipe.batching.batch_size == 16
    assert set(plan.factors) == {"batching.batch_size", "training.epochs"}


def test_rows_that_resolve_to_the_same_recipe_run_once(write) -> None:
    body = 'twins = []\n[rows.a]\n[rows.b]\ntasks.paraphrase.pair = "cross"\n[rows.c]\ntraining.epochs = 2\n'
    plan = load_study(write(body))
    assert [row.same_as for row in plan.rows] == [None, "a", None]


def test_the_baseline_has_single_task_twins_by_default(write) -> None:
    plan = load_study(write("[rows.a]\n[rows.b]\ntraining.epochs = 2\n"))
    assert [row.name for row in plan.rows] == ["a", "b", "a@sentiment", "a@paraphrase", "a@similarity"]
    twin = plan.rows[-1]
    assert twin.twin_of == ("a", "similarity")
    assert list(twin.recipe.tasks) == ["similarity"]


def test_twins_of_rows_that_differ_in_a_loss_weight_share_their_runs(write) -> None:
    body = "[rows.a]\n[rows.a2]\ntasks.paraphrase.loss_weight = 0.5\n[rows.b]\ntraining.epochs = 2\n"
    plan = load_study(write('twins = ["a", "a2"]\n' + body))
    same = {row.name: row.same_as for row in plan.rows}
    # The loss weight of a single task has no effect, so both rows share the runs of this twin.
    assert same["a2@paraphrase"] == "a@paraphrase"


def test_a_run_has_one_thread_by_default(write, tiny_recipe: Path, tmp_path: Path) -> None:
    without_threads = tmp_path / "without_threads.toml"
    without_threads.write_text(tiny_recipe.read_text().replace("threads = 1\n", ""))
    file = tmp_path / "study.toml"
    file.write_text(f'base = "{without_threads}"\nseeds = [1]\n[rows.a]\n')
    assert load_study(file).rows[0].recipe.threads == 1


def test_factors_name_levels(write) -> None:
    body = """
[factors]
EB = { key = "batching.strategy", levels = { yes = "even", no = "sequential" } }
LR = { key = "tasks.paraphrase.loss_weight", levels = { no = 1.0 } }
AP = { key = "pretraining.epochs", levels = { no = "none" } }
TD = { key = ["tasks.sentiment.head.dropout", "tasks.similarity.head.dropout"], levels = { none = [0.0, 0.0] } }
[rows.a]
[rows.b]
batching.strategy = "sequential"
tasks.paraphrase.loss_weight = 0.2
tasks.sentiment.head.dropout = 0.0
tasks.similarity.head.dropout = 0.0
"""
    plan = load_study(write(body, 'seeds = [1]\ntwins = ["a"]'))
    by_name = {row.name: dict(row.levels) for row in plan.rows}
    assert by_name["a"]["EB"] == "yes"
    assert by_name["b"] == {"EB": "no", "LR": "0.2", "AP": "no", "TD": "none"}
    assert by_name["a@sentiment"]["LR"] == ""
    assert plan.factors == ("EB", "LR", "AP", "TD")


def test_without_factors_the_keys_that_differ_are_the_columns(write) -> None:
    body = "twins = []\n[rows.a]\n[rows.b]\ntraining.epochs = 2\n[rows.c]\ntasks.paraphrase.loss_weight = 0.5\n"
    plan = load_study(write(body))
    assert set(plan.factors) == {"training.epochs", "tasks.paraphrase.loss_weight"}
    assert [row.levels["training.epochs"] for row in plan.rows] == ["1", "2", "1"]


def test_a_remark_is_not_part_of_the_recipe(write) -> None:
    plan = load_study(write('twins = []\n[rows.a]\n[rows.b]\nprovenance = "four machines"\n'))
    assert plan.rows[1].provenance == "four machines"
    assert plan.rows[1].same_as == "a"


@pytest.mark.parametrize(
    ("body", "head", "where", "what"),
    [
        ("[rows.a]\ntrainin.epochs = 3\n", "seeds = [1]", "study.toml:4", "did you mean 'training'?"),
        ("[rows.a]\ntraining.epochs = 0\n", "seeds = [1]", "study.toml:4", "training.epochs"),
        ("[rows.a]\n", 'seeds = [1]\nbaseline = "A"', "study.toml:3", "did you mean 'a'?"),
        ("[rows.a]\n", 'seeds = [1]\ntwins = ["b"]', "study.toml:3", "no such row"),
        ("[rows.a]\n", 'seeds = [1]\nmetric = "sentimentt"', "study.toml:3", "did you mean 'sentiment'?"),
        ("[rows.a]\n", 'seeds = [1]\nmetric = "course_score"', "study.toml:3", 'score = "course"'),
        ("[rows.a]\n", "seeds = [1, 1]", "study.toml:2", "twice"),
        ("[rows.a]\n", "seeds = []", "study.toml:2", "at least 1"),
        ("[rows.a]\n", "seed = [1]", "study.toml:2", "did you mean 'seeds'?"),
        ('[rows."a/b"]\n', "seeds = [1]", "study.toml:3", "slash"),
        ('[rows."a@b"]\n', "seeds = [1]", "study.toml:3", "@"),
        ("[rows.figures]\n", "seeds = [1]", "study.toml:3", "not figures, study.json, table.csv"),
        (f"[rows.{'a' * 201}]\n", "seeds = [1]", "study.toml:3", "too long"),
        (f"[rows.'{'é' * 101}']\n", "seeds = [1]", "study.toml:3", "202 bytes"),
        (
            f"[grid]\n'tasks.sentiment.label' = ['{'a' * 200}', 'b']\n",
            "seeds = [1]",
            "study.toml:3",
            "names of their own",
        ),
        ("", "seeds = [1]", "study.toml", "no rows"),
        ('[grid]\n"training.epochs" = []\n', "seeds = [1]", "study.toml:4", "at least 1"),
    ],
)
def test_errors_name_their_place(write, body: str, head: str, where: str, what: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_study(write(body, head))
    message = str(caught.value)
    assert where in message
    assert what in message


def test_an_error_in_the_base_names_the_line_of_the_base(tmp_path: Path, tiny_recipe: Path) -> None:
    base = tmp_path / "base.toml"
    base.write_text(tiny_recipe.read_text().replace("epochs = 1", "epochs = 0"))
    file = tmp_path / "study.toml"
    file.write_text('base = "base.toml"\nseeds = [1]\n[rows.a]\n')
    with pytest.raises(RecipeError, match=r"base\.toml:\d+, key training\.epochs, row a of"):
        load_study(file)


def test_a_missing_study_or_base_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the study file does not exist"):
        load_study(tmp_path / "none.toml")
    file = tmp_path / "study.toml"
    file.write_text('base = "none.toml"\nseeds = [1]\n[rows.a]\n')
    with pytest.raises(RecipeError, match="the recipe file does not exist"):
        load_study(file)


def test_a_misspelt_factor_key_is_an_error(write) -> None:
    file = write('[factors]\nEB = "batching.stratgy"\n[rows.a]\n')
    with pytest.raises(RecipeError, match=r"no recipe of the study has the key of factor EB(.|\n)*batching\.strategy"):
        load_study(file)


def test_the_metric_course_score_needs_the_score_in_every_row(write) -> None:
    head = 'seeds = [1]\nmetric = "course_score"'
    rows = "twins = []\n[rows.a]\n[rows.b]\ntraining.epochs = 2\n"
    assert load_study(write(f'{rows}[changes]\nscore = "course"\n', head)).metric == "course_score"
    for body, without in ((rows, "not set in a, b"), (rows.replace("[rows.a]", '[rows.a]\nscore = "course"'), "in b")):
        with pytest.raises(RecipeError) as caught:
            load_study(write(body, head))
        message = str(caught.value)
        assert 'course_score needs score = "course"' in message
        assert "study.toml:3, key metric" in message
        assert without in message


def test_a_plan_keeps_its_overrides(write) -> None:
    assert load_study(write("[rows.a]\n"), ["training.epochs=5"]).overrides == ("training.epochs=5",)


def test_rows_with_different_metrics_are_an_error_before_any_run(write) -> None:
    rows = '[rows.classes]\n[rows.ordered]\ntasks.sentiment.kind = "ordinal"\n'
    with pytest.raises(RecipeError, match="different metrics for task sentiment") as error:
        load_study(write(rows))
    assert error.value.found == "accuracy in row classes, quadratic_kappa in row ordered"
    assert "tasks.sentiment.metric in the base recipe" in str(error.value)
    plan = load_study(write(f'[changes]\ntasks.sentiment.metric = "accuracy"\n{rows}'))
    assert [row.recipe.tasks["sentiment"].kind for row in plan.rows[:2]] == ["classification", "ordinal"]
