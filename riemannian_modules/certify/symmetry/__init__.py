"""Conservation laws and symmetries, and contraction across them."""
