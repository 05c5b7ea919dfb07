"""The task a target column asks for."""

import pyarrow as pa
import pytest

from modelwright.data.guess import guess_task
from modelwright.schema.metrics import Task


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["yes", "no"] * 50, Task.CLASSIFICATION),
        ([True, False] * 50, Task.CLASSIFICATION),
        ([0, 1] * 50, Task.CLASSIFICATION),
        ([0.0, 1.0, None] * 50, Task.CLASSIFICATION),
        ([1, 2, 3, 4, 5] * 20, Task.CLASSIFICATION),
        (list(range(100)), Task.REGRESSION),
        ([i % 40 for i in range(4000)], Task.REGRESSION),
        ([0.5, 1.0] * 50, Task.REGRESSION),
        ([1, 2, 3, 4], Task.REGRESSION),
    ],
)
def test_the_target_tells_the_task(values, task):
    """Words, truth values and few whole numbers are classes; other numbers are quantities."""
    assert guess_task(pa.chunked_array([pa.array(values)])) is task
