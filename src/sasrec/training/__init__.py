"""Training: the loop, the optimiser, and those who watch."""
