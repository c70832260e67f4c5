"""The search for failing cases, and the way from the first to the smallest."""
