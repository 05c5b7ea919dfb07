"""The words every room shares: columns, rows, metrics, predictions, references to bundles.

Plain immutable values and the enums they are made of; nothing here reads, writes or computes.
"""
