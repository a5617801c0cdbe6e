"""File formats: one module per format, with its checks against damaged or hostile files."""
