"""Exports of a bundle to other runtimes and libraries."""
