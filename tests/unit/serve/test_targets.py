"""Truths and samples against the models they are about."""

from __future__ import annotations

import pytest

from modelwright.serve.errors import BadBody
from modelwright.serve.targets import checked_target
from unit.serve.protocols.cases import classifier, clustering, regressor


def test_nobody_tells_the_truth_of_a_clustering():
    """It is refused with the way that rows to learn from go; beside it another model's truth is taken."""
    segment, spend = clustering("segment"), regressor("spend")
    with pytest.raises(BadBody) as refused:
        checked_target([segment], 3, ("target",))
    (problem,) = refused.value.problems
    assert problem["type"] == "target_unexpected" and "/add_training_data" in problem["msg"]
    with pytest.raises(BadBody):
        checked_target([segment, spend], {"segment": 3}, ("target",))
    assert checked_target([segment, spend], {"spend": 3}, ("target",)) == {"spend": 3}


def test_an_unknown_label_is_told_what_there_is():
    """Labels with what people call them, where that is something else."""
    named, plain = classifier(labels=(0, 1), names=("no", "yes")), classifier(labels=("big", "small"))
    for entry, said in ((named, "0 (no), 1 (yes)."), (plain, "'big', 'small'.")):
        with pytest.raises(BadBody) as refused:
            checked_target([entry], "rose", ("target",))
        assert refused.value.problems[0]["msg"] == f"Must be one of the labels {said}"
    assert checked_target([named], "yes", ("target",)) == 1
