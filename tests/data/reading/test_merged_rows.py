"""Two rows that a stray quote merges, and legal records that look similar."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.reading import BadRow, Row
from manyheads.data.reading.delimited import Delimited

SOUND = [f"{'AB'[number % 2]}\tsome text {number}" for number in range(20)]


def write(folder: Path, *records: str) -> Path:
    path = folder / "file.tsv"
    path.write_text("\n".join(["label\ttext", *SOUND, *records, *SOUND]) + "\n")
    return path


def bad(source: Delimited) -> list[int]:
    return [row.line for row in source.rows() if isinstance(row, BadRow)]


def texts(source: Delimited) -> list[object]:
    return [row.values["text"] for row in source.rows() if isinstance(row, Row)]


def test_two_rows_are_never_one(tmp_path: Path) -> None:
    source = Delimited(write(tmp_path, 'A\t"open here', 'B\tand closed"'), label="label")
    assert bad(source) == [22, 23]
    assert len(texts(source)) == 40
    rows = [row for row in source.rows() if isinstance(row, BadRow)]
    assert all("lines 22 to 23" in row.reason and 'quoting = "none"' in str(row.hint) for row in rows)
    assert list(source.rows()) == list(source.rows())


def test_rows_between_the_two_are_kept(tmp_path: Path) -> None:
    source = Delimited(write(tmp_path, 'A\t"open here', "B\tbetween them", 'A\tand closed"'), label="label")
    assert bad(source) == [22, 24]
    assert "between them" in texts(source)


def test_without_a_label_that_is_read_the_row_is_one_with_a_warning(tmp_path: Path) -> None:
    source = Delimited(write(tmp_path, 'A\t"open here', 'B\tand closed"'))
    assert bad(source) == []
    (row,) = [row for row in source.rows() if isinstance(row, Row) and row.warning is not None]
    assert (row.line, row.values["text"]) == (22, "open here\nB\tand closed")
    assert "lines 22 to 23" in str(row.warning)


def test_a_label_that_no_other_row_has_is_text(tmp_path: Path) -> None:
    source = Delimited(write(tmp_path, 'A\t"first line', 'C\tsecond line"', 'A\t"one', 'two"'), label="label")
    assert bad(source) == []
    assert "first line\nC\tsecond line" in texts(source)
    assert "one\ntwo" in texts(source)


def test_a_long_record_with_commas_is_one_row(tmp_path: Path) -> None:
    lines = [f"line {number}, with a comma, and another" for number in range(130)]
    path = tmp_path / "file.csv"
    inside = "\n".join(lines)
    path.write_text(f'text,label,id\nshort,A,1\n"{inside}",B,2\n"x, y",A,3\n')
    source = Delimited(path, label="label")
    assert list(source.rows()) == [
        Row(2, {"text": "short", "label": "A", "id": "1"}),
        Row(3, {"text": inside, "label": "B", "id": "2"}),
        Row(133, {"text": "x, y", "label": "A", "id": "3"}),
    ]


def test_a_record_with_a_wrong_number_of_fields_is_lost_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text('id,text\n1,a\n2,"Dear all, this\nis, so\nand 3,good"",it",extra\n4,b\n')
    source = Delimited(path)
    assert bad(source) == [3]
    assert texts(source) == ["a", "b"]
