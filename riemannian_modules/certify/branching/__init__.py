"""Branch and bound: boxes of a region are cut, worst first, until a bound is proved."""
