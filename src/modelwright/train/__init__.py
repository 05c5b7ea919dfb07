"""Candidates, search, evaluation, tracking and the gate."""
