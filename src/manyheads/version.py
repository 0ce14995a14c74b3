"""The version of manyheads."""

__version__ = "0.4.0"
