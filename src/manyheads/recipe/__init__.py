"""The recipe: everything that decides one run, and the assembly of a run from it."""
