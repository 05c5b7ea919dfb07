"""What a look may spend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.retrain.spending import ALPHA, allowance


@given(st.integers(1, 5000))
def test_all_looks_together_never_spend_more_than_there_is(looks):
    """The sum over any number of looks stays below the total."""
    assert sum(allowance(look) for look in range(1, looks + 1)) < ALPHA


def test_looks_spend_less_and_less_and_count_from_one():
    """Each later look is stricter; there is no look before the first."""
    assert allowance(1) > allowance(2) > allowance(100) > 0
    with pytest.raises(ValueError, match="count from 1"):
        allowance(0)
