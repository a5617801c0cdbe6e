"""Models: each turns a batch of histories into one state a position, and states into scores."""
