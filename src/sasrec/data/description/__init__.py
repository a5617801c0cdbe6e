"""Description of a data set: sizes, what cleaning would remove, a page and pictures."""
