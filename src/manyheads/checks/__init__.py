"""What is found out about a recipe before training: the audit of its files, and a rehearsal of its steps."""
