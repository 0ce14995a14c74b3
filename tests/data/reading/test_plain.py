"""Plain lines: one text per line, or two texts separated by a tab."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.reading import BadRow, Row
from manyheads.data.reading.plain import PlainLines


def write(folder: Path, content: bytes, columns: tuple[str, ...]) -> PlainLines:
    path = folder / "file.txt"
    path.write_bytes(content)
    return PlainLines(path, columns)


def test_single_texts_keep_their_tabs_and_quotes(tmp_path: Path) -> None:
    source = write(tmp_path, b'one\ttwo\r\n\n"three, four', ("text",))
    first, blank, last = source.rows()
    assert [first, last] == [Row(1, {"text": "one\ttwo"}), Row(3, {"text": '"three, four'})]
    assert isinstance(blank, BadRow)
    assert (blank.line, blank.reason) == (2, "an empty line")


def test_pairs_need_one_tab(tmp_path: Path) -> None:
    source = write(tmp_path, b"a\tb\nc\nd\te\tf\n\xff\tg\n", ("left", "right"))
    first, *rest = source.rows()
    assert first == Row(1, {"left": "a", "right": "b"})
    bad = [row for row in rest if isinstance(row, BadRow)]
    assert [row.line for row in bad] == [2, 3, 4]
    assert [row.reason.split(" where ")[0] for row in bad[:2]] == ["1 text", "3 texts"]
    assert bad[2].reason.startswith("not UTF-8")
