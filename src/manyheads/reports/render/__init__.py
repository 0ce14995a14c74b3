"""Formats of a report: HTML, Markdown and JSON."""
