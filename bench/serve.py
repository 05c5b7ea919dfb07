"""How many predictions a second a server answers, beside what its web framework could do at best."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.processes import environment, free_port, modelwright
from bench.rows import Benchmark, Row

TESTS = Path(__file__).resolve().parent.parent / "tests"
BODIES = 1000
NOTHING = 1e-9


@dataclass(frozen=True)
class Load:
    """What wrk saw, and what it cost the server.

    Attributes:
        per_second: Requests answered in a second.
        p50, p99: Latency in milliseconds.
        cpu: Microseconds of the server's processor time for each request.
        generator: What share of its time wrk was busy, of a core for each of its threads.
    """

    per_second: float
    p50: float
    p99: float
    cpu: float
    generator: float


@dataclass(frozen=True)
class Case:
    """A model to be served, and the bodies to ask it with."""

    title: str
    project: str
    folder: Path
    script: Path
    pickled: Path
    mlflow_script: Path


def run(folder: Path, quick: bool) -> list[Row]:
    """Measure both models; the comparisons with other servers for the forest only."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk (apt-get install wrk).")
    seconds, turns = (1, 1) if quick else (4, 3)
    iris, fraud = make_iris(folder / "iris"), make_fraud(folder / "fraud")
    rows: list[Row] = []
    for case in (iris, fraud):
        rows += against_echo(case, seconds, turns)
    rows += against_others(iris, seconds)
    rows += workers(fraud, seconds, turns)
    rows += first_answer(iris, 3 if quick else 9)
    return rows


def against_echo(case: Case, seconds: int, turns: int) -> list[Row]:
    """One worker beside the echo, both on the same core, turn about."""
    rows: list[Row] = []
    with echo() as (echo_port, echo_pids), served(case) as (port, pids):
        for connections, goal in ((32, 0.7), (128, 1.1)):
            ours, theirs = _turns(case, (port, pids), (echo_port, echo_pids), connections, seconds, turns)
            what = f"{case.title}, {connections} connections"
            rows.append(_row(what, ours, theirs, "per_second", "requests/s", goal=goal, more=True))
            rows.append(_row(f"{what}: processor time", ours, theirs, "cpu", "µs/request"))
            if connections == 32:
                p99 = statistics.median(each.p99 for each in ours)
                rows.append(Row(f"{what}: p99", p99, 5.0, "ms", "the budget", goal=1))
        ours, theirs = _turns(case, (port, pids), (echo_port, echo_pids), 1, seconds, turns)
        rows.append(_row(f"{case.title}, 1 connection: p50", ours, theirs, "p50", "ms", goal=6))
        memory = max(_resident(pid) for pid in pids) / 2**20
        rows.append(Row(f"{case.title}: memory of a worker", memory, 120, "MiB", "the budget", goal=1))
    return rows


def against_others(case: Case, seconds: int) -> list[Row]:
    """The same model behind FastAPI and scikit-learn, and behind ``mlflow models serve``."""
    with served(case) as (port, pids):
        ours = load(port, pids, case.script, 32, seconds)
    rows: list[Row] = []
    with program([sys.executable, "-m", "bench.sklearn_server", "{port}", str(case.pickled)]) as (port, pids):
        theirs = load(port, pids, case.script, 32, seconds)
        rows.append(
            Row(case.title, ours.per_second, theirs.per_second, "requests/s", "FastAPI + scikit-learn")
        )
    with mlflow_server(case) as (port, pids):
        theirs = load(port, pids, case.mlflow_script, 32, seconds)
        rows.append(Row(case.title, ours.per_second, theirs.per_second, "requests/s", "mlflow models serve"))
    return rows


def workers(case: Case, seconds: int, turns: int) -> list[Row]:
    """Two workers beside one: each worker, the load generator and the keeper on a core of its own.

    With 64 connections a worker many of them are in the load generator's hands at a time, and two workers
    wait for it more often than one; with 128 there is always something to answer. Where there are fewer
    than four cores they share, and the figure says little.
    """
    return [row for each in (64, 128) for row in _two_beside_one(case, each, seconds, turns)]


