"""What the project file says of bringing in a version that won, as a plan that travels with it."""

from __future__ import annotations

from modelwright.monitor.rollout import CanaryPlan, Measure, Mode, Plan, ShadowPlan, WatchPlan
from modelwright.project.durations import seconds
from modelwright.project.model import Canary, ProjectFile, ShadowTime
from modelwright.schema.metrics import Task
from modelwright.train.evaluate import default_metric
from modelwright.train.parts import parts_of


def plan_of(file: ProjectFile) -> Plan:
    """The plan for a version that won its duel now."""
    asked = file.retrain
    return Plan(
        mode=Mode(asked.promotion),
        models={
            part.name: Measure(
                task=part.task,
                metric=part.train.metric or default_metric(part.task),
                margin=part.gate.non_inferiority,
            )
            for part in parts_of(file)
            if part.task is not Task.CLUSTERING
        },
        shadow=_shadow(asked.shadow),
        canary=_canary(asked.canary),
        watch=WatchPlan(seconds=seconds(asked.watch.time), labels=asked.watch.labels)
        if asked.watch
        else None,
    )


def _shadow(asked: ShadowTime) -> ShadowPlan:
    return ShadowPlan(
        seconds=seconds(asked.time),
        labels=asked.labels,
        patience=seconds(asked.patience),
        errors=asked.errors,
    )


def _canary(asked: Canary) -> CanaryPlan:
    return CanaryPlan(
        shares=tuple(asked.shares),
        seconds=seconds(asked.time),
        answers=asked.answers,
        labels=asked.labels,
        by=asked.by,
        errors=asked.errors,
        latency=asked.latency,
        patience=seconds(asked.patience),
    )
