"""Studies: train every row with every seed, and summarise the runs in a table with intervals and tests."""
