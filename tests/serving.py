"""Small real bundles and real servers, for tests and benchmarks of serving."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
import numpy as np

from modelwright.bundle.background import stored as stored_rows
from modelwright.bundle.encode import Encoder
from modelwright.bundle.export import export_model
from modelwright.bundle.format import BundleSchema, Manifest, ModelEntry
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.bundle.write import BundleContents, ModelContents, write_bundle
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Metric, Parity, Task
from modelwright.store.engine import open_store
from modelwright.testing.factories import version

SOURCE = Path(__file__).resolve().parent.parent / "src"
IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
SETOSA = [5.1, 3.5, 1.4, 0.2]
NAMED_SETOSA = dict(zip(IRIS, SETOSA, strict=True))
PROJECT = "name: iris\ndata: {source: 'sklearn:iris', target: species}\n"


def numeric_schema(names: Sequence[str], matrix: np.ndarray, **changes: Any) -> TableSchema:
    """Columns of numbers with the ranges that ``matrix`` shows."""
    columns = tuple(
        Column(
            name=name,
            kind=Kind.NUMERIC,
            observed_min=float(values.min()),
            observed_max=float(values.max()),
            **changes,
        )
        for name, values in zip(names, matrix.T, strict=True)
    )
    return TableSchema(columns=columns)


def write_numeric_bundle(
    folder: Path,
    estimator: Any,
    names: Sequence[str],
    matrix: np.ndarray,
    target: np.ndarray,
    *,
    project: str = "iris",
    number: int = 1,
    task: Task = Task.CLASSIFICATION,
    labels: Sequence[Any] = (),
    label_names: Sequence[str] = (),
    identifier: str | None = None,
    ignored: tuple[str, ...] = (),
    reference: bytes = b'{"rows": 0, "columns": []}',
    derive: str | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> Manifest:
    """A bundle of ``estimator``, scaled and fitted here; ``derive`` is source that runs before it."""
    schema = numeric_schema(names, matrix)
    schema = msgspec.structs.replace(schema, identifier=identifier, ignored=ignored)
    columns = dict(zip(names, matrix.T.astype(np.float64), strict=True))
    encoder = Encoder.fit(schema, columns)
    packed = encoder.transform(columns)
    preprocessor = Preprocessor.fit(packed, Recipe(), encoder=encoder)
    estimator.fit(preprocessor.transform(packed), target)
    entry = ModelEntry(
        name="model",
        task=task,
        file="model.onnx",
        estimator=type(estimator).__name__,
        target="target",
        labels=tuple(labels),
        label_names=tuple(label_names),
        metrics=dict(metrics or {}),
        parity=Parity(rows=len(matrix), labels_differ=0, max_difference=0.0),
    )
    graph = export_model(preprocessor, estimator, task, n_labels=len(labels))
    row = dict(zip(names, map(float, matrix[0]), strict=True))
    return write_bundle(
        folder,
        BundleContents(
            project=project,
            version=number,
            dataset_md5="0" * 32,
            models=(ModelContents(entry=entry, graph=graph, encoder=encoder),),
            schema=BundleSchema(inputs=schema, features=schema),
            reference=reference,
            derive_source=derive,
            example={"request": {"features": row}, "response": {}},
            background={
                "model": stored_rows({name: values[::5][:64] for name, values in columns.items()}, names)
            },
        ),
    )


def write_iris_bundle(
    folder: Path,
    *,
    number: int = 1,
    trees: int = 5,
    project: str = "iris",
    seed: int = 0,
    derive: str | None = None,
) -> Manifest:
    """A random forest on iris."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data = load_iris()
    return write_numeric_bundle(
        folder,
        RandomForestClassifier(trees, random_state=seed),
        IRIS,
        data.data,
        data.target,
        project=project,
        number=number,
        labels=(0, 1, 2),
        label_names=("setosa", "versicolor", "virginica"),
        derive=derive,
    )


def release(work_dir: Path, number: int, manifest: Manifest, *, url: str = "") -> None:
    """Register a bundle in ``work_dir/bundles/vN`` and make it champion."""
    with open_store(url or f"sqlite:///{work_dir / 'store.db'}") as store:
        if store.versions.get(manifest.project, number) is None:
            while store.versions.reserve(manifest.project) < number:
                pass
            store.versions.add(version(number, project=manifest.project, content_hash=manifest.content_hash))
        store.releases.append(manifest.project, number, reason="a test", actor="test")


def iris_project(folder: Path, *, file: str = PROJECT, trees: int = 5, url: str = "") -> Path:
    """A project in ``folder`` whose first version answers; the folder."""
    (folder / "project.yaml").write_text(file)
    work_dir = folder / ".modelwright"
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1", trees=trees), url=url)
    return folder


class Server:
    """``modelwright serve`` as a process of its own, on a free port of 127.0.0.1.

    Attributes:
        url: Its address.
        ready: What it said when it was ready.
        process: The supervisor.
    """

    def __init__(
        self,
        *arguments: str | Path,
        cwd: Path,
        env: dict[str, str] | None = None,
        port: int | None = 0,
        monitor: bool = False,
        retrain: bool = False,
    ) -> None:
        listen = [] if port is None else ["--port", str(port)]
        listen += [] if monitor else ["--no-monitor"]
        listen += [] if retrain else ["--no-retrain"]
        self.log = cwd / "server.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "modelwright",
                    "serve",
                    "--json",
                    *listen,
                    *map(str, arguments),
                ],
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(SOURCE), **(env or {})},
            )
        try:
            self.ready: dict[str, Any] = json.loads(self._first_document())
        except BaseException:
            self.stop()
            raise
        self.url: str = self.ready["url"]
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.stop()

    def stop(self, seconds: float = 30) -> int:
        """Ask it to stop and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def children(self, role: str) -> list[int]:
        """Process ids of the workers, the keeper or the monitors."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.process.pid and _role(folder) == role:
                    found.append(int(folder.name))
        return sorted(found)

    def _first_document(self, seconds: float = 60) -> bytes:
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        said = b""
        os.set_blocking(self.process.stdout.fileno(), False)
        while time.monotonic() < end:
            select.select([self.process.stdout], [], [], 0.2)
            said += self.process.stdout.read() or b""
            if said.rstrip().endswith(b"}"):
                return said
            if self.process.poll() is not None:
                break
        raise AssertionError(f"the server did not start: {self.log.read_text()}")


def run_serve(cwd: Path, *arguments: str) -> tuple[int, str]:
    """Run ``modelwright serve`` where it cannot start: its status and its words."""
    ended = subprocess.run(
        [sys.executable, "-m", "modelwright", "serve", "--workers", "1", "--port", "0", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def _role(folder: Path) -> str:
    return (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")[-1].decode()


def eventually(holds: Any, what: str = "", *, seconds: float = 30, every: float = 0.02) -> Any:
    """What ``holds()`` gives once that is true; fails if it never is, saying what did not happen."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, f"{what or holds} did not happen in {seconds:g} s"
        time.sleep(every)


@contextlib.contextmanager
def stored(work_dir: Path) -> Iterator[Any]:
    """The store in ``work_dir``."""
    with open_store(f"sqlite:///{work_dir / 'store.db'}") as store:
        yield store
