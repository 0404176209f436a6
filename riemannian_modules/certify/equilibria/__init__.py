"""From a rate to trajectories: invariant balls and the equilibria in them."""
