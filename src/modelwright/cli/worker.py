"""``modelwright worker [PATH]``: does a project's retrainings, here or beside the database of a server."""

from __future__ import annotations

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, verb


@verb(
    "worker",
    examples=[
        ("modelwright worker", "retrain the project here whenever it is due, until stopped"),
        ("modelwright worker examples/iris --once", "do what is due now, one job, and end"),
        ("modelwright worker --once --json | jq .state", "for cron"),
    ],
)
@project_argument
@click.option("--once", is_flag=True, help="Do one job, if one waits or is due, and end.")
@click.option(
    "--poll",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.05, 3600),
    metavar="SECONDS",
    help="Time between looks for work.",
)
def command(terminal: Terminal, *, path: str | None, once: bool, poll: float) -> None:
    """Do a project's retrainings.

    One at a time, each in a process of low priority. Jobs come from `/trigger_retrain`, and from the
    project file: `retrain: {new_samples: 100, quality: {f1: 0.9}, on_drift: true, every: 7d}`. A version
    that wins its duel with the champion is promoted; what does not win is kept, with the reason. MLflow's
    aliases follow what was released elsewhere. A server starts a worker by itself where the training
    parts are installed. Ctrl+C gives the job at work back.
    """
    import signal
    import threading

    from modelwright.cli.context import open_project, opened_store
    from modelwright.cli.extras import need_training
    from modelwright.project.load import load
    from modelwright.retrain.worker import Worker

    need_training()
    project, settings = open_project(terminal, path)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with opened_store(settings) as store:
        assert store is not None  # noqa: S101 - it is made where it is not there
        if not once:
            terminal.say(f"Waiting for retrainings of '{project.name}'. Stop with Ctrl+C.")
            Worker(project, settings, store, stop=stop).run(poll=poll, reload=lambda: load(project.path))
            return
        with working(terminal, "Looking for a retraining that is due", 1) as work:
            worker = Worker(project, settings, store, stop=stop, told=work.reached)
            job = worker.run_once()
            worker.aliases.finish()
    data = (
        None
        if job is None
        else {"job": job.id, "state": job.state.value, "version": job.version, "error": job.error}
    )

    def show() -> None:
        if job is None:
            terminal.say("Nothing is due.")
        else:
            version = "" if job.version is None else f" version {job.version}"
            terminal.print(f"Job {job.id[:12]}: {job.state.value}{version}")
            if job.error:
                terminal.print(f"  {job.error}")

    terminal.result(data, show)
