"""Values of a column: users and items, times, and what a filter compares."""
