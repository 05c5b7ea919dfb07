"""Counting across workers, and saying it as JSON and in Prometheus's words."""
