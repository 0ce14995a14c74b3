"""Pages about finished runs: the report of one run, and the comparison of several runs."""
