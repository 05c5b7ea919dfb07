"""One module a verb, loaded lazily; one place that prints errors."""
