from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import DataError
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.wizard.file_groups import FileGroup
from manyheads.wizard.survey import guess_kind, survey


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["0", "1.0", "1"], Classification([0, 1])),
        (["5", "1", "3"], Classification([1, 3, 5])),
        (["no", "yes", "no"], Classification(["no", "yes"])),
        ([True, False], Classification([False, True])),
        (["0.4", "4.6", "2"], Regression(0, 5)),
        ([-0.2, 0.9], Regression(-1, 1)),
        ([str(number) for number in range(77)] * 5, Classification(range(77))),
        ([str(number) for number in range(77)] * 4, Regression(0, 76)),
        ([str(number) for number in range(0, 770, 10)] * 5, Regression(0, 760)),
        (["?", *["0", "1"] * 60], Classification([0, 1])),
        (["?", *["0.5", "1"] * 60], Regression(0, 1)),
        (["?", "0", "1"], Classification([0, 1, "?"])),
    ],
)
def test_the_kind_follows_from_the_cells(cells: list[object], kind: Kind) -> None:
    assert guess_kind("f", cells) == kind


def test_too_many_or_too_few_labels_are_an_error() -> None:
    with pytest.raises(DataError, match="too many"):
        guess_kind("f", [f"text {number}" for number in range(2000)])
    with pytest.raises(DataError, match="fewer than two"):
        guess_kind("f", ["1", "1"])


@pytest.fixture
def group(tmp_path: Path) -> FileGroup:
    train, dev, test = (tmp_path / f"a-{part}.tsv" for part in ("train", "dev", "test"))
    train.write_text("id\ttext\tlabel\n1\tgood film\tpos\n2\tbad film\tneg\n3\t\tneg\n4\tfine film\tpos\n")
    dev.write_text("id\ttext\tlabel\n1\tdull film\tneg\n2\tso so film\tneutral\n3\tbroken\n")
    test.write_text("id\ttext\n1\tlong film\n")
    return FileGroup("a", train, dev, test)


def test_labels_of_all_files_are_found_and_bad_rows_are_listed(group: FileGroup) -> None:
    found = survey(group)
    assert found.kind == Classification(["neg", "neutral", "pos"])
    assert found.counts == {"train": 3, "dev": 2, "test": 1}
    assert [(Path(row.source).name, row.line) for row in found.bad] == [("a-train.tsv", 4), ("a-dev.tsv", 4)]
    assert found.shares == "neg: 50%, neutral: 0%, pos: 50%"


def test_many_labels_are_summarised_by_the_rarest(tmp_path: Path) -> None:
    rows = [f"some text {row}\tlabel {row % 12}" for row in range(59)]
    (tmp_path / "a.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    assert survey(FileGroup("a", tmp_path / "a.tsv")).shares == "12 labels; the rarest, 'label 11', is in 4 of 59 rows"
