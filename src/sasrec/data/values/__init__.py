"""Values of columns: tokens of users and items, times, and the comparisons of filters."""
