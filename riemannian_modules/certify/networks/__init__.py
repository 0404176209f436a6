"""Networks: bounds of composites from their parts, by rules that are each written once."""
