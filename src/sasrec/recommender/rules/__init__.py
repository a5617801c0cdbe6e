"""Rules for recommendation lists: what they may contain, and in what order."""
