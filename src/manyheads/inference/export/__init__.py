"""Exports of a bundle to other runtimes."""
