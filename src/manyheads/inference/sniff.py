"""Find the format of an input without a name from its beginning."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path

from manyheads.data.reading.lines import read_lines

MAGIC = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
"""First bytes of compressed files."""

ARRAY = re.compile(r"\[\s*(\{|\]|$)")
"""How an array of JSON objects begins."""

TRIED = 20
"""Lines of which one must be a JSON object."""


def ending_of(path: Path, encoding: str | None = None) -> str:
    """Return the ending that names the format of a file: "", ".parquet", ".jsonl" or ".json", and its compression.

    A text that begins with a bracket is not JSON if it is not followed by an object.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return ".parquet"
    packed = next((ending for magic, ending in MAGIC.items() if start.startswith(magic)), "")
    named = path.with_name(f"{path.name}{packed}")
    if packed:
        path.rename(named)
    try:
        lines = [line.text.strip() for line in islice(read_lines(named, encoding), TRIED)]
    finally:
        if packed:
            named.rename(path)
    first = next((line for line in lines if line), "")
    if ARRAY.match(first):
        return f".json{packed}"
    return f".jsonl{packed}" if first.startswith("{") and any(map(_is_object, lines)) else packed


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
