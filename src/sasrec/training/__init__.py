"""Training: the loop, optimisers, checkpoints and progress reports."""
