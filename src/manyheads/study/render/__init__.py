"""A table's forms: JSON, CSV, Markdown, LaTeX, one HTML page, and the terminal. They only show what a Table holds."""
