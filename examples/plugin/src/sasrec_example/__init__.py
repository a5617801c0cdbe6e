"""A model, a loss, a metric, a file format and a command for sasrec."""
