"""From files to batches: interactions, vocabulary, sequences, split, windows."""
