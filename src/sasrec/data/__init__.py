"""From data files to batches: interactions, vocabularies, sequences, splits, windows, batches."""
