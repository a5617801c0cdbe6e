"""Loss functions, which map states, targets and the item table to one number."""
