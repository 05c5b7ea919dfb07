"""A version as an ordinary Python package."""
