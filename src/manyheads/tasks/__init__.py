"""Tasks: what is asked of which texts."""
