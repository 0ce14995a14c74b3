"""Pages about finished runs: the report of one, and the comparison of several; made from run folders alone."""
