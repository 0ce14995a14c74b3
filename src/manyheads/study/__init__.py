"""Studies: rows and seeds to runs, and runs to a table with intervals and tests."""
