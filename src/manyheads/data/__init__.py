"""Data: reading files, splitting, tokenising, and making batches."""
