"""What a server answers, typed."""

from __future__ import annotations

from typing import Any

import msgspec

Scalar = str | int | float | bool


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A warning about a value.

    Attributes:
        loc: Where: the last part is the column.
        msg: What is unusual, in words.
        type: A stable word for programs.
        input: What was sent, shortened.
    """

    loc: tuple[str | int, ...] = ()
    msg: str = ""
    type: str = ""
    input: Any = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One model's answer.

    Attributes:
        prediction: The label as the target column holds it; the value; or the group's number.
        prediction_name: What people call it.
        confidence: Its probability, where there is one.
        probabilities: Of each label by name, where there are.
        score: Probability of the second label, where a threshold decides.
        threshold: The second label is answered from this score on.
    """

    prediction: Scalar | None = None
    prediction_name: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    score: float | None = None
    threshold: float | None = None


class Prediction(Output, frozen=True, kw_only=True):
    """The answer for one row.

    Attributes:
        prediction_id: Names the answer in the server's log, and in ``feedback``.
        model_version: Who answered.
        latency: Seconds in the server.
        outputs: Each model's answer by its name, where several answer together; else empty.
        warnings: What is unusual in the row.
        features_generation: In which generation of online features was looked up; 0 where nothing was.
    """

    prediction_id: str
    model_version: int
    latency: float = 0.0
    outputs: dict[str, Output] = {}
    warnings: tuple[Problem, ...] = ()
    features_generation: int = 0


class Predictions(msgspec.Struct, frozen=True):
    """The answer for several rows."""

    predictions: list[Prediction]


class Health(msgspec.Struct, frozen=True):
    """How a server is.

    Attributes:
        ok: Whether it may be sent requests.
        status: In its own word.
        details: All it says.
    """

    ok: bool
    status: str
    details: dict[str, Any]
