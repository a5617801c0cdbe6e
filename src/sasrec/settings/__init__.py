"""Settings: the keys a user may set, where their values come from, and the parts names refer to."""
