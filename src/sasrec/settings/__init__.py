"""Settings: what a user may set, where values come from, and what a name stands for."""
