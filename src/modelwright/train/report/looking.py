"""Everything a report tells of a winner, found out once."""

from __future__ import annotations

from modelwright.train.package import Made
from modelwright.train.report.dependence import curves
from modelwright.train.report.importance import importances
from modelwright.train.report.insight import Insight
from modelwright.train.report.mistakes import mistakes
from modelwright.train.report.segments import segments
from modelwright.train.report.subject import Subject


def look(made: Made) -> Insight:
    """Ask the winner on held-out rows."""
    subject = Subject(made)
    found = importances(subject)
    ranked = [one.column for one in found]
    return Insight(
        importances=tuple(found),
        curves=curves(subject, ranked),
        mistakes=mistakes(subject, ranked),
        segments=segments(subject, ranked),
    )
