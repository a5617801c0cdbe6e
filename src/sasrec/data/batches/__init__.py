"""From histories to batches: windows, groups of equal length, and padding."""
