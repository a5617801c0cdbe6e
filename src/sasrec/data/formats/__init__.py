"""Files as they are read: one file a format, with its hardening beside it."""
