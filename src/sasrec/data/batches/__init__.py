"""From histories to batches: windows, groups of similar length, padding and negatives."""
