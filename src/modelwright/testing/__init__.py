"""Public doubles and factories, for this product's tests and for those of its users."""
