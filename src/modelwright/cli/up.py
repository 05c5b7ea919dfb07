"""``modelwright up``: from data to an answering model; what is done already is not done again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb

if TYPE_CHECKING:
    from modelwright.project.load import Project
    from modelwright.project.settings import Settings
    from modelwright.serve.launch import Readiness
    from modelwright.serve.settings import ServeSettings
    from modelwright.store.engine import SqlStore
    from modelwright.store.records import ReleaseRecord, VersionRecord


class Found(NamedTuple):
    """What the store knows of the inputs as they are now."""

    version: VersionRecord | None
    live: VersionRecord | None
    release: ReleaseRecord | None


@verb(
    "up",
    examples=[
        ("modelwright up examples/iris", "a project: train what changed, then serve"),
        ("modelwright up some.csv --target label", "no project yet: one is written beside the data"),
        ("modelwright up sklearn:wine", "a set that comes with scikit-learn, in a new folder 'wine'"),
        ("modelwright up --no-serve --json > result.json", "for scripts: the result as JSON, no server"),
    ],
)
@click.argument("where", required=False, metavar="[PROJECT|DATA]")
@click.option("--target", help="Data file: the column to predict.")
@click.option(
    "--task",
    type=click.Choice(["classification", "regression", "clustering"]),
    help="Data file: what to do. Default: what the target asks for.",
)
@click.option("--name", help="Data file: the new project's name. Default: made of the file's name.")
@click.option("--data", metavar="SOURCE", help="Project: train on this data instead of the project's own.")
@click.option("--no-serve", is_flag=True, help="Stop before serving.")
@click.option("--retrain", is_flag=True, help="Train even if nothing changed.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--host", help="Address to listen on. Default: this machine only.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Server processes. Default: a core each, up to four."
)
@click.option("--trained", type=int, hidden=True)
def command(
    terminal: Terminal,
    *,
    where: str | None,
    target: str | None,
    task: str | None,
    name: str | None,
    data: str | None,
    no_serve: bool,
    retrain: bool,
    port: int | None,
    host: str | None,
    workers: int | None,
    trained: int | None,
) -> None:
    """Do it all: read, train, check, register, serve.

    Give it a project (a folder with a project.yaml) or a data file with --target. Run again with
    nothing changed, it says so and serves at once. A version that the gate rejects is never served;
    what answered before goes on answering.
    """
    from modelwright.cli.context import open_project, opened_store
    from modelwright.cli.summary import finish, registered

    flags: dict[str, object] = {"port": port or None, "host": host, "workers": workers}
    project, settings = open_project(terminal, _project_path(where, target, task, name), flags)
    if data is not None:
        from modelwright.cli.training import with_data

        project = with_data(project, data)
    if not no_serve and trained is None:
        _refuse_early(_told(project, settings, port))
    with opened_store(settings) as store:
        assert store is not None  # noqa: S101 - it is made where it is not there
        if trained is None:
            version = _version(terminal, project, settings, store, retrain=retrain)
        else:
            version = registered(store, project.name, trained)
        if trained is None and project.file.online is not None:
            _bring_features(terminal, project, store)
    if no_serve:
        finish(terminal, version, settings)
    elif "sklearn" in sys.modules:
        _start_afresh(version.number)
    else:
        _serve(terminal, project, settings, version, port)


def _project_path(where: str | None, target: str | None, task: str | None, name: str | None) -> str | None:
    """The project that is meant; made where ``where`` is data that has none yet."""
    from modelwright.cli.adopt import adopt, is_data
    from modelwright.schema.metrics import Task

    if where is not None and is_data(where):
        return str(adopt(where, target=target, task=Task(task) if task else None, name=name))
    if target or task or name:
        from modelwright.project.load import find

        if where is None:
            raise click.UsageError("--target, --task and --name go with a data file, which is not named.")
        raise click.UsageError(
            f"--target, --task and --name go with a data file; {find(where)} says these for its project."
        )
    return where


def _version(
    terminal: Terminal, project: Project, settings: Settings, store: SqlStore, *, retrain: bool
) -> VersionRecord:
    """The version to serve: the one that is there if nothing changed, else a newly trained one."""
    found = _look_up(project, store)
    if not retrain:
        unchanged = _unchanged(terminal, settings, found)
        if unchanged is not None:
            return unchanged
    from modelwright.cli.summary import finish, registered, rejected
    from modelwright.cli.training import run_training, show_outcome

    outcome = run_training(terminal, project, settings, store, data=None, release=True, actor="up")
    show_outcome(terminal, outcome)
    version = registered(store, project.name, outcome.version)
    if not outcome.accepted:
        finish(terminal, version, settings)
        raise rejected(version, found.release)
    return version


def _bring_features(terminal: Terminal, project: Project, store: SqlStore) -> None:
    """What is looked up for requests: brought here too, so that the first one finds it."""
    from modelwright.cli.features import told
    from modelwright.train.online import update_features

    assert project.file.online is not None  # noqa: S101 - the caller looked
    with working(terminal, "Computing what is known of every key") as work:
        done = update_features(project, store, told=work.step)
    terminal.say(told(done, project.file.online.key))


def _look_up(project: Project, store: SqlStore) -> Found:
    from modelwright.train.fingerprint import fingerprint

    mark = fingerprint(project)
    release = store.releases.current(project.name)
    return Found(
        store.versions.by_fingerprint(project.name, mark) if mark else None,
        store.versions.get(project.name, release.version) if release else None,
        release,
    )


def _unchanged(terminal: Terminal, settings: Settings, found: Found) -> VersionRecord | None:
    """The version that answers for these very inputs, if there is one whose bundle is still there."""
    from modelwright.cli.context import bundle_path
    from modelwright.cli.summary import rejected
    from modelwright.store.records import Verdict

    version, live, release = found
    if version is None:
        return None
    if version.decision.verdict is Verdict.REJECTED:
        terminal.say(f"Nothing changed since version {version.number}, which the gate rejected.")
        raise rejected(version, release)
    if live is None or release is None or not bundle_path(settings, live).is_dir():
        return None
    if live.number == version.number:
        terminal.say(f"Nothing changed since version {version.number}: no training needed.")
    else:
        terminal.say(
            f"Nothing changed since version {version.number}, but version {live.number} is live: "
            f"{release.reason} To go back to it: modelwright promote {version.number}"
        )
    return live


def _start_afresh(version: int) -> None:
    """Go on as a new process, so that the server's parent does not hold the training's memory."""
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [item for item in sys.argv[1:] if item != "--retrain"]
    os.execv(  # noqa: S606 - this very program
        sys.executable, [sys.executable, "-m", "modelwright", *arguments, "--trained", str(version)]
    )


def _told(project: Project, settings: Settings, port: int | None) -> ServeSettings:
    from modelwright.serve.plan import project_target, serve_settings

    return serve_settings(
        [project_target(project, settings)],
        settings,
        port=port,
        retrain_threshold=project.file.retrain.new_samples,
    )


def _refuse_early(told: ServeSettings) -> None:
    """What will keep the server from starting is told before a long training, not after it."""
    from modelwright.serve.errors import CannotListen
    from modelwright.serve.supervisor import listen

    try:
        for each in listen(told.host, told.port, 1):
            each.close()
    except CannotListen as error:
        error.instruction += (
            " If it is this project's own server, go on with --no-serve: it takes a new version by itself."
        )
        raise


def _serve(
    terminal: Terminal, project: Project, settings: Settings, version: VersionRecord, port: int | None
) -> None:
    from modelwright.cli.summary import show_places, summary
    from modelwright.serve.launch import serve

    def tell(ready: Readiness) -> None:
        data: dict[str, Any] = summary(version, settings, ready.url)

        def show() -> None:
            terminal.print(f"\n{version.project} version {version.number} answers at {ready.url}\n")
            if ready.curl:
                terminal.print(f"  {ready.curl}\n")
            show_places(terminal, version, settings)
            terminal.print(f"  try it      {ready.url}/docs")
            terminal.print(f"  dashboard   {ready.url}/dashboard")
            terminal.print("\nStop with Ctrl+C.")

        terminal.result(data, show)
        sys.stdout.flush()

    serve(_told(project, settings, port), on_ready=tell)
