"""What becomes of a version that won its duel, before and after it answers everybody.

::

    won ─┬─ automatic ───────────────────────────────────────┬─▶ promoted ─▶ watched ─┬─▶ kept
         ├─ shadow: answers on the side ─▶ judged on labels ─┤                        └─▶ taken back
         ├─ canary: 5 % ─▶ 25 % ─▶ 50 % ─▶ 100 % ────────────┤
         └─ approval: waits for a person ────────────────────┘

A plan is fixed when the version has won and travels with the releases, so that whoever goes on with a
rollout, on whatever host, judges by the same rules. Numbers in, a decision out: nothing here asks the
store or the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from modelwright.monitor.beside import Beside
from modelwright.monitor.statistics import more_often
from modelwright.schema.metrics import Task

_CERTAIN = 0.001
"""How unlikely a difference in failed answers must be by chance; it is looked at again and again."""
_EXPECTED = 100
"""Without an answer of the champion's to compare with, it is taken to have answered so many rightly."""
_NOTICED = 0.005  # seconds: a slower answer that nobody notices stops no rollout


class Mode(StrEnum):
    """What a version that won its duel does first."""

    AUTOMATIC = "automatic"
    SHADOW = "shadow"
    CANARY = "canary"
    APPROVAL = "approval"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """By what one model's live answers are judged: its task, deciding metric, and the margin in it."""

    task: Task
    metric: str
    margin: float


class ShadowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """See ``project.model.ShadowTime``; times in seconds."""

    seconds: float
    labels: int
    patience: float
    errors: float


class CanaryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """See ``project.model.Canary``; times in seconds."""

    shares: tuple[float, ...]
    seconds: float
    answers: int
    labels: int
    by: str
    errors: float
    latency: float
    patience: float


class WatchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """See ``project.model.Watch``; times in seconds."""

    seconds: float
    labels: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a version that won is brought to its users.

    Attributes:
        mode: What it does first.
        models: Measures by model name; clusterings are not among them, as nothing says who is right.
        shadow, canary: The rules of these modes.
        watch: After the promotion; ``None`` for none.
    """

    mode: Mode
    models: dict[str, Measure]
    shadow: ShadowPlan
    canary: CanaryPlan
    watch: WatchPlan | None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What one version answered since a step began.

    Attributes:
        answers: How many rows.
        failed: Of these, how many it could not answer.
        latency: 95 % quantile in seconds; ``None`` without answers.
    """

    answers: int = 0
    failed: int = 0
    latency: float | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a step.

    Attributes:
        seconds: Since it began.
        challenger, champion: What they answered; in a watch, ``champion`` is the version before.
        models: Both on the same labelled rows, by model name.
        labels: Labelled rows there are, of which ``models`` may cover the first ones only.
    """

    seconds: float
    challenger: Tally = Tally()
    champion: Tally = Tally()
    models: dict[str, Beside] = {}
    labels: int = 0


class Word(StrEnum):
    """What to do."""

    WAIT = "wait"
    GO_ON = "go_on"
    PROMOTE = "promote"
    STOP = "stop"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do and why, a sentence."""

    word: Word
    reason: str = ""


