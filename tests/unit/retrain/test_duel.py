"""Who wins a duel."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.retrain.duel import LEAST_ROWS, PROOF_ROWS, Proof, Sides, judge
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers
from unit.retrain.answers import answering, sides

MARGIN = 0.005


def test_a_clearly_better_challenger_wins():
    """It is promoted, and the reasons carry the numbers."""
    found = judge(sides(1000, fixed=0.05, broken=0.005), margin=MARGIN)
    assert found.promote and found.proof is Proof.BETTER
    assert found.p < found.allowed and found.labels.wins > found.labels.losses
    assert "accuracy" in found.reasons[0] and "1,000 rows" in found.reasons[0]
    assert json.loads(json.dumps(found.numbers()))["gain"]["value"] == pytest.approx(found.gain.value)


@given(st.integers(0, 2**32 - 1), st.integers(PROOF_ROWS, 2000))
@settings(max_examples=25)
def test_a_challenger_that_is_measured_worse_never_wins(seed, rows):
    """Whatever the rows: a lower value is never a reason to promote, once there are rows to prove it."""
    duel = sides(rows, fixed=0.03, broken=0.03, seed=seed)
    for metric in ("accuracy", "f1"):
        found = judge(Sides(duel.task, metric, duel.truth, duel.challenger, duel.champion), margin=MARGIN)
        assert not (found.promote and found.gain.value <= 0)


def test_the_same_lead_is_less_proof_the_more_challengers_were_tried():
    """What wins at the first look does not at the fiftieth."""
    duel = sides(1000, fixed=0.035, broken=0.012, seed=2)
    assert judge(duel, margin=MARGIN, look=1).promote
    late = judge(duel, margin=MARGIN, look=50)
    assert not late.promote and "look 50" in late.reasons[0]


def test_a_harmed_group_is_a_veto():
    """A challenger that is better on the whole and ruins one group stays out, and the group is named."""
    truth = np.zeros(2000, np.int64)
    group = np.where(np.arange(2000) < 200, "north", "south").astype(object)
    champion = np.where(np.arange(2000) % 5 == 0, 1, 0)
    challenger = np.where(np.arange(2000) < 200, 1, 0)
    duel = Sides(Task.CLASSIFICATION, "accuracy", truth, answering(challenger), answering(champion),
                 groups={"region": group})  # fmt: skip
    found = judge(duel, margin=MARGIN)
    assert found.p < found.allowed
    assert not found.promote
    assert "region = north" in found.reasons[0]
    assert [segment.name for segment in found.segments if segment.harmed] == ["region = north"]


def test_too_few_rows_decide_nothing():
    """Below the least number of rows the champion stays, even against a perfect challenger."""
    truth = np.arange(LEAST_ROWS - 1) % 2
    duel = Sides(Task.CLASSIFICATION, "accuracy", truth, answering(truth), answering(1 - truth))
    for proof in Proof:
        found = judge(duel, margin=MARGIN, proof=proof)
        assert not found.promote and str(LEAST_ROWS) in found.reasons[0]


def test_with_few_rows_not_worse_is_enough_unless_proof_is_asked_for():
    """Between the two least numbers an equal challenger passes; with ``better`` it does not."""
    duel = sides(60, fixed=0.0, broken=0.0)
    assert judge(duel, margin=MARGIN).promote
    assert judge(duel, margin=MARGIN).proof is Proof.NOT_WORSE
    assert not judge(duel, margin=MARGIN, proof=Proof.BETTER).promote


def test_with_few_rows_the_original_data_anchor_the_judgement():
    """What clients sent cannot outvote the original rows: worse there is refused."""
    truth = np.zeros(60, np.int64)
    original = np.arange(60) < 40
    champion = np.where(original, 0, 1)
    challenger = np.where(np.arange(60) < 4, 1, 0)
    duel = Sides(Task.CLASSIFICATION, "accuracy", truth, answering(challenger), answering(champion),
                 original=original)  # fmt: skip
    found = judge(duel, margin=MARGIN)
    assert found.gain.value > 0 and not found.promote
    assert "original data" in found.reasons[0]


def test_a_regression_is_judged_by_its_errors():
    """A better regression wins, a worse group of it is a veto."""
    truth = np.linspace(0, 1, 600)
    noise = np.random.default_rng(1).normal(size=600)
    near, far = truth + 0.1 * noise, truth + 0.2 * noise
    group = np.where(np.arange(600) % 3 == 0, "a", "b").astype(object)
    duel = Sides(Task.REGRESSION, "mae", truth, Answers(values=near), Answers(values=far), {"g": group})
    assert judge(duel, margin=MARGIN).promote
    mixed = np.where(group == "a", truth + 0.5 * noise, truth)
    found = judge(Sides(Task.REGRESSION, "rmse", truth, Answers(values=mixed), Answers(values=far),
                        {"g": group}), margin=MARGIN)  # fmt: skip
    assert not found.promote


@pytest.mark.slow
def test_equal_challengers_are_hardly_ever_promoted_however_many_come():
    """Over 30 looks at each of 100 champions, all rows shared, noise wins in at most a few."""
    replaced = 0
    for seed in range(100):
        looks = (sides(500, fixed=0.02, broken=0.02, seed=1000 * seed + look) for look in range(30))
        replaced += any(judge(each, margin=MARGIN, look=k).promote for k, each in enumerate(looks, start=1))
    assert replaced <= 9  # binomial(100, 0.05) is at most 9 in 97 % of all cases; measured: far fewer
