"""Neural layers: bounds by multipliers for slope-restricted functions."""