def looked_at(labels: int, least: int) -> int:
    """How many labelled rows a look is at: ``least``, or twice, four times … as many; 0 for none yet.

    Rows that were looked at are looked at again only once there are twice as many, so a rollout that
    is looked at every second asks chance a few times and not a thousand.
    """
    if labels < least:
        return 0
    looks = (labels // least).bit_length() - 1
    return int(least << looks)


def judge_shadow(plan: Plan, seen: Seen) -> Decision:
    """Of a version that answers on the side: judged once, when time and labels are there."""
    rules = plan.shadow
    broken = _failing(seen, rules.errors)
    if broken:
        return Decision(word=Word.STOP, reason=broken)
    if seen.seconds >= rules.seconds and seen.challenger.answers and not plan.models:
        return Decision(
            word=Word.PROMOTE, reason=f"It answered {_rows(seen.challenger.answers)} on the side."
        )
    if seen.seconds >= rules.seconds and seen.labels >= rules.labels and seen.models:
        worse = [
            _worse(name, plan, beside) for name, beside in seen.models.items() if _behind(plan, name, beside)
        ]
        word = Word.STOP if worse else Word.PROMOTE
        return Decision(word=word, reason=" ".join(worse) or _measured(seen.models))
    if seen.seconds >= rules.patience:
        return Decision(
            word=Word.STOP,
            reason=f"Of the rows it answered on the side {seen.labels:,} were labelled in time; "
            f"{rules.labels:,} are needed to judge it.",
        )
    return Decision(word=Word.WAIT)


def judge_canary(plan: Plan, step: int, seen: Seen) -> Decision:
    """Of a version that answers the share of step ``step`` (from 0)."""
    rules = plan.canary
    broken = _failing(seen, rules.errors) or _slow(seen, rules.latency, rules.answers)
    worse = [
        _worse(name, plan, beside) for name, beside in seen.models.items() if _shown_worse(plan, name, beside)
    ]
    if broken or worse:
        return Decision(word=Word.STOP, reason=" ".join([broken, *worse]).strip())
    share = rules.shares[step]
    if seen.seconds >= rules.seconds and seen.challenger.answers >= rules.answers:
        done = f"It answered {_rows(seen.challenger.answers)} at a share of {share:.0%} without being worse."
        done = f"{done} {_measured(seen.models)}".strip()
        last = step + 1 >= len(rules.shares)
        return Decision(word=Word.PROMOTE if last else Word.GO_ON, reason=done)
    if seen.seconds >= rules.patience:
        return Decision(
            word=Word.STOP,
            reason=f"At a share of {share:.0%} it was asked for {_rows(seen.challenger.answers)} in time; "
            f"{rules.answers:,} are needed to judge it.",
        )
    return Decision(word=Word.WAIT)


def judge_watch(plan: Plan, seen: Seen) -> Decision:
    """Of a promoted version: ``STOP`` takes it back, ``PROMOTE`` ends the watch, and it stays.

    It is taken back if its metric on live rows falls below the interval of the version before on the
    same rows, so that a world that became harder for both takes nobody back.
    """
    assert plan.watch is not None  # noqa: S101 - who watches has a plan to do so
    fallen = [
        _worse(name, plan, beside)
        for name, beside in seen.models.items()
        if beside.below and _shown_worse(plan, name, beside)
    ]
    if fallen:
        return Decision(word=Word.STOP, reason=" ".join(fallen))
    if seen.seconds >= plan.watch.seconds:
        told = _measured(seen.models) or (
            f"{_rows(seen.labels)} were labelled while it was watched, too few to judge it."
        )
        return Decision(word=Word.PROMOTE, reason=told)
    return Decision(word=Word.WAIT)


def _behind(plan: Plan, name: str, beside: Beside) -> bool:
    return beside.gain < -plan.models[name].margin


def _shown_worse(plan: Plan, name: str, beside: Beside) -> bool:
    """Worse by more than the margin, and by more than chance explains."""
    return _behind(plan, name, beside) and beside.high < 0


def _failing(seen: Seen, most: float) -> str:
    one, other = seen.challenger, seen.champion
    if not one.answers:
        return ""
    failed, answers = (other.failed, other.answers) if other.answers else (0, _EXPECTED)
    beyond = one.failed / one.answers > failed / answers + most
    if beyond and more_often(one.failed, one.answers, failed, answers) < _CERTAIN:
        return (
            f"It failed on {one.failed:,} of {_rows(one.answers)} ({one.failed / one.answers:.1%}); the "
            f"champion on {failed / answers:.1%}."
        )
    return ""


def _slow(seen: Seen, times: float, least: int) -> str:
    one, other = seen.challenger, seen.champion
    if one.latency is None or other.latency is None or min(one.answers, other.answers) < least:
        return ""
    if one.latency > times * other.latency and one.latency - other.latency > _NOTICED:
        return (
            f"It is slow: {one.latency * 1000:.1f} ms for 95 % of the rows, the champion "
            f"{other.latency * 1000:.1f} ms; {times:g} times as much is tolerated."
        )
    return ""


def _worse(name: str, plan: Plan, beside: Beside) -> str:
    of = f"{name}: " if len(plan.models) > 1 else ""
    return (
        f"{of}{_values(beside)}: worse by {-beside.gain:.4g}, beyond the margin of "
        f"{plan.models[name].margin:g}."
    )


def _measured(models: Mapping[str, Beside]) -> str:
    several = len(models) > 1
    return " ".join(f"{name + ': ' if several else ''}{_values(beside)}." for name, beside in models.items())


def _values(beside: Beside) -> str:
    return (
        f"{beside.metric} {beside.challenger.value:.4g} against {beside.champion.value:.4g} of the version "
        f"before on the same {beside.rows:,} live rows (difference {beside.gain:+.4g}, between "
        f"{beside.low:+.4g} and {beside.high:+.4g})"
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
