"""Check the test files of a study before its runs, because `select = "test"` needs their labels."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.reading import Row, files_name
from manyheads.errors import RecipeError
from manyheads.recipe.check_options import label_columns
from manyheads.recipe.tasks import open_task_source
from manyheads.studies.plan import StudyPlan
from manyheads.tasks.cells import is_missing, label_cell


def require_test_labels(plan: StudyPlan) -> None:
    """Check that every row of every test file has a label if the study selects "test".

    Raises:
        RecipeError: A row has no label.
        DataError: A test file cannot be read.
    """
    if plan.select != "test":
        return
    seen = set()
    for row in plan.rows:
        for task, options in row.recipe.tasks.items():
            file = (row.recipe.data_dir, repr(options.test), label_columns(options))
            if options.test is None or file in seen:
                continue
            seen.add(file)
            source = open_task_source(options, options.test, Path(row.recipe.data_dir), labelled=False)
            for each in source.rows():
                if isinstance(each, Row) and is_missing(label_cell(each.values, label_columns(options))):
                    raise RecipeError(
                        f'select = "test" needs labelled test files, and one of {task} has rows without a label',
                        where=f"{plan.file}, key select",
                        found=f"no {', '.join(label_columns(options))} in {files_name(options.test)}, line {each.line}",
                        hint='add the labels, or set select = "crossfit"',
                    )