def _two_beside_one(case: Case, connections: int, seconds: int, turns: int) -> list[Row]:
    cores = sorted(os.sched_getaffinity(0))
    keeping, asking = [cores[0]], [cores[1 % len(cores)]]
    found: dict[int, list[Load]] = {1: [], 2: []}
    rate = 0.0
    for _ in range(turns):
        for count in (1, 2):
            with served(case, count, rest=keeping) as (port, pids):
                before, begun = _stored(case), time.monotonic()
                found[count].append(load(port, pids, case.script, connections * count, seconds, cores=asking))
                rate = (_stored(case) - before) / (time.monotonic() - begun)
    one, two = (statistics.median(each.per_second for each in found[count]) for count in (1, 2))
    alone, both = (statistics.median(each.cpu for each in found[count]) for count in (1, 2))
    busy = statistics.median(each.generator for each in found[2])
    title = f"Two workers, {connections} connections each"
    return [
        Row(title, two, one, "requests/s", "one", goal=1.7, more_is_better=True),
        Row(f"{title}: processor time", both, alone, "µs/request", "one"),
        Row(f"{title}: the load generator's share of its core", busy, 1.0, "", "all of it"),
        Row(f"{title}: rows that the keeper stores meanwhile", rate, two, "rows/s", "answered"),
    ]


def _stored(case: Case) -> int:
    """Predictions in the project's store."""
    from modelwright.store.engine import open_store

    with open_store(f"sqlite:///{case.folder / '.modelwright' / 'store.db'}") as store:
        return store.predictions.count(case.project)


def first_answer(case: Case, times: int) -> list[Row]:
    """From the command line to the first answer."""
    found = []
    for _ in range(times):
        port = free_port()
        begun = time.perf_counter()
        with _process(modelwright("serve", "--port", str(port), "--workers", "1"), case.folder):
            _wait(port, b'{"features": [5.1, 3.5, 1.4, 0.2]}')
            found.append(time.perf_counter() - begun)
    return [Row("Start to first answer", statistics.median(found), 1.0, "s", "the budget", goal=1)]


def _turns(
    case: Case,
    ours: tuple[int, Sequence[int]],
    theirs: tuple[int, Sequence[int]],
    connections: int,
    seconds: int,
    turns: int,
) -> tuple[list[Load], list[Load]]:
    pairs = [
        (
            load(*theirs, case.script, connections, seconds),
            load(*ours, case.script, connections, seconds),
        )
        for _ in range(turns)
    ]
    return [own for _, own in pairs], [other for other, _ in pairs]


def _row(
    what: str,
    ours: Sequence[Load],
    theirs: Sequence[Load],
    figure: str,
    unit: str,
    *,
    goal: float | None = None,
    more: bool = False,
) -> Row:
    value, reference = (
        statistics.median(getattr(each, figure) for each in side) or NOTHING for side in (ours, theirs)
    )
    return Row(what, value, reference, unit, "uvicorn's raw ASGI echo", goal=goal, more_is_better=more)


