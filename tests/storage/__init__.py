"""Storage: what belongs to one implementation alone."""
