"""Which projects take up rows that clients send."""

from __future__ import annotations

import pytest

from modelwright.project.model import ProjectFile
from modelwright.project.sending import why_not_taken_up


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"data": {"source": "a.csv", "target": "y"}}, ""),
        ({"task": "clustering", "data": {"source": "a.csv"}}, ""),
        (
            {
                "data": {"source": "a.csv"},
                "models": {"one": {"target": "y"}, "two": {"data": {"source": "b.csv", "target": "z"}}},
            },
            "data of their own",
        ),
    ],
)
def test_a_row_needs_a_table_to_belong_to(more, said):
    """One table takes rows up, with a target or without; models with data of their own do not."""
    told = why_not_taken_up(ProjectFile.model_validate({"name": "p", **more}))
    assert said in told if said else told == ""
