"""A finished study has exactly the files and fields that the reference documents."""

from __future__ import annotations

import json
from pathlib import Path

from manyheads.study.contents import STUDY_FILES, TABLE
from tests.run.test_contents import check, keys

CONDITIONAL = {name for name in TABLE if name.startswith("failures[]")}