def load(
    port: int,
    pids: Sequence[int],
    script: Path,
    connections: int,
    seconds: int,
    *,
    cores: Sequence[int] = (),
) -> Load:
    """Let wrk ask, from cores of its own, a thread on each."""
    cores = cores or [_cores()[1]]
    command = ["wrk", f"-t{len(cores)}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    before = sum(map(_cpu, pids))
    begun, own = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [*_on(*cores), *command, f"http://127.0.0.1:{port}/predict"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    cost = sum(map(_cpu, pids)) - before
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime
    if "Non-2xx" in ended:
        raise SystemExit(f"Not every request was answered:\n{ended}")
    count = int(re.search(r"(\d+) requests in", ended)[1])  # type: ignore[index]
    return Load(
        per_second=float(re.search(r"Requests/sec:\s*([\d.]+)", ended)[1]),  # type: ignore[index]
        p50=_milliseconds(ended, "50%"),
        p99=_milliseconds(ended, "99%"),
        cpu=cost / count * 1e6,
        generator=busy / (time.monotonic() - begun) / len(cores),
    )


def _milliseconds(text: str, quantile: str) -> float:
    found = re.search(rf"{quantile}\s+([\d.]+)(us|ms|s)", text)
    assert found is not None
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]


@contextlib.contextmanager
def served(case: Case, count: int = 1, *, rest: Sequence[int] = ()) -> Iterator[tuple[int, list[int]]]:
    """Our server; each worker on a core of its own, the others (the keeper) on ``rest``."""
    port = free_port()
    command = modelwright("serve", "--port", str(port), "--workers", str(count))
    with _process(command, case.folder) as process:
        _wait(port)
        time.sleep(1.0)
        children = _children(process.pid)
        found = [pid for pid in children if _listens(pid)]
        for place, pid in enumerate(found):
            _pin(pid, sorted(os.sched_getaffinity(0))[-1 - place])
        for pid in set(children) - set(found):
            _pin(pid, *(rest or [_cores()[2]]))
        yield port, found


@contextlib.contextmanager
def echo() -> Iterator[tuple[int, list[int]]]:
    """The echo, on the workers' core."""
    with program([sys.executable, "-m", "bench.echo", "{port}"]) as found:
        yield found


@contextlib.contextmanager
def program(command: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
    """Another server, on the workers' core."""
    port = free_port()
    told = [part.format(port=port) for part in command]
    with _process(told, Path(__file__).resolve().parent.parent) as process:
        _wait(port)
        _pin(process.pid, _cores()[0])
        yield port, [process.pid]


@contextlib.contextmanager
def mlflow_server(case: Case) -> Iterator[tuple[int, list[int]]]:
    """MLflow's server with the same pipeline, one worker, in this environment."""
    import mlflow

    place = case.folder / "mlflow-model"
    if not place.exists():
        mlflow.sklearn.save_model(
            pickle.loads(case.pickled.read_bytes()), place, serialization_format="cloudpickle"
        )
    port = free_port()
    command = [
        *_on(_cores()[0]),
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        *("--env-manager", "local", "--workers", "1", "-h", "127.0.0.1", "-p", str(port), "-m", str(place)),
    ]
    with _process(command, case.folder) as process:
        _wait(port, seconds=120)
        yield port, [process.pid]


def make_iris(folder: Path) -> Case:
    """A scaled random forest of 100 trees."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data = load_iris()
    return _make(
        folder,
        "Iris, forest of 100 trees",
        "iris",
        RandomForestClassifier(100, random_state=0),
        _helpers().IRIS,
        data.data,
        data.target,
        wrap=lambda row: {"features": list(row.values())},
    )


def make_fraud(folder: Path) -> Case:
    """XGBoost on 29 named features: the real data where it is, else made rows of the same shape."""
    from xgboost import XGBClassifier

    names = [*(f"V{number}" for number in range(1, 29)), "Amount"]
    matrix, target = _fraud_rows(names)
    return _make(
        folder,
        "Fraud, XGBoost with 29 named features",
        "fraud",
        XGBClassifier(n_estimators=100, max_depth=6),
        names,
        matrix,
        target,
        wrap=lambda row: {"features": row},
    )


def _fraud_rows(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    source = TESTS.parent.parent / "shared" / "data" / "fraud" / "creditcard_2023_sample.csv"
    if source.exists():
        table = np.genfromtxt(source, delimiter=",", names=True)
        return np.column_stack([table[name] for name in names]), table["Class"].astype(int)
    dice = np.random.default_rng(0)
    matrix = dice.normal(size=(5000, len(names)))
    return matrix, (matrix[:, :5].sum(axis=1) + dice.normal(size=5000) > 0).astype(int)


def _make(
    folder: Path,
    title: str,
    project: str,
    estimator: Any,
    names: Sequence[str],
    matrix: np.ndarray,
    target: np.ndarray,
    *,
    wrap: Callable[[dict[str, float]], dict[str, Any]],
) -> Case:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    helpers = _helpers()
    work_dir = folder / ".modelwright"
    folder.mkdir(parents=True)
    (folder / "project.yaml").write_text(f"name: {project}\ndata: {{source: rows.csv, target: target}}\n")
    labels = tuple(range(int(target.max()) + 1))
    manifest = helpers.write_numeric_bundle(
        work_dir / "bundles" / "v1", estimator, names, matrix, target, project=project, labels=labels
    )
    helpers.release(work_dir, 1, manifest)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(matrix, target)
    (folder / "model.pickle").write_bytes(pickle.dumps(pipeline))
    dice = random.Random(1)
    picked = [
        dict(zip(names, map(float, matrix[dice.randrange(len(matrix))]), strict=True)) for _ in range(BODIES)
    ]
    bodies = [wrap(row) for row in picked]
    records = [{"dataframe_records": [row]} for row in picked]
    return Case(
        title,
        project,
        folder,
        script(folder / "bodies.lua", bodies, "/predict"),
        folder / "model.pickle",
        script(folder / "mlflow.lua", records, "/invocations"),
    )


def script(path: Path, bodies: Sequence[dict[str, Any]], route: str) -> Path:
    """A script for wrk that sends these bodies in turn; every request is put together beforehand."""
    listed = "\n".join(f"[==[{json.dumps(body)}]==]," for body in bodies)
    path.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"local bodies = {{\n{listed}\n}}\nlocal ready, turn = {{}}, 0\n"
        "function init(arguments)\n  for place = 1, #bodies do\n"
        f'    ready[place] = wrk.format("POST", "{route}", nil, bodies[place])\n  end\nend\n'
        "function request()\n  turn = turn % #ready + 1\n  return ready[turn]\nend\n"
    )
    return path


def _helpers() -> Any:
    """The tests' module that makes bundles and projects without a training."""
    sys.path.insert(0, str(TESTS))
    try:
        return importlib.import_module("serving")
    finally:
        sys.path.remove(str(TESTS))


@contextlib.contextmanager
def _process(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(port: int, body: bytes | None = None, seconds: float = 60) -> None:
    """Until something answers."""
    end = time.monotonic() + seconds
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", data=body, headers={"content-type": "application/json"}
    )
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()
            return
        except urllib.error.HTTPError:
            if body is None:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise SystemExit(f"Nothing answers on port {port}.")
        time.sleep(0.005)


def _cores() -> list[int]:
    """For the server, for wrk, and for the rest; where there are fewer, they share."""
    found = sorted(os.sched_getaffinity(0))
    return [found[place % len(found)] for place in (3, 1, 0)]


def _on(*cores: int) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores))]


def _pin(pid: int, *cores: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def _listens(pid: int) -> bool:
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed a moment ago
            if "socket:" in str(each.readlink()):
                return True
    return False


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process and its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


BENCHMARK = Benchmark(
    title="Serving",
    how=(
        "Single rows of JSON to `/predict` by wrk with 1,000 different bodies, server and wrk on cores of "
        "their own, validation, the log (one `fdatasync` a turn of the loop) and metrics on; medians of "
        "turns, ours and the echo's turn about on the same core. The echo is uvicorn with httptools and "
        "uvloop answering a constant from raw ASGI: what a web framework on it could reach if it did "
        "nothing. Processor time says the same with less noise from the disk and from neighbours."
    ),
    run=run,
    packages=("modelwright", "uvicorn", "uvloop", "httptools", "msgspec", "onnxruntime", "fastapi", "mlflow"),
)
