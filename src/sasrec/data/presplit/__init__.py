"""Data sets whose files are split into training, validation and test parts already."""
