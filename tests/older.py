"""Run folders as earlier versions wrote them."""

from __future__ import annotations

import json
from pathlib import Path


def without_checksums(run: Path) -> Path:
    """Remove the checksums of a finished run, which version 0.4.0 did not write. Its files may then be edited."""
    file = run / "results.json"
    content = json.loads(file.read_text())
    del content["checksums"], content["checksum"]
    file.write_text(json.dumps(content))
    return run
