"""``modelwright promote VERSION``: which version answers is a person's word too, with a reason."""

from __future__ import annotations

import sys

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb


@verb(
    "promote",
    examples=[
        ("modelwright promote 7", "version 7 answers from now on"),
        ('modelwright promote 6 --reason "version 7 is slow on long texts"', "back to an older one"),
        ("modelwright promote 7 -p examples/iris --json", ""),
    ],
)
@click.argument("version", type=click.IntRange(1))
@project_option
@click.option("--reason", default="", help="Why; kept with the release.")
def command(terminal: Terminal, version: int, project: str | None, reason: str) -> None:
    """Make a version the one that answers.

    Its bundle is verified first. A running server takes it up by itself, without a failed request.
    A version that the gate rejected is refused.
    """
    from modelwright.cli.context import bundle_path, nothing_trained, open_project, opened_store
    from modelwright.train.aliases import follow

    opened, settings = open_project(terminal, project)
    with opened_store(settings, create=False) as store:
        if store is None or store.versions.latest(opened.name) is None:
            raise nothing_trained(opened)
        record = store.versions.get(opened.name, version)
        before = store.releases.current(opened.name)
        if record is not None and record.decision.verdict.value == "accepted":
            _verify(bundle_path(settings, record), record.content_hash)
        # an unknown or a rejected version is refused by the store itself
        release = store.releases.append(
            opened.name, version, reason=reason or "promoted by hand", actor=actor()
        )
        store.events.add(opened.name, "promoted", f"Version {version} answers now: {release.reason}.")
        was = before.version if before is not None else None

        def show() -> None:
            if was is None:
                terminal.print(f"Version {version} answers now; none was live before.")
            elif was == version:
                terminal.print(f"Version {version} was live already; the reason is kept with a new release.")
            else:
                terminal.print(f"Version {version} answers now; version {was} did before.")

        data = {"project": opened.name, "version": version, "previous": was, "reason": release.reason}
        terminal.result(data, show)
        sys.stdout.flush()
        # The release is in force already; the aliases only follow, and starting MLflow takes seconds.
        with working(terminal, "Telling MLflow"):
            note = follow(store, opened.name, uri=settings.tracking_uri, working=settings.work_dir)
    if note:
        terminal.say(note)


def _verify(path: object, content_hash: str) -> None:
    from pathlib import Path

    from modelwright.bundle.read import BundleInvalid, verify

    manifest = verify(Path(str(path)))
    if manifest.content_hash != content_hash:
        raise BundleInvalid(
            f"The bundle at {path} is not the one that was registered.",
            "Restore it from where it was made, or train a new version.",
        )


def actor() -> str:
    """Who is at the terminal, for the record."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        return "unknown"
