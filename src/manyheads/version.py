"""The version of manyheads."""

__version__ = "0.5.0"
