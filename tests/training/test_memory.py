"""The allocator's settings."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, platform, resource, sys
import torch
from manyheads.recipe.build import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = [torch.ones(600, 1000) for _ in range(8)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
kept = keep_freed_memory()
faults()
print(json.dumps([platform.libc_ver()[0], kept, faults()]))
"""


def test_freed_memory_is_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    library, kept, faults = json.loads(done.stdout)
    assert kept == (library == "glibc")
    if kept:
        assert faults < 500, "160 tensors of 586 pages each were allocated and freed"
