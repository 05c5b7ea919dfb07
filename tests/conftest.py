"""What every test finds: a clean environment, real data where it is, a real PostgreSQL, projects to fill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, settings

from leftovers import leftovers
from servers import PostgresServer, postgres_programs

REPOSITORY = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
SHARED_DATA = Path(os.environ.get("MODELWRIGHT_TEST_DATA") or REPOSITORY.parent / "shared" / "data")

# Modules that take a minute or more, the longest first.
SLOWEST = (
    "test_loop_kills",
    "test_demo",
    "test_documents",
    "test_up",
    "test_faults",
    "test_tables",
    "test_products_apart",
    "test_steps",
    "test_run",
    "test_package",
)

MakeProject = Callable[..., Path]

# Time says nothing on a busy machine, so no example is too slow.
settings.register_profile(
    "local", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("local"), max_examples=100)
settings.load_profile("ci" if IN_CI else "local")


def pytest_configure(config: pytest.Config) -> None:
    """Give this process, and what it starts, an environment that does not depend on whose machine it is."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job ignores Ctrl+C, and so would every program that a test interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hands_on = bool(config.getoption("numprocesses", None))  # runs no tests itself, but starts who does
    for name in list(os.environ):
        if name.startswith(("MODELWRIGHT_", "MLFLOW_", "DVC_", "GIT_")) and not (
            hands_on and name == "MODELWRIGHT_TEST_DATA"
        ):
            del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="modelwright-home-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "share"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ann Tester",
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "Ann Tester",
        "GIT_COMMITTER_EMAIL": "ann@example.org",
        "MPLBACKEND": "Agg",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if workers:  # each worker's share of the cores, or the number crunchers fight over them
        share = max(1, _cores() // workers)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
            os.environ[name] = str(share)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Fail where a module's tests leave something running: what meets it later fails far from the cause."""
    yield
    if nextitem is None or nextitem.path != item.path:
        left = leftovers(os.environ["HOME"])
        assert not left, f"{item.path.name} leaves behind: {'; '.join(left)}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Let each test process begin with slow modules, the slowest first, and end with quick ones.

    xdist deals out as many equal parts as there are processes, in order, and who is done takes over from the
    end of another's part: what stands last there must be short, or one process works on alone.
    """
    yield  # to those who put them into a random order
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if not workers:
        return
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    slow = {path for path, own in modules.items() if any(item.get_closest_marker("slow") for item in own)}
    ranks = {name: rank for rank, name in enumerate(SLOWEST)}
    ordered = sorted(
        (path for path in modules if path in slow), key=lambda path: ranks.get(path.stem, len(ranks))
    )  # stable: else by chance
    quick = [item for path, own in modules.items() if path not in slow for item in own]
    parts, left = [], len(items)
    for place in range(workers):
        part = [item for path in ordered[place::workers] for item in modules[path]]
        size = left // (workers - place)
        fill = max(0, size - len(part))
        parts += part + quick[:fill]
        quick, left = quick[fill:], left - max(size, len(part))
    items[:] = parts + quick


def _cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """Put the environment and the working directory back, whatever a test or a library did to them."""
    environment, folder = dict(os.environ), Path.cwd()
    yield
    os.chdir(folder)
    for name in os.environ.keys() - environment.keys():
        if name != "PYTEST_CURRENT_TEST":
            del os.environ[name]
    os.environ |= {name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the repository, or the one MODELWRIGHT_TEST_DATA names."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data at {SHARED_DATA} (set MODELWRIGHT_TEST_DATA)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process; ask for ``postgres_url`` unless you must stop it."""
    with _postgres() as server:
        yield server


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test alone, to be stopped and started at will."""
    with _postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Address of an empty PostgreSQL database of this test alone."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def _postgres() -> PostgresServer:
    programs = postgres_programs()
    if programs is not None:
        return PostgresServer(programs)
    reason = "PostgreSQL's server programs are not installed (scripts/system-packages installs them)"
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def tmp_project(tmp_path: Path) -> MakeProject:
    """Make project folders: ``tmp_project(project, files, git=False)`` returns the folder.

    ``project`` is what goes into project.yaml, as a mapping or as the text itself; ``None`` writes
    none. ``files`` maps paths to text or bytes. ``git=True`` commits it all to a new repository.
    """
    made = 0

    def make(
        project: Mapping[str, object] | str | None = None,
        files: Mapping[str, str | bytes] | None = None,
        *,
        git: bool = False,
    ) -> Path:
        nonlocal made
        made += 1
        folder = tmp_path / f"project-{made}"
        folder.mkdir()
        if project is not None:
            text = project if isinstance(project, str) else yaml.safe_dump(dict(project), sort_keys=False)
            (folder / "project.yaml").write_text(text, encoding="utf-8")
        for name, content in (files or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if git:
            for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "Start"]):
                subprocess.run(["git", *command], cwd=folder, check=True)
        return folder

    return make
