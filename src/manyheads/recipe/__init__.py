"""The recipe: everything that decides one run, and the one place that assembles a run from it."""
