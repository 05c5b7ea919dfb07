"""Live quality, drift and alarms."""
