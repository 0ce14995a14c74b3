"""Training: steps, the loop, the optimiser, loss weighting and checkpoints."""
