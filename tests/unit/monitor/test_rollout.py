"""Decisions about a version that is brought in: when it waits, goes on, and stops."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.monitor.rollout import (
    Seen,
    Tally,
    Word,
    judge_canary,
    judge_shadow,
    judge_watch,
    looked_at,
)
from unit.monitor.test_releasing import BAD, GOOD, PLAN, beside

change = msgspec.structs.replace


@given(least=st.integers(20, 1_000), labels=st.integers(0, 200_000))
def test_labelled_rows_are_looked_at_again_when_they_have_doubled(least, labels):
    """A look is at the least number, twice, four times it … and never at more than there are."""
    at = looked_at(labels, least)
    assert (at == 0) == (labels < least)
    assert at <= labels < 2 * max(at, least)
    assert at == 0 or (at % least == 0 and (at // least).bit_count() == 1)


def test_a_shadow_waits_for_time_and_labels_and_is_refused_without_them():
    """Neither time alone nor labels alone are enough; without labels it is refused in the end."""
    assert judge_shadow(PLAN, change(GOOD, seconds=9)).word is Word.WAIT
    assert judge_shadow(PLAN, change(GOOD, labels=49)).word is Word.WAIT
    late = judge_shadow(PLAN, change(GOOD, labels=49, seconds=101))
    assert late.word is Word.STOP and "49 were labelled in time; 50 are needed" in late.reason
    assert judge_shadow(PLAN, GOOD).word is Word.PROMOTE


def test_within_the_margin_is_not_worse():
    """A shadow is refused from the margin on; a canary is stopped only if chance does not explain it."""
    little, much = (change(GOOD, models={"model": beside(gain)}) for gain in (-0.0099, -0.0101))
    assert judge_shadow(PLAN, little).word is Word.PROMOTE
    assert judge_shadow(PLAN, much).word is Word.STOP
    unsure = change(much, models={"model": change(much.models["model"], high=0.001)})
    assert judge_canary(PLAN, 0, unsure).word is Word.GO_ON
    assert judge_canary(PLAN, 0, much).word is Word.STOP


@pytest.mark.parametrize("judge", [judge_shadow, lambda plan, seen: judge_canary(plan, 1, seen)])
def test_one_that_fails_where_the_champion_answers_is_stopped_at_once(judge):
    """Errors stop it before its time is over; one error among many does not."""
    early = change(GOOD, seconds=1, labels=0, models={})
    failing = change(early, challenger=Tally(answers=40, failed=10, latency=0.001))
    told = judge(PLAN, failing)
    assert told.word is Word.STOP
    assert told.reason == "It failed on 10 of 40 rows (25.0%); the champion on 0.0%."
    assert judge(PLAN, change(early, challenger=Tally(answers=40, failed=1, latency=0.001))).word is Word.WAIT
    both = change(failing, champion=Tally(answers=400, failed=100, latency=0.001))
    assert judge(PLAN, both).word is Word.WAIT
    alone = change(failing, champion=Tally())
    assert judge(PLAN, alone).word is Word.STOP


def test_a_slow_canary_is_stopped():
    """Twice the champion's latency and noticeably so; a tenth of a millisecond against half of one is not."""
    slow = change(
        GOOD, challenger=Tally(answers=40, latency=0.050), champion=Tally(answers=40, latency=0.020)
    )
    told = judge_canary(PLAN, 0, slow)
    assert told.word is Word.STOP and "50.0 ms for 95 % of the rows, the champion 20.0 ms" in told.reason
    quick = change(
        GOOD, challenger=Tally(answers=40, latency=0.0005), champion=Tally(answers=40, latency=1e-4)
    )
    assert judge_canary(PLAN, 0, quick).word is Word.GO_ON
    few = change(slow, champion=Tally(answers=19, latency=0.020))
    assert judge_canary(PLAN, 0, few).word is Word.GO_ON


def test_a_canary_goes_on_only_with_answers_and_gives_up_without():
    """Time alone takes no step; patience ends."""
    idle = change(GOOD, challenger=Tally(answers=19, latency=0.001))
    assert judge_canary(PLAN, 0, idle).word is Word.WAIT
    assert judge_canary(PLAN, 0, change(idle, seconds=101)).word is Word.STOP
    assert judge_canary(PLAN, 1, GOOD).word is Word.GO_ON
    assert judge_canary(PLAN, 2, GOOD).word is Word.PROMOTE


def test_a_watch_takes_back_below_the_interval_only():
    """Worse than the margin but within the old champion's interval stays; below it is taken back at once."""
    within = change(GOOD, seconds=1, models={"model": change(beside(-0.015), below=False)})
    assert judge_watch(PLAN, within).word is Word.WAIT
    assert judge_watch(PLAN, change(BAD, seconds=1)).word is Word.STOP
    assert judge_watch(PLAN, GOOD).word is Word.PROMOTE
    unlabelled = judge_watch(PLAN, Seen(seconds=11))
    assert unlabelled.word is Word.PROMOTE and "too few to judge it" in unlabelled.reason


def test_every_reason_names_the_model_where_there_are_several():
    """Two models are brought in together; what one of them did wrong says which."""
    plan = change(PLAN, models={"segment": PLAN.models["model"], "spend": PLAN.models["model"]})
    seen = change(GOOD, models={"segment": beside(0.0), "spend": beside(-0.2)})
    told = judge_shadow(plan, seen)
    assert told.word is Word.STOP and told.reason.startswith("spend: accuracy 0.7 against 0.9")
