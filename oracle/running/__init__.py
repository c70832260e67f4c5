"""Where calls are run, and what they did."""
