"""Prose in the project's files, and the phrases that it must not use."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = Path(__file__).parent / "words.toml"

NOT_PROSE = re.compile(
    r"^(src/manyheads/demo/corpus/|src/manyheads/demo/(generate|lexicon)\.py$|tests/prose/|LICENSE$"
    r"|results/.*\.(csv|json|html|tex|svg|png)$|benchmarks/measured/|tests/.*golden)"
)
"""Data, generated files, and the word list itself. Generated pages are checked through the code that writes them."""


@dataclass(frozen=True)
class Phrase:
    """A phrase to avoid: what it is, what to write instead, its expression, and expressions that are correct."""

    avoid: str
    write: str
    pattern: re.Pattern[str]
    allow: re.Pattern[str] | None
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A phrase found in a file."""

    file: str
    line: int
    found: str
    phrase: Phrase

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.found!r} ({self.phrase.avoid}): write {self.phrase.write}"


def phrases() -> tuple[Phrase, ...]:
    """The word list."""
    entries = tomllib.loads(WORDS.read_text(encoding="utf-8"))["phrase"]
    return tuple(
        Phrase(
            entry["avoid"],
            entry["write"],
            re.compile(entry["pattern"], re.IGNORECASE),
            re.compile("|".join(f"(?:{each})" for each in entry["allow"]), re.IGNORECASE) if "allow" in entry else None,
            tuple(entry["examples"]),
        )
        for entry in entries
    )


def find(text: str, phrase: Phrase) -> Iterator[tuple[int, str]]:
    """Offset and words of each use of a phrase. A line break counts as a space."""
    flat = re.sub(r"\s", " ", text)
    allowed = [] if phrase.allow is None else [match.span() for match in phrase.allow.finditer(flat)]
    for match in phrase.pattern.finditer(flat):
        if not any(start < match.end() and match.start() < end for start, end in allowed):
            yield match.start(), match.group()


def check_file(name: str, text: str, known: tuple[Phrase, ...]) -> Iterator[Finding]:
    """All findings in one file."""
    for line, prose in prose_of(name, text):
        for phrase in known:
            for offset, found in find(prose, phrase):
                yield Finding(name, line + prose[:offset].count("\n"), found.strip(), phrase)


def prose_of(name: str, text: str) -> Iterator[tuple[int, str]]:
    """The parts of a file that a person reads, each with the line on which it begins."""
    if name.endswith(".py"):
        yield from _python(text)
    elif name.endswith(".md"):
        yield 1, _markdown(text)
    elif name.endswith((".jinja", ".html")):
        yield 1, _blank(r"<(style|script).*?</\1>|<[^>]*>|\{%.*?%\}|\{\{.*?\}\}", text)
        yield from _script_messages(text)
    elif name.endswith((".toml", ".txt", ".cff", ".yml", ".yaml")) or Path(name).name in (
        "Makefile",
        "Dockerfile",
        "run",
    ):
        yield from _comments(text)
        if name.endswith(".toml"):
            for match in re.finditer(r'^(?:title|caption|description|provenance)\s*=\s*"(.*)"', text, re.MULTILINE):
                yield text[: match.start(1)].count("\n") + 1, match.group(1)


def _script_messages(text: str) -> Iterator[tuple[int, str]]:
    """Strings of several words in the scripts of a page."""
    for script in re.finditer(r"<script.*?</script>", text, re.DOTALL):
        for match in re.finditer(r'"([^"\n]*)"|\'([^\'\n]*)\'|`([^`]*)`', script.group()):
            words = next(group for group in match.groups() if group is not None)
            if words.count(" ") >= 2:
                yield text[: script.start() + match.start()].count("\n") + 1, words


def _blank(pattern: str, text: str) -> str:
    """Matches replaced by spaces; lines stay where they are."""
    return re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.DOTALL)


def _markdown(text: str) -> str:
    """Markdown without inline code, link targets, fenced blocks and the word list. Comments in fenced blocks stay."""

    def fence(match: re.Match[str]) -> str:
        kept = [line[line.index("# ") :] if "# " in line else "" for line in match.group().split("\n")]
        return "\n".join(kept)

    text = re.sub(r"^( *)(`{3,}).*?^\1\2", fence, text, flags=re.DOTALL | re.MULTILINE)
    return _blank(r"<!-- words -->.*?<!-- end of words -->|``.*?``|`[^`]*`|(?<=\])\([^)]*\)|<!--.*?-->", text)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """Runs of `#` comments on their own lines, and comments behind values."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            block.append(_code_spans(stripped.lstrip("#")))
            continue
        if block:
            yield number - len(block), "\n".join(block)
            block = []
        if "  # " in line:
            yield number, _code_spans(line.split("  # ", 1)[1])


def _code_spans(text: str) -> str:
    return _blank(r"<!-- words -->.*?<!-- end of words -->|``.*?``|`[^`]*`", text)


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Comments, docstrings, and string constants of several words."""
    yield from _python_comments(text)
    inside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if id(node) in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            inside.update(map(id, node.values))
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            message = "".join(str(part) for part in parts)
            if " " in message:
                yield node.lineno, _code_spans(message)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, _code_spans(node.value)


def _python_comments(text: str) -> Iterator[tuple[int, str]]:
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if block and line != last + 1:
            yield first, "\n".join(block)
            block = []
        if not block:
            first = line
        block.append(_code_spans(token.string.lstrip("#")))
        last = line
    if block:
        yield first, "\n".join(block)


def project_files() -> list[str]:
    """The files of the project with prose in them."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    return [name for name in listed if name and not NOT_PROSE.match(name) and (ROOT / name).is_file()]


def check_project(under: tuple[str, ...] = ()) -> list[Finding]:
    """All findings in the project, or in the files whose names begin with one of `under`."""
    known, found = phrases(), []
    for name in project_files():
        if not under or name.startswith(under):
            try:
                text = (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            found.extend(check_file(name, text, known))
    return found


if __name__ == "__main__":
    import sys

    everything = check_project(tuple(sys.argv[1:]))
    for each in everything:
        sys.stdout.write(f"{each}\n")
    sys.stdout.write(f"{len(everything)} findings\n")
