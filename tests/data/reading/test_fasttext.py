"""Files of fastText: labels are words with a prefix, anywhere in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.data.reading import BadRow, Row, TextFormat, open_source
from manyheads.errors import DataError


def rows(folder: Path, content: str, **written: object) -> list[Row | BadRow]:
    (folder / "f.txt").write_text(content)
    return list(open_source("f.txt", folder, TextFormat(format="fasttext", **written)).rows())  # type: ignore[arg-type]


def test_a_label_is_taken_from_any_place_and_the_text_is_the_rest(tmp_path: Path) -> None:
    found = rows(tmp_path, "__label__good a fine  film\na dull one __label__bad\nno __label__\n")
    assert [row.values for row in found if isinstance(row, Row)] == [
        {"text": "a fine  film", "label": "good"},
        {"text": "a dull one", "label": "bad"},
        {"text": "no __label__", "label": None},
    ]


def test_with_several_labels_in_a_line_all_cells_are_lists_and_a_blank_line_is_bad(tmp_path: Path) -> None:
    found = rows(tmp_path, "__label__a x\n\n__label__b __label__a y\n", columns=("words", "topics"))
    assert [row.values for row in found if isinstance(row, Row)] == [
        {"words": "x", "topics": ["a"]},
        {"words": "y", "topics": ["b", "a"]},
    ]
    assert [(row.line, row.reason) for row in found if isinstance(row, BadRow)] == [(2, "an empty line")]


def test_a_header_and_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no header"):
        rows(tmp_path, "__label__a x\n", header=True)
    with pytest.raises(DataError, match="two columns"):
        rows(tmp_path, "__label__a x\n", columns=("text", "label", "id"))
