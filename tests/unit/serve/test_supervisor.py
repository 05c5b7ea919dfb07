"""The supervisor: how soon a child that died is started again."""

from __future__ import annotations

from modelwright.serve.supervisor import wait_after


def test_a_child_that_keeps_dying_is_started_less_and_less_often() -> None:
    """At once, then after a tenth of a second, twice as long each time, and never more than ten seconds."""
    waits = [wait_after(deaths) for deaths in range(1, 12)]
    assert waits[:4] == [0.0, 0.1, 0.2, 0.4]
    assert waits == sorted(waits)
    assert waits[-1] == wait_after(10_000) == 10.0
