"""What is said of a check, and in which form."""
