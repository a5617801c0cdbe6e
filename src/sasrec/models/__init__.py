"""Models, which map a batch of histories to one state per position, and states to scores."""
