"""The keeper: how long it rests between two deliveries."""

from __future__ import annotations

from modelwright.serve.keeping.keeper import rest_after

BUDGET = 0.2  # seconds an answer may be behind in the store


def test_rows_that_trickle_in_are_stored_together() -> None:
    """A row a turn is no reason to write to the disk at once, and the wait leaves room in the budget."""
    assert rest_after(0, 0.0) == rest_after(1, 0.0) == rest_after(500, 0.0)
    assert 0.0 < rest_after(1, 0.0) <= BUDGET / 4


def test_a_turn_that_took_long_is_followed_by_a_short_rest() -> None:
    """Turns begin at a steady pace; one that took longer is followed at once."""
    assert 0.0 < rest_after(1, 0.03) < rest_after(1, 0.01)
    assert rest_after(1, 1.0) == 0.0


def test_a_keeper_that_is_behind_does_not_rest() -> None:
    """Whoever delivered much expects more."""
    assert rest_after(5_000, 0.0) == 0.0
