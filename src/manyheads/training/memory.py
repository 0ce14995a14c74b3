"""The allocator's settings for training on a CPU."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of glibc's mallopt(3)."""

LARGEST_HEAP_BLOCK = 32 << 20
"""Bytes: the most that glibc lets M_MMAP_THRESHOLD be on 64-bit machines."""


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep what a step frees for the next step, for the rest of the process; whether it could.

    By default glibc gives every gradient of some megabytes back to the system, and the next step pays thousands of page
    faults for it again: 5% of a step at batches of 8 (LOG.md). Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = ((TRIM_THRESHOLD, 2**31 - 1), (MMAP_THRESHOLD, LARGEST_HEAP_BLOCK))
    return all(library.mallopt(name, value) == 1 for name, value in settings)
