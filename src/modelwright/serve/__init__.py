"""The server: protocols, prediction log, metrics, swap."""
