"""Formats of a table: JSON, CSV, Markdown, LaTeX, one HTML page, and sections for the terminal."""
