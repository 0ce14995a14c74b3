"""Limits of numbers that users give, beyond which a library would end the process."""

MOST_THREADS = 1024
"""More than the cores of a machine. With many thousand threads, the OpenMP library of torch ends the process."""
