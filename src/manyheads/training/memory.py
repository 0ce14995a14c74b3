"""Settings of the memory allocator for training on a CPU."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of glibc's mallopt(3)."""

LARGEST_HEAP_BLOCK = 32 << 20
"""Bytes. The highest M_MMAP_THRESHOLD that glibc allows on 64-bit machines."""


@cache
def keep_freed_memory() -> bool:
    """Make the C library keep freed memory for the next step, for the rest of the process. Return whether it worked.

    By default glibc returns every gradient of some megabytes to the system, and the next step needs thousands of page
    faults to get it back. That is 5% of a step at batches of 8 (LOG.md). Other C libraries are not changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = ((TRIM_THRESHOLD, 2**31 - 1), (MMAP_THRESHOLD, LARGEST_HEAP_BLOCK))
    return all(library.mallopt(name, value) == 1 for name, value in settings)
