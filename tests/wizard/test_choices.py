"""Files with candidates: init finds them in every form, and suggests a recipe that reads all rows."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import DataError
from manyheads.recipe.load import recipe_from
from manyheads.wizard.suggest import suggest

ENDINGS = ["a dog runs", "the cat sleeps", "rain falls", "a door opens"]


def csv(header: list[str], rows: list[list[object]], mark: str = ",") -> str:
    return "\n".join(mark.join(map(str, row)) for row in [header, *rows]) + "\n"


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "named.jsonl": (
        lines(
            [
                {
                    "question": f"Which of these is thing {n}?",
                    "choices": {"text": ENDINGS, "label": list("ABCD") if n % 3 else list("1234")},
                    "answerKey": ("ABCD" if n % 3 else "1234")[n % 4],
                }
                for n in range(12)
            ]
        ),
        {
            "text": "question",
            "candidates": "choices.text",
            "candidate_names": "choices.label",
            "label": "answerKey",
            "label_as": "name",
        },
    ),
    "selected.jsonl": (
        lines(
            [
                {
                    "query": f"what is thing {n}",
                    "query_type": "D",
                    "passages": {"is_selected": [int(k in (n % 4, 1)) for k in range(4)], "passage_text": ENDINGS},
                }
                for n in range(12)
            ]
        ),
        {
            "text": "query",
            "candidates": "passages.passage_text",
            "label": "passages.is_selected",
            "label_as": "relevance",
        },
    ),
    "columns.csv": (
        csv(
            ["id", "sent1", "sent2", *(f"ending{place}" for place in range(4)), "label"],
            [[n, f"He looks at thing {n}.", "Then", *ENDINGS, n % 4] for n in range(12)],
        ),
        {
            "text": ["sent1", "sent2"],
            "candidates": [f"ending{place}" for place in range(4)],
            "label": "label",
            "label_as": "index",
            "label_from": 0,
            "id": "id",
        },
    ),
    "endings.jsonl": (
        lines(
            [
                {"ind": n, "ctx": f"A person {n} looks up", "endings": ENDINGS[: 2 + n % 3], "label": n % 2}
                for n in range(12)
            ]
        ),
        {"text": "ctx", "candidates": "endings", "label": "label", "label_as": "index", "label_from": 0},
    ),
    "science.jsonl": (
        lines(
            [
                {
                    "question": f"Which of the things moves, number {n}?",
                    "choices": {"text": ENDINGS, "label": ["A", "B", "C", "D"]},
                    "answerKey": "ABCD"[n % 4],
                }
                for n in range(12)
            ]
        ),
        {"text": "question", "candidates": "choices.text", "label": "answerKey", "label_as": "letter"},
    ),
    "options.csv": (
        csv(
            ["question", "options", "answer"],
            [
                [f"what happens at {n} of the clock", '"[""it rains"", ""it snows""]"', ["it rains", "it snows"][n % 2]]
                for n in range(12)
            ],
        ),
        {"text": "question", "candidates": "options", "label": "answer", "label_as": "text"},
    ),
    "letters.csv": (
        csv(
            ["question", "A", "B", "C", "D", "answer"],
            [[f"Which of these is thing {n}?", *ENDINGS, "ABCD"[n % 4]] for n in range(12)],
        ),
        {"text": "question", "candidates": ["A", "B", "C", "D"], "label": "answer", "label_as": "letter"},
    ),
    "object.jsonl": (
        lines(
            [
                {
                    "question": f"Which of these is thing {n}?",
                    "options": dict(zip("ABCD", ENDINGS, strict=True)),
                    "answer_idx": "ABCD"[n % 4],
                }
                for n in range(12)
            ]
        ),
        {
            "text": "question",
            "candidates": ["options.A", "options.B", "options.C", "options.D"],
            "label": "answer_idx",
            "label_as": "letter",
        },
    ),
    "graded.csv": (
        csv(
            ["qid", "docid", "query", "doc", "relevance"],
            [[f"Q{n // 4}", f"D{n}", f"find thing {n // 4}", f"page {n} of a book", n % 4] for n in range(24)],
        ),
        {"text": "query", "candidates": "doc", "group_by": "qid", "label": "relevance", "label_as": "relevance"},
    ),
    "lines.tsv": (
        csv(
            ["QuestionID", "Question", "DocumentTitle", "Sentence", "Label"],
            [
                [f"Q{n // 4}", f"what is thing {n // 4}", f"Title {n // 4}", f"sentence {n} of a page", int(n % 4 == 1)]
                for n in range(24)
            ],
            "\t",
        ),
        {
            "text": "Question",
            "candidates": "Sentence",
            "group_by": "QuestionID",
            "label": "Label",
            "label_as": "relevance",
        },
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_init_finds_candidates_and_labels(name: str, tmp_path: Path) -> None:
    content, expected = FORMS[name]
    (tmp_path / name).write_text(content)
    text = suggest([tmp_path / name], tmp_path, encoder="minilm-offline")
    table = tomllib.loads(text)
    (task,) = table["tasks"].values()
    assert task["kind"] == "choice"
    assert {key: value for key, value in task.items() if key in expected} == expected
    assert "cannot be used" not in text
    recipe_from(table, tmp_path, ".".join)


@pytest.mark.parametrize(
    "content",
    [
        csv(
            ["qid", "question", "sentence", "label"],
            [[n, f"what is {n}", f"it is {n} or so", n % 2] for n in range(12)],
        ),
        csv(
            ["text", "A", "B", "label"],
            [[f"the dog {n} runs", n, n + 1, n % 2] for n in range(12)],
        ),
        csv(
            ["sentence1", "sentence2", "label"], [[f"a dog runs {n}", f"the cat {n} sleeps", n % 2] for n in range(12)]
        ),
    ],
)
def test_pairs_and_numbers_are_no_choices(content: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(content)
    assert 'kind = "classification"' in suggest([tmp_path / "rows.csv"], tmp_path, encoder="minilm-offline")


def test_several_questions_in_a_row_are_refused_with_what_to_do(tmp_path: Path) -> None:
    rows = [
        {"article": "a text", "questions": ["q", "r"], "answers": ["A", "B"], "options": [["a", "b"], ["c", "d"]]}
        for _ in range(4)
    ]
    (tmp_path / "race.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="a row has several questions") as caught:
        suggest([tmp_path / "race.jsonl"], tmp_path)
    assert caught.value.hint == "write a row for each question, with its candidates and its label"
    assert str(caught.value.where).endswith("race.jsonl")
