"""Sums of squares: polynomial metrics on regions without ends, found and proved exactly."""
