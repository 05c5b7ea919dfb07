"""The protocols as the engine uses them: one codec each, and our own with its shortcut."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from modelwright.bundle.answers import Answer
from modelwright.serve.asks import Ask, Wire
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import ServeError, error_document
from modelwright.serve.protocols import mlflow, predict, sagemaker, v2, v2_replies
from modelwright.serve.protocols.call import Call, Outcome, Reply, request_id, row_ids

_encode = msgspec.json.Encoder().encode


class PredictWire:
    """``/predict``: the quick reader first, and replies put together from what the log keeps."""

    name = "predict"

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """See ``asks.Wire``."""
        if deployment.quick is not None and (found := deployment.quick.read(ask.body)) is not None:
            ask.values, given, ask.carried = found
            named = request_id(given, ask.headers) if ask.headers else given
            if named is not None:
                ask.given = row_ids(named, 1)
            return
        take_call(ask, predict.read(bytes(ask.body), ask.headers, deployment.inputs, most_rows=most_rows))

    def reply(self, ask: Ask) -> Reply:
        """See ``asks.Wire``."""
        if ask.call is None or ask.call.single:
            return Reply(body=ask.pieces[0])
        return Reply(body=b'{"predictions":[' + b",".join(ask.pieces) + b"]}")

    def refusal(self, ask: Ask, error: ServeError) -> Reply:
        """See ``Wire``; with the id under which the refusal is in the log."""
        document = error_document(error)
        if ask.ids:
            document["prediction_id"] = ask.ids[0]
        return Reply(body=_encode(document), status=error.status, headers=dict(error.headers))


class V2Wire:
    """The Open Inference Protocol V2; its answers name the deployment."""

    name = "v2"

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """See ``asks.Wire``."""
        call = v2.read(bytes(ask.body), ask.headers, deployment.inputs, most_rows=most_rows)
        v2_replies.check_outputs(call, deployment.bundle.manifest.models)
        take_call(ask, call)

    def reply(self, ask: Ask) -> Reply:
        """See ``asks.Wire``."""
        deployment = ask.deployment
        assert deployment is not None  # noqa: S101 - an answered ask has one
        assert isinstance(ask.call, v2.V2Call)  # noqa: S101 - read() sets it
        return v2_replies.render(ask.call, outcomes(ask), deployment.bundle.manifest.models, deployment.name)

    def refusal(self, ask: Ask, error: ServeError) -> Reply:  # noqa: ARG002 - the others word it by it
        """See ``asks.Wire``."""
        return v2_replies.render_error(error)


class MlflowWire:
    """MLflow's scoring protocol."""

    name = "invocations"

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """See ``asks.Wire``."""
        take_call(ask, mlflow.read(bytes(ask.body), ask.headers, deployment.inputs, most_rows=most_rows))

    def reply(self, ask: Ask) -> Reply:
        """See ``asks.Wire``."""
        assert ask.call is not None  # noqa: S101 - read() sets it
        return mlflow.render(ask.call, outcomes(ask))

    def refusal(self, ask: Ask, error: ServeError) -> Reply:  # noqa: ARG002 - the others word it by it
        """See ``asks.Wire``."""
        return mlflow.render_error(error)


class SageMakerWire:
    """Amazon SageMaker's runtime and container."""

    name = "sagemaker"

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """See ``asks.Wire``."""
        take_call(ask, sagemaker.read(bytes(ask.body), ask.headers, deployment.inputs, most_rows=most_rows))

    def reply(self, ask: Ask) -> Reply:
        """See ``asks.Wire``."""
        assert isinstance(ask.call, sagemaker.SageMakerCall)  # noqa: S101 - read() sets it
        return sagemaker.render(ask.call, outcomes(ask))

    def refusal(self, ask: Ask, error: ServeError) -> Reply:  # noqa: ARG002 - the others word it by it
        """See ``asks.Wire``."""
        return sagemaker.render_error(error)


def take_call(ask: Ask, call: Call) -> None:
    """Let ``ask`` be what ``call`` says."""
    ask.call = call
    if any(given is not None for given in call.ids):
        ask.given = call.ids


def outcomes(ask: Ask) -> list[Outcome]:
    """All that is to say of each row of an answered ask."""
    deployment = ask.deployment
    assert deployment is not None  # noqa: S101 - an answered ask has one
    only = deployment.models[0]
    return [
        Outcome(
            id=ask.ids[place],
            version=ask.version,
            answers={only: answer} if isinstance(answer, Answer) else answer,
            latency=ask.latency,
            warnings=ask.warnings[place] if ask.warnings else (),
        )
        for place, answer in enumerate(ask.answers)
    ]


PREDICT = PredictWire()
V2 = V2Wire()
MLFLOW = MlflowWire()
SAGEMAKER = SageMakerWire()


def hot_routes(
    deployments: Mapping[str, Deployment], *, sagemaker: bool = False
) -> dict[bytes, tuple[Wire, str]]:
    """The routes that the fast lane answers: raw path → protocol and name.

    Args:
        deployments: What is served.
        sagemaker: ``/invocations`` speaks SageMaker's protocol, not MLflow's.
    """
    routes: dict[bytes, tuple[Wire, str]] = {b"/predict": (PREDICT, "")}
    routes[b"/invocations"] = (SAGEMAKER if sagemaker else MLFLOW, "")
    for name in deployments:
        path = quote(name).encode()
        routes[b"/models/%b/predict" % path] = (PREDICT, name)
        routes[b"/v2/models/%b/infer" % path] = (V2, name)
        routes[b"/endpoints/%b/invocations" % path] = (SAGEMAKER, name)
    return routes
