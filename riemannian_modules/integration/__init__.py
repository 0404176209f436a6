"""Initial value problems: solved, on stretches where nothing jumps."""
