"""What becomes of a truth that is told about a prediction: the one place with the rules.

A label is *joined* to its prediction once. Told again with the same target it is a *duplicate* and
not stored. Another target from whoever told the first one is a *correction*: kept beside the first,
and it counts from then on. Another target from somebody else is a *contradiction*: kept, so that a
person can look at it, but the first one's word counts; so nobody can overwrite the truths of others.
What an operator imports at the command line settles it: it counts over everybody's. A label whose
prediction is not in the log is an *orphan*: it is kept, and joined when the prediction arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from modelwright.store.codec import pack
from modelwright.store.records import LabelOutcome, LabelRecord, Recorded, Truth

OPERATOR = "operator:"
"""What the client of a label begins with that a person with access to the store imported."""


def counting(labels: Sequence[LabelRecord]) -> LabelRecord | None:
    """The label that counts of all of one prediction's.

    Args:
        labels: Oldest first.
    """
    if not labels:
        return None
    settled = [label for label in labels if label.client.startswith(OPERATOR)]
    first = labels[0].client
    return (settled or [label for label in labels if label.client == first])[-1]


def outcome(labels: Sequence[LabelRecord], target: Any, client: str, *, known: bool) -> LabelOutcome:
    """What becomes of ``target``, told by ``client``.

    Args:
        labels: What was told of the prediction before, oldest first.
        target: The truth.
        client: Who tells it.
        known: Whether the prediction is in the log.
    """
    counts = counting(labels)
    if counts is None:
        return LabelOutcome.JOINED if known else LabelOutcome.ORPHAN
    own = next((label for label in reversed(labels) if label.client == client), None)
    if same(counts.target, target) or (own is not None and own is not counts and same(own.target, target)):
        return LabelOutcome.DUPLICATE
    may_correct = client.startswith(OPERATOR) or (
        client == labels[0].client and not counts.client.startswith(OPERATOR)
    )
    return LabelOutcome.CORRECTED if may_correct else LabelOutcome.CONTRADICTING


def same(one: Any, other: Any) -> bool:
    """Whether two targets are the same value; true is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and pack(one) == pack(other)


class Sending:
    """One request or file: what it says of an id twice is told apart before anything is stored.

    The same target again is a duplicate; another one is a contradiction that nobody can settle, so
    the first stands and the other is not stored.
    """

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}

    def fresh(self, truths: Iterable[Truth]) -> tuple[list[Truth], list[Recorded]]:
        """Those to be stored, and what became of the others."""
        first: list[Truth] = []
        others: list[Recorded] = []
        for truth in truths:
            if truth.prediction_id not in self._said:
                self._said[truth.prediction_id] = truth.target
                first.append(truth)
                continue
            again = same(self._said[truth.prediction_id], truth.target)
            became = LabelOutcome.DUPLICATE if again else LabelOutcome.CONTRADICTING
            others.append(Recorded(prediction_id=truth.prediction_id, outcome=became))
        return first, others


class Tally(msgspec.Struct, kw_only=True):
    """How many labels became what.

    Attributes:
        joined: The first of their prediction.
        duplicate: Said before; not stored again.
        corrected: Count in place of what the same client said before.
        contradicting: Another word than somebody else's; kept, and do not count.
        orphan: Wait for their prediction.
        late: Of the joined: about a version that is not live any more.
        refused: Are no truth at all.
    """

    joined: int = 0
    duplicate: int = 0
    corrected: int = 0
    contradicting: int = 0
    orphan: int = 0
    late: int = 0
    refused: int = 0

    def add(self, recorded: Iterable[Recorded]) -> None:
        """Count what became of some."""
        for each in recorded:
            setattr(self, each.outcome.value, getattr(self, each.outcome.value) + 1)
            self.late += each.late
