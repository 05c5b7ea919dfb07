"""Modelwright: from a data file to a prediction service that watches itself."""

__version__ = "0.1.0"
