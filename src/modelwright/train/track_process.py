"""The process that talks to MLflow: requests as JSON lines in, answers as JSON lines out.

MLflow takes three seconds to import and two more to make its database. In a process of its own that
happens while the candidates train; what it logs, warns and prints stays out of the command's output,
and the command itself needs none of its memory. ``track`` is the other end.

A request is ``{"do": name, …}``; the answer ``{"ok": {…}}`` or ``{"failed": sentence}``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

MODEL = "model"
_SQLITE = "sqlite:///"
_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Lets MLflow's pages open with the runs; not knowing better, they open with an empty page of traces."""


class _Session:
    """The requests, one method each."""

    def __init__(self) -> None:
        import mlflow

        self.mlflow = mlflow
        self.client: Any = None
        self.experiment = ""

    def open(self, *, uri: str, experiment: str, artifacts: str | None) -> dict[str, Any]:
        """Reach the tracking server or make the database, and the experiment."""
        if not uri.startswith(_SQLITE):
            return self._open(uri, experiment, artifacts)
        database = Path(uri.removeprefix(_SQLITE))
        with _alone(database):
            _make_database(database)
            return self._open(uri, experiment, artifacts)

    def _open(self, uri: str, experiment: str, artifacts: str | None) -> dict[str, Any]:
        self.mlflow.set_tracking_uri(uri)
        self.mlflow.set_registry_uri(uri)
        self.client = self.mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        found = self.client.get_experiment_by_name(experiment)
        if found is not None and artifacts is not None and found.artifact_location != artifacts:
            # The project's folder was moved: the old experiment's files are where they were.
            self.client.rename_experiment(found.experiment_id, f"{experiment} (before {found.experiment_id})")
            found = None
        if found is not None and artifacts is not None:
            self._end_abandoned(found.experiment_id)
        if found is not None and found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        self.experiment = (
            found.experiment_id
            if found is not None
            else self.client.create_experiment(experiment, artifact_location=artifacts, tags=_KIND)
        )
        return {"experiment": self.experiment}

    def warm(self) -> dict[str, Any]:
        """Load beforehand what logging a model needs."""
        import onnx  # noqa: F401
        import pandas as pd  # noqa: F401

        return {}

    def _end_abandoned(self, experiment: str) -> None:
        """Runs of a training that was killed: this one holds the project's lock, so nobody works on them."""
        for run in self.client.search_runs([experiment], "attributes.status = 'RUNNING'"):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def start(
        self, *, name: str, tags: dict[str, str], parent: str | None = None, started: int | None = None
    ) -> dict[str, Any]:
        """Start a run, nested where it has a parent; ``started`` in milliseconds since the epoch."""
        if parent:
            tags = {**tags, "mlflow.parentRunId": parent}
        run = self.client.create_run(self.experiment, start_time=started, run_name=name, tags=tags)
        return {"run": run.info.run_id}

    def log(
        self,
        *,
        run: str,
        params: dict[str, str],
        metrics: list[tuple[str, float, int]],
        tags: dict[str, str],
        files: list[tuple[str, str]],
    ) -> dict[str, Any]:
        """Parameters, metrics (name, value, step), tags, and files (path, folder among the artifacts)."""
        import time

        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self.client.log_batch(
            run,
            metrics=[Metric(name, value, now, step) for name, value, step in metrics],
            params=[Param(name, value) for name, value in params.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        for path, folder in files:
            self.client.log_artifact(run, path, folder or None)
        return {}

    def data(
        self, *, run: str, name: str, digest: str, source: str, profile: str, schema: str
    ) -> dict[str, Any]:
        """The dataset the run used."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=name,
            digest=digest[:36],
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=profile,
            schema=schema,
        )
        self.client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        return {}

    def end(self, *, run: str, status: str) -> dict[str, Any]:
        """Finish a run: FINISHED or FAILED."""
        self.client.set_terminated(run, status)
        return {}

    def model(
        self,
        *,
        run: str,
        registered: str,
        bundle: str,
        graph: str | None,
        example: dict[str, list[Any]],
        types: dict[str, str],
        outputs: dict[str, str],
        requirements: list[str],
        tags: dict[str, str],
    ) -> dict[str, Any]:
        """Log the model with signature and input example, and register it as a version.

        With a ``graph`` it is an ONNX model of one input a column; without, a Python function that
        opens the bundle. ``types`` has MLflow's type by column, with a ``?`` where it may be missing.
        """
        signature = _signature(types, outputs)
        with self.mlflow.start_run(run_id=run):
            info = self._log_model(signature, example, bundle, graph, requirements)
        self.mlflow.end_run()
        if not self.client.search_registered_models(f"name = '{registered}'"):
            self.client.create_registered_model(registered, description="Trained and gated by Modelwright.")
        version = self.client.create_model_version(
            registered, info.model_uri, run_id=run, tags=tags, model_id=info.model_id
        )
        return {"version": str(version.version), "uri": info.model_uri}

    def _log_model(
        self,
        signature: Any,
        example: dict[str, list[Any]],
        bundle: str,
        graph: str | None,
        requirements: list[str],
    ) -> Any:
        import pandas as pd

        frame = pd.DataFrame(example)
        common = {"name": MODEL, "signature": signature, "pip_requirements": requirements}
        if graph is None:
            return self.mlflow.pyfunc.log_model(
                loader_module="modelwright.train.mlflow_model",
                data_path=bundle,
                input_example=frame,
                **common,
            )
        import onnx

        return self.mlflow.onnx.log_model(
            onnx.load_model_from_string(Path(graph).read_bytes()),
            input_example=frame,
            onnx_execution_providers=["CPUExecutionProvider"],
            **common,
        )

    def alias(self, *, registered: str, version: str, alias: str) -> dict[str, Any]:
        """Point an alias at a version, or take it away where that is empty."""
        if version:
            self.client.set_registered_model_alias(registered, alias, version)
        else:
            self.client.delete_registered_model_alias(registered, alias)
        return {}

    def find(self, *, registered: str, tag: str, value: str) -> dict[str, Any]:
        """The newest model version whose tag has the value; none gives an empty version."""
        versions = self.client.search_model_versions(f"name = '{registered}'")
        found = [int(v.version) for v in versions if v.tags.get(tag) == value]
        return {"version": str(max(found)) if found else ""}


@contextlib.contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Wait until no other process makes the database or its experiment.

    A killed training leaves this process running for some seconds, in which the next may begin: two
    drafts, of which the later took the place of a file that the other had open already.
    """
    descriptor = os.open(database.with_name(f".{database.name}-lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_database(path: Path) -> None:
    """Make MLflow's tables in a file beside and move it into place: half of them would stop it for ever."""
    if path.exists():
        return
    from mlflow import MlflowClient

    draft = path.with_name(f".{path.name}.{os.getpid()}")
    for abandoned in path.parent.glob(f".{path.name}.*"):
        abandoned.unlink(missing_ok=True)  # of a training that was ended, or that the disk refused
    MlflowClient(tracking_uri=f"{_SQLITE}{draft}").search_experiments(max_results=1)
    draft.replace(path)


def _signature(inputs: dict[str, str], outputs: dict[str, str]) -> Any:
    """MLflow's types by column: ``any`` for no check, and a ``?`` behind where a cell may be missing."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    def columns(types: dict[str, str]) -> Sequence[Any]:
        return [
            ColSpec(AnyType() if kind.startswith("any") else kind.rstrip("?"), name, required="?" not in kind)
            for name, kind in types.items()
        ]

    return ModelSignature(Schema(columns(inputs)), Schema(columns(outputs)))


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more."""
    session: _Session | None = None
    for line in requests:
        try:
            if session is None:
                session = _Session()
            request = json.loads(line)
            handler: Callable[..., dict[str, Any]] = getattr(session, request.pop("do"))
            answer: dict[str, Any] = {"ok": handler(**request)}
        # MLflow raises anything from SQLAlchemy's, urllib3's and its own errors; the other end words it.
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Take over standard input and output; whatever libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    serve(sys.stdin, answers)
    # Every request was done when it was answered. Taking MLflow and what it loaded apart again would
    # keep the training waiting for a second or two.
    os._exit(0)


if __name__ == "__main__":
    main()
