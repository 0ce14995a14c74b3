"""Published forms of words with tags, spans and several labels: init finds them, and the recipe reads every row."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import DataError
from manyheads.recipe.load import recipe_from
from manyheads.recipe.prepare import read_tasks
from manyheads.wizard.suggest import suggest

WORDS = ("we", "saw", "Oslo", "and", "New", "York", "today")
SENTENCES = [[WORDS[(place + number) % 7] for place in range(3 + number % 5)] for number in range(20)]
CITIES = {"Oslo": ("Oslo",), "New": ("New", "York")}


def found(words: list[str]) -> list[tuple[int, int]]:
    """The first word of each span and the one after it."""
    starts = [place for place, word in enumerate(words) if tuple(words[place : place + 2]) == ("New", "York")]
    return [*((place, place + 2) for place in starts), *((p, p + 1) for p, word in enumerate(words) if word == "Oslo")]


def tags(words: list[str], scheme: str = "bio") -> list[str]:
    own = ["O"] * len(words)
    for start, end in found(words):
        long = end - start > 1
        first = {"bio": "B", "iob1": "I", "bilou": "B" if long else "U"}[scheme]
        own[start] = f"{first}-city"
        if long:
            own[end - 1] = "L-city" if scheme == "bilou" else "I-city"
    return own


def spans(words: list[str]) -> list[list[Any]]:
    starts = [len(" ".join(words[:place])) + (place > 0) for place in range(len(words))]
    return [[starts[one], starts[two - 1] + len(words[two - 1]), "city"] for one, two in sorted(found(words))]


def conll(scheme: str = "bio") -> str:
    lines = ["-DOCSTART- -X- -X- O", ""]
    for words in SENTENCES:
        lines += [f"{word} NN B-NP {tag}" for word, tag in zip(words, tags(words, scheme), strict=True)] + [""]
    return "\n".join(lines) + "\n"


def sentences(columns: Callable[[str, str], list[str]], separator: str = " ") -> str:
    return "".join(
        "".join(separator.join(columns(*pair)) + "\n" for pair in zip(words, tags(words), strict=True)) + "\n"
        for words in SENTENCES
    )


def universal() -> str:
    lines = []
    for words in SENTENCES:
        lines += ["# a comment", f"1-2\t{words[0]}{words[1]}{8 * chr(9)}"]
        for place, word in enumerate(words, start=1):
            tag = "PROPN" if word[0].isupper() else "X"
            lines.append("\t".join([str(place), word, word, tag, "_", "_", str(place - 1), "dep", "_", "_"]))
        lines.append("")
    return "\n".join(lines) + "\n"


def lines(row: Callable[[list[str]], dict[str, Any]]) -> str:
    return "".join(json.dumps(row(words)) + "\n" for words in SENTENCES)


def table(column: str, cell: Callable[[list[str]], str]) -> str:
    return f"text\t{column}\n" + "".join(f"{' '.join(words)}\t{cell(words)}\n" for words in SENTENCES)


NAMES = ("york", "oslo", "saw")


def topics(words: list[str]) -> list[str]:
    return [word.lower() for word in ("Oslo", "York", "saw") if word in words] or ["none"]


def offsets(words: list[str]) -> list[dict[str, Any]]:
    return [{"id": 1, "label": name, "start_offset": start, "end_offset": end} for start, end, name in spans(words)]


def objects(words: list[str]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": name} for start, end, name in spans(words)]


FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "four.conll": (conll(), {"kind": "words", "text": "1", "label": "4", "scheme": "bio"}),
    "four.txt": (conll(), {"kind": "words", "text": "1", "label": "4", "scheme": "bio", "format": "conll"}),
    "tag-first.conll": (
        sentences(lambda word, tag: [tag, word]),
        {"kind": "words", "text": "2", "label": "1", "scheme": "bio"},
    ),
    "tag-second.txt": (
        sentences(lambda word, tag: [word, tag, "X" if word[0].isupper() else "Y"]),
        {"kind": "words", "text": "1", "label": "2", "scheme": "bio", "format": "conll"},
    ),
    "pos.tsv": (
        sentences(lambda word, _: [word, "X" if word[0].isupper() else "Y"], "\t"),
        {"kind": "words", "text": "1", "label": "2", "labels": ["X", "Y"], "format": "conll"},
    ),
    "iob1.conll": (conll("iob1"), {"kind": "words", "label": "4", "scheme": "bio"}),
    "bilou.conll": (conll("bilou"), {"kind": "words", "label": "4", "scheme": "bioes"}),
    "tree.conllu": (universal(), {"kind": "words", "text": "2", "label": "4", "scheme": "tags"}),
    "doccano.jsonl": (
        lines(lambda words: {"id": " ".join(words), "text": " ".join(words), "label": spans(words)}),
        {"kind": "words", "text": "text", "label": "label"},
    ),
    "entities.jsonl": (
        lines(lambda words: {"text": " ".join(words), "entities": offsets(words), "relations": []}),
        {"kind": "words", "text": "text", "label": "entities"},
    ),
    "prodigy.jsonl": (
        lines(
            lambda words: {
                "text": " ".join(words),
                "tokens": [{"text": word, "start": 0, "end": 1} for word in words],
                "spans": objects(words),
            }
        ),
        {"kind": "words", "text": "text", "label": "spans"},
    ),
    "json-spans.tsv": (
        "text\tspans\n" + "".join(f"{' '.join(words)}\t{json.dumps(objects(words))}\n" for words in SENTENCES),
        {"kind": "words", "text": "text", "label": "spans"},
    ),
    "numbers.jsonl": (
        lines(lambda words: {"tokens": words, "ner_tags": [int(tag != "O") for tag in tags(words)]}),
        {"kind": "words", "text": "tokens", "label": "ner_tags", "labels": [0, 1]},
    ),
    "pipes.tsv": (
        table("genres", lambda words: "|".join(topics(words))),
        {"kind": "multilabel", "label": "genres", "separator": "|", "labels": ["oslo", "saw", "york"]},
    ),
    "commas.tsv": (
        table("topics", lambda words: ", ".join(topics(words))),
        {"kind": "multilabel", "label": "topics", "separator": ","},
    ),
    "json.tsv": (
        table("labels", lambda words: json.dumps(topics(words))),
        {"kind": "multilabel", "labels": ["oslo", "saw", "york"]},
    ),
    "pandas.tsv": (
        table("labels", lambda words: str(topics(words))),
        {"kind": "multilabel", "labels": ["oslo", "saw", "york"]},
    ),
    "cats.jsonl": (
        lines(lambda words: {"text": " ".join(words), "cats": {name: name in topics(words) for name in NAMES}}),
        {"kind": "multilabel", "text": "text", "label": "cats", "labels": ["oslo", "saw", "york"]},
    ),
    "cats.tsv": (
        table("cats", lambda words: str({name: float(name in topics(words)) for name in NAMES})),
        {"kind": "multilabel", "text": "text", "label": "cats", "labels": ["oslo", "saw", "york"]},
    ),
    "tag-lines.csv": (
        "tags,sentence\n" + "".join(f"{' '.join(tags(words))},{' '.join(words)}\n" for words in SENTENCES),
        {"kind": "words", "text": "sentence", "label": "tags", "scheme": "bio", "split": "blanks"},
    ),
    "kaggle.csv": (
        "Sentence #,Word,POS,Tag\n"
        + "".join(
            f"{'' if place else f'Sentence: {number}'},{word},NN,{tag}\n"
            for number, words in enumerate(SENTENCES)
            for place, (word, tag) in enumerate(zip(words, tags(words), strict=True))
        ),
        {"kind": "words", "text": "Word", "label": "Tag", "group_by": "Sentence #", "scheme": "bio"},
    ),
    "frame.csv": (
        "sentence_id,words,labels\n"
        + "".join(
            f"{number},{word},{'NAME' if word[0].isupper() else 'X'}\n"
            for number, words in enumerate(SENTENCES)
            for word in words
        ),
        {"kind": "words", "text": "words", "label": "labels", "group_by": "sentence_id", "labels": ["NAME", "X"]},
    ),
    "fasttext.txt": (
        "".join(f"__label__{len(words) % 3} {' '.join(words)}\n" for words in SENTENCES),
        {"kind": "classification", "text": "text", "label": "label", "format": "fasttext", "labels": [0, 1, 2]},
    ),
    "topics.txt": (
        "".join(
            " ".join(f"__label__{topic}" for topic in topics(words)) + f" {' '.join(words)}\n" for words in SENTENCES
        ),
        {"kind": "multilabel", "text": "text", "label": "label", "format": "fasttext"},
    ),
    "flags.csv": (
        "id,comment_text,toxic,obscene,insult\n"
        + "".join(f"{n:08x},{' '.join(words)},{n % 2},{n % 3 % 2},{n // 4 % 2}\n" for n, words in enumerate(SENTENCES)),
        {"kind": "multilabel", "text": "comment_text", "label": ["toxic", "obscene", "insult"], "id": "id"},
    ),
    "dummies.csv": (
        "text,funny,sad,short\n"
        + "".join(
            f"{' '.join(words)},{n % 2:.1f},{n % 3 % 2:.1f},{n // 4 % 2:.1f}\n" for n, words in enumerate(SENTENCES)
        ),
        {"kind": "multilabel", "text": "text", "label": ["funny", "sad", "short"]},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_published_form_is_found_and_every_row_is_read(name: str, tmp_path: Path) -> None:
    content, expected = FORMS[name]
    (tmp_path / name).write_text(content)
    recipe = tomllib.loads(suggest([tmp_path / name], tmp_path))
    (task,) = recipe["tasks"].values()
    assert {key: task.get(key) for key in expected} == expected
    (data,) = read_tasks(recipe_from(recipe, tmp_path, ".".join), lambda *_, **__: None)
    assert len(data.train) + len(data.dev) == len(SENTENCES)
    assert not data.rejected


def test_a_header_above_sentences_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    for head, row in (("token\tner_tag", lambda *pair: [*pair]), ("word\tPOS", lambda word, _: [word, word[0]])):
        (tmp_path / "head.tsv").write_text(f"{head}\n{sentences(row, chr(9))}")
        with pytest.raises(DataError, match="a word per line and a header") as found:
            suggest([tmp_path / "head.tsv"], tmp_path)
        assert "remove the first line" in str(found.value)


def test_a_table_with_empty_lines_between_its_rows_is_no_file_of_sentences(tmp_path: Path) -> None:
    rows = [f"{word}\t{n % 2}\n{'' if n % 2 else chr(10)}" for n, word in enumerate(WORDS * 3)]
    (tmp_path / "table.tsv").write_text("word\tlabel\n" + "".join(rows))
    (task,) = tomllib.loads(suggest([tmp_path / "table.tsv"], tmp_path))["tasks"].values()
    assert (task["kind"], task["text"]) == ("classification", "word")


def test_a_dash_among_words_is_no_label(tmp_path: Path) -> None:
    rows = [
        f"{' '.join(words)}\t{['-', 'neutral', 'entailment', 'contradiction'][n % 4]}"
        for n, words in enumerate(SENTENCES)
    ]
    (tmp_path / "nli.tsv").write_text("sentence\tgold_label\n" + "\n".join(rows) + "\n")
    text = suggest([tmp_path / "nli.tsv"], tmp_path)
    assert tomllib.loads(text)["tasks"]["nli"]["labels"] == ["contradiction", "entailment", "neutral"]
    assert "# 5 rows cannot be used" in text


def test_lists_of_flags_are_refused_with_what_to_do(tmp_path: Path) -> None:
    rows = lines(lambda words: {"text": " ".join(words), "labels": [int(name in topics(words)) for name in NAMES]})
    (tmp_path / "vectors.jsonl").write_text(rows)
    with pytest.raises(DataError, match="do not name their labels") as caught:
        suggest([tmp_path / "vectors.jsonl"], tmp_path)
    assert "labels = " in (caught.value.hint or "")


def test_lines_of_tags_next_to_an_intent_become_two_tasks(tmp_path: Path) -> None:
    rows = "".join(f"{' '.join(words)}\task {n % 2}\t{' '.join(tags(words))}\n" for n, words in enumerate(SENTENCES))
    (tmp_path / "two.tsv").write_text("utterance\tintent\tslots\n" + rows)
    tasks = tomllib.loads(suggest([tmp_path / "two.tsv"], tmp_path))["tasks"]
    assert {name: (task["kind"], task["text"]) for name, task in tasks.items()} == {
        "two-intent": ("classification", "utterance"),
        "two-slots": ("words", "utterance"),
    }


def test_a_file_with_tags_intents_and_topics_becomes_three_tasks(tmp_path: Path) -> None:
    rows = [
        {"tokens": words, "slots": tags(words), "intent": ["ask", "tell"][n % 2], "topics": topics(words)}
        for n, words in enumerate(SENTENCES)
    ]
    for n, key in enumerate(("slots", "intent", "topics")):
        rows[n][key] = None
    (tmp_path / "joint.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = tomllib.loads(suggest([tmp_path / "joint.jsonl"], tmp_path))["tasks"]
    assert {name: (task["kind"], task["text"]) for name, task in tasks.items()} == {
        "joint-slots": ("words", "tokens"),
        "joint-intent": ("classification", "tokens"),
        "joint-topics": ("multilabel", "tokens"),
    }


def test_columns_of_0_and_1_next_to_a_label_are_a_task_of_their_own(tmp_path: Path) -> None:
    rows = [f"{' '.join(words)},{n % 2},{n % 3 % 2},{n // 4 % 2},{n % 4}" for n, words in enumerate(SENTENCES)]
    (tmp_path / "a.csv").write_text("\n".join(["text,funny,sad,short,stars", *rows]) + "\n")
    tasks = tomllib.loads(suggest([tmp_path / "a.csv"], tmp_path))["tasks"]
    assert {name: task["label"] for name, task in tasks.items()} == {
        "a-stars": "stars",
        "a-labels": ["funny", "sad", "short"],
    }


def test_columns_of_0_and_1_next_to_one_called_label_are_no_labels(tmp_path: Path) -> None:
    rows = [f"{' '.join(words)},{n % 2},{n % 3 % 2},{n // 4 % 2}" for n, words in enumerate(SENTENCES)]
    (tmp_path / "a.csv").write_text("\n".join(["text,has_url,edited,label", *rows]) + "\n")
    (task,) = tomllib.loads(suggest([tmp_path / "a.csv"], tmp_path))["tasks"].values()
    assert (task["kind"], task["label"]) == ("classification", "label")
