"""What is done with finished runs: measure them on files, export their models, and check what they held out."""
