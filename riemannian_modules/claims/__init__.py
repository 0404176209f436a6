"""What is said: a system, a region, a norm, a bound, and the words for it."""
